"""What a user may change about the text pipeline."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from ...kinds.text.sections import Attention
from ...settings.sections import (
    Count,
    GradientParams,
    Limits,
    PipelineParams,
    Positive,
    RegisterParams,
    Section,
    Share,
)

Split = Literal["train", "validation", "test"]
Dropped = Annotated[float, Field(ge=0, lt=1)]


class Data(Section):
    """Ingest: what is read, how it is split, and what a token is."""

    documents: Literal["file", "paragraph", "line"] = "file"
    """What a document is, which is never divided between splits: a whole file, a paragraph (up to
    a blank line) or a line. In a table (CSV, Parquet) it is a row."""
    column: str = ""
    """Column of a table that has the text; empty finds `text`, `content`, `body` or `document`."""
    title_end: str = ""
    """What ends a title at the start of a document (`:`, say): documents that differ by their
    titles only stand in the same split. Empty if there are no titles."""
    encoding: str = "auto"
    """How files store text, `gb18030` say; `auto` is UTF-8 or what a file looks like, and says."""
    split: Literal["auto", "hash", "in_order"] = "auto"
    """How documents are split: by a hash of their text, or as they follow each other; of one
    document by itself, parts. `auto`: by hash if there are 20 documents or more."""
    order: Annotated[list[Split], Field(min_length=3, max_length=3)] = [
        "train",
        "validation",
        "test",
    ]
    """Which split follows which where they are split in order."""
    test_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    """Share held out as test: of the documents by hash, of the characters in order."""
    validation_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    """Share held out for validation, likewise."""
    tokens: Literal["characters", "bytes", "bpe"] = "characters"
    """What a token is: a character, a byte of UTF-8, or a part of a word as byte-pair encoding
    finds them (Sennrich et al. 2016)."""
    vocabulary: Annotated[int, Field(ge=300, le=60_000)] = 2_000
    """Tokens that byte-pair encoding makes, bytes included."""
    min_count: Count = 2
    """Characters that occur fewer times in the training split are unknown: the model learns from
    them how often a character that it does not know follows."""
    block: Annotated[int, Field(ge=64, le=65_536)] = 1_024
    """Most characters of an example: documents that are longer are scored in blocks."""

    @model_validator(mode="after")
    def _names_each_split(self) -> "Data":
        if len(set(self.order)) != len(self.order):
            raise ValueError(f"order: {', '.join(self.order)}: expected each split once")
        return self


class Expectations(Section):
    """Validate: limits the text must keep to."""

    min_characters: Count = 1_000
    """Least characters in each split."""
    max_unknown_share: Share = 0.05
    """Largest share of a split's characters that the training split has not, or hardly."""
    max_repeated_share: Share = 0.1
    """Largest share of documents that stand there more than once."""
    max_known_share: Share = 0.05
    """Largest share of the held-out blocks that stand in the training split word for word."""
    max_rejected_share: Share = 0.1
    """Largest share of documents that could not be taken."""


class Recurrent(Section):
    """What recurrent networks have in common: what was read is a state of fixed size."""

    kind: Literal["lstm", "gru", "rnn"]
    """Kind of network."""
    window: Annotated[int, Field(ge=8, le=4_096)] = 64
    """Tokens that a training step reads, and gradients flow back through."""
    embedding: Count = 64
    """Numbers that stand for a token."""
    hidden: Count = 512
    """Units of a recurrent layer."""
    layers: Annotated[int, Field(ge=1, le=8)] = 1
    """Recurrent layers."""
    dropout: Dropped = 0.3
    """Share of values dropped before and after each recurrent layer."""
    tied: bool = False
    """Whether a token is read and predicted by the same numbers (Press and Wolf 2017): worth it
    where there are thousands of tokens."""
    cell: Literal["torch", "explicit"] = "torch"
    """Who computes a step: torch, or the same formulas written out, to read and to compare."""


class LSTM(Recurrent):
    """Long short-term memory (Hochreiter and Schmidhuber 1997)."""

    kind: Literal["lstm"] = "lstm"
    """Kind of network."""


class GRU(Recurrent):
    """Gated recurrent units (Cho et al. 2014)."""

    kind: Literal["gru"] = "gru"
    """Kind of network."""


class RNN(Recurrent):
    """A plain recurrent network (Elman 1990)."""

    kind: Literal["rnn"] = "rnn"
    """Kind of network."""


class Transformer(Attention):
    """A causal transformer (Vaswani et al. 2017), with norms before each layer."""

    kind: Literal["transformer"] = "transformer"
    """Kind of network."""
    window: Annotated[int, Field(ge=8, le=8_192)] = 128
    """Tokens that it can look at."""
    layers: Annotated[int, Field(ge=1, le=48)] = 4
    """Blocks of attention and a feed-forward layer."""
    feed_forward: Annotated[int, Field(ge=0)] = 768
    """Units of the feed-forward layers; 0 leaves them out."""
    dropout: Dropped = 0.1
    """Share of values dropped after each layer, and of attention."""
    positions: Literal["rotary", "learned"] = "rotary"
    """How positions are told: by turning queries and keys (Su et al. 2021), or learned numbers."""
    tied: bool = True
    """Whether a token is read and predicted by the same numbers (Press and Wolf 2017)."""


class Train(GradientParams):
    """Train: optimisation, hardware, length."""

    batch_size: Count = 32
    """Windows in a training step: the text is read in so many places at a time."""
    max_epochs: Count = 10
    """Passes over the training split, when they come to at least min_steps steps."""
    learning_rate: Positive = 0.004
    """Learning rate; the peak of it with the one-cycle schedule."""
    warmup: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Share of the steps in which one_cycle rises."""
    gradient_clip: Positive | None = 1.0
    """Largest norm of the gradient; null does not clip."""
    carry: bool = True
    """Recurrent networks: whether a window goes on with the state that the one before it left."""


class Evaluate(Section):
    """Evaluate: what is measured besides the usual."""

    temperatures: Annotated[
        list[Annotated[float, Field(ge=0, le=10)]], Field(min_length=1, max_length=5)
    ] = [0.5, 0.8, 1.0]
    """Temperatures of the samples in the report: lower ones keep to what is likely."""
    sample: Annotated[int, Field(ge=10, le=10_000)] = 500
    """Tokens of each sample."""
    order: Annotated[int, Field(ge=1, le=8)] = 5
    """Tokens of an n-gram, the baseline."""


class Register(RegisterParams):
    """Register: the gate between a trained model and the registry."""

    limits: dict[str, Limits] = {}
    """Least and most of a test metric for a model to become `challenger`; null for none:
    `{"test/bits_per_character": [null, 2.5]}`."""
    tolerance: Annotated[float, Field(ge=0)] = 0.01
    """Largest loss against the champion, in nats a character, that the test split must rule out
    (with 95 % confidence) before the challenger becomes champion."""


class Params(PipelineParams):
    """The section `text`."""

    many_files: ClassVar[bool] = True

    data: Data
    expectations: Expectations
    model: Annotated[LSTM | GRU | RNN | Transformer, Field(discriminator="kind")]
    train: Train
    evaluate: Evaluate
    register: Register = Field(...)
