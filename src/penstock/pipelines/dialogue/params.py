"""What a user may change about the dialogue pipeline."""

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

Dropped = Annotated[float, Field(ge=0, lt=1)]


class Data(Section):
    """Ingest: what a dialogue is, and how dialogues are split."""

    dialogue: Literal["line", "file"] = "line"
    """What a dialogue is in a file of text: a line, whose utterances `separator` divides, or a
    whole file, an utterance a line. A table has pairs of question and answer, a YAML file lists."""
    separator: Annotated[str, Field(min_length=1)] = "__eou__"
    """What stands between the utterances of a line."""
    question_column: str = ""
    """Column of a table that has what is said; empty finds `question`, `context`, or the first."""
    answer_column: str = ""
    """Column with the answer to it; empty finds `answer`, `reply`, `response`, or the second."""
    longest: Annotated[int, Field(ge=20, le=100_000)] = 1_000
    """Most characters of an utterance; a dialogue with a longer one is rejected."""
    near_duplicate: Annotated[float, Field(gt=0.2, le=1)] = 0.5
    """Share of three-word sequences that two dialogues have in common from which on they are kept
    in one split (Jaccard similarity)."""
    test_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    """Share of dialogues held out as test, by a hash of what they say."""
    validation_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.1
    """Share held out for validation, likewise."""
    vocabulary: Annotated[int, Field(ge=300, le=60_000)] = 2_000
    """Parts of words that byte-pair encoding makes, bytes included."""
    licence: str = ""
    """Terms under which the data may be used: they hold for what learned from it, and the model's
    card says so. `CC BY-NC-SA 4.0: not for commercial use`, say."""


class Expectations(Section):
    """Validate: limits the dialogues must keep to."""

    min_examples: Count = 50
    """Least replies in each split."""
    min_dialogues: Count = 10
    """Least groups of dialogues in each split that are no near-duplicates of each other."""
    max_repeated_share: Share = 0.1
    """Largest share of dialogues that stand there more than once."""
    max_known_share: Share = 0.6
    """Largest share of the test replies that stand in the training split word for word."""
    max_rejected_share: Share = 0.1
    """Largest share of dialogues that could not be taken."""


class Answering(Section):
    """What all models have in common."""

    turns: Annotated[int, Field(ge=1, le=16)] = 4
    """How many turns before a reply are looked at, the latest ones."""
    blocked: list[Annotated[str, Field(min_length=1)]] = []
    """Words that no reply has: those of the data that have one are never given, and a question
    with one is refused."""
    least_confidence: Share = 0.0
    """Confidence below which no reply is given: the report says what share is then answered, and
    how often rightly."""


class Retrieval(Answering):
    """Finds the reply among those of the training split: a dual encoder beside TF-IDF."""

    kind: Literal["retrieval"] = "retrieval"
    """Kind of model."""
    width: Annotated[int, Field(ge=8, le=2_048)] = 256
    """Numbers that stand for an utterance."""
    buckets: Annotated[int, Field(ge=1_024, le=2**22)] = 32_768
    """Rows of the table that words, pairs and parts of words share by a hash of each."""
    dropout: Dropped = 0.3
    """Share of an utterance's numbers dropped in training."""
    feature_dropout: Dropped = 0.3
    """Share of words, pairs and parts of words dropped in training."""


class Seq2Seq(Answering):
    """Writes a reply: a bidirectional encoder, a decoder that attends to it."""

    kind: Literal["seq2seq"] = "seq2seq"
    """Kind of model."""
    cell: Literal["lstm", "gru"] = "gru"
    """Recurrent layers of encoder and decoder."""
    embedding: Count = 128
    """Numbers that stand for a token."""
    hidden: Annotated[int, Field(ge=2, multiple_of=2)] = 256
    """Units of the decoder, and of both directions of the encoder together."""
    dropout: Dropped = 0.3
    """Share of values dropped before and after recurrent layers."""
    context: Annotated[int, Field(ge=8, le=4_096)] = 96
    """Most tokens of the context that are read, the latest ones."""
    reply: Annotated[int, Field(ge=4, le=1_024)] = 48
    """Most tokens of a reply that are learned from."""


class Transformer(Attention, Answering):
    """Writes a reply: a causal transformer that reads the context, and goes on."""

    kind: Literal["transformer"] = "transformer"
    """Kind of model."""
    layers: Annotated[int, Field(ge=1, le=48)] = 3
    """Blocks of attention and a feed-forward layer."""
    feed_forward: Annotated[int, Field(ge=0)] = 512
    """Units of the feed-forward layers; 0 leaves them out."""
    dropout: Dropped = 0.2
    """Share of values dropped after each layer, and of attention."""
    context: Annotated[int, Field(ge=8, le=4_096)] = 96
    """Most tokens of the context that are read, the latest ones."""
    reply: Annotated[int, Field(ge=4, le=1_024)] = 48
    """Most tokens of a reply that are learned from."""


class Train(GradientParams):
    """Train: optimisation, hardware, length."""

    batch_size: Count = 256
    """Replies in a training step; of `retrieval`, each is a wrong one for all other contexts."""
    max_epochs: Count = 6
    """Passes over the training split, when they come to at least min_steps steps."""
    min_steps: Annotated[int, Field(ge=0)] = 200
    """Least training steps: on small data the epochs are raised until they come to this many."""
    optimizer: Literal["adagrad", "adamw", "adam", "sgd"] = "adagrad"  # type: ignore[assignment]
    """Optimiser, by its name in torch.optim: adagrad for `retrieval`, whose rare words then learn
    as fast as usual ones, and which takes no weight decay; adamw for what writes."""
    learning_rate: Positive = 0.05
    """Learning rate; the peak of it with the one-cycle schedule."""
    warmup: Annotated[float, Field(gt=0, lt=1)] = 0.1
    """Share of the steps in which one_cycle rises."""
    gradient_clip: Positive | None = 1.0
    """Largest norm of the gradient; null does not clip."""


class Evaluate(Section):
    """Evaluate: what is measured besides the usual."""

    generated: Annotated[int, Field(ge=1, le=100_000)] = 200
    """Test contexts that replies are given to, to measure how these differ."""
    shown: Annotated[int, Field(ge=1, le=200)] = 20
    """Test contexts in the report, with the replies to them."""
    generic: list[str] = [
        "i don't know",
        "i'm not sure",
        "i'm sorry",
        "i see",
        "ok",
        "okay",
        "yes",
        "no",
        "thank you",
        "that's right",
        "sure",
    ]
    """Replies that fit nearly everywhere: what share of the replies they are is told."""
    resamples: Count = 1_000
    """Resamples of whole dialogues, for intervals."""


class Register(RegisterParams):
    """Register: the gate between a trained model and the registry."""

    limits: dict[str, Limits] = {}
    """Least and most of a test metric for a model to become `challenger`; null for none:
    `{"test/recall_at_1_of_10": [0.4, null]}`."""
    tolerance: Annotated[float, Field(ge=0)] = 0.02
    """Largest loss against the champion that the test split must rule out (with 95 % confidence)
    before the challenger becomes champion: of recall, or in nats a character."""


class Params(PipelineParams):
    """The section `dialogue`."""

    many_files: ClassVar[bool] = True

    data: Data
    expectations: Expectations
    model: Annotated[Retrieval | Seq2Seq | Transformer, Field(discriminator="kind")]
    train: Train
    evaluate: Evaluate
    register: Register = Field(...)

    @model_validator(mode="after")
    def _is_trained_as_its_kind_asks(self) -> "Params":
        if self.train.optimizer == "adagrad" and self.model.kind != "retrieval":
            raise ValueError(
                f"train.optimizer: adagrad goes with model.kind: retrieval; for {self.model.kind} "
                "set optimizer: adamw and learning_rate: 0.003"
            )
        return self
