"""The contract: what a pipeline provides, one module per question a stage asks.

A pipeline is a folder under `pipelines/`. Each module of it answers one question, so that a stage
imports nothing it does not need (only `train` pays for Lightning). Nothing is registered by hand: a
folder with a `params.py` is a pipeline.
"""

import difflib
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from .messages.errors import PenstockError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    import pandas as pd
    from torch import nn

    from .datasets.dataset import Dataset, DatasetWriter
    from .evaluation.exhibits import Exhibit
    from .learning.learner import Learner
    from .learning.sources import Source


@dataclass(frozen=True)
class Expectation:
    """One thing that must be true of the examples, as plain data.

    Attributes:
        table: what it speaks of, one of those `tables` derives: `examples` (a row per example),
            `splits` (a row per split), say.
        type: the name Great Expectations gives it, `expect_column_values_to_be_in_set` say.
        arguments: its arguments, `{"column": "split", "value_set": [...]}` say.
        meaning: why it matters and what to do, in the words of the person who will read it.
        severity: `critical` stops the pipeline, `warning` is recorded.
        setting: where the limit comes from, `expectations.min_examples` say: a number, or the least
            and the largest; of what `mostly` holds, the share that need not.
    """

    table: str
    type: str
    arguments: dict[str, Any]
    meaning: str
    severity: Literal["critical", "warning"] = "critical"
    setting: str = ""


@dataclass(frozen=True)
class Mean:
    """The weighted mean of a column of scores: the usual statistic."""

    column: str

    def __call__(self, scores: "pd.DataFrame", weights: "np.ndarray") -> float:
        """Mean of all examples, shape (examples,); NaN if one has no score."""
        return float(weights @ scores[self.column].to_numpy(float) / weights.sum())


def root_mean_square(scores: "pd.DataFrame", weights: "np.ndarray") -> float:
    """The root of the weighted mean of `squared_error`: the statistic of models of a number."""
    return float((weights @ scores["squared_error"].to_numpy() / weights.sum()) ** 0.5)


@dataclass(frozen=True)
class Score:
    """How one model is compared with another: a number for a test split.

    Attributes:
        metric: its name, `test/accuracy` say.
        statistic: the scores of examples and the weight of each -> the number; NaN if there is
            none. A `Mean`, or any function: a root mean square, an area under a curve.
        unit: the column that says which examples belong together, a patient's or a user's; where
            the scores lack it, each stands for itself.
        span: how far apart the numbers of two models can be on one example.
        higher_is_better: the direction.
    """

    metric: str
    statistic: "Callable[[pd.DataFrame, np.ndarray], float]"
    unit: str = "group"
    span: float = 1.0
    higher_is_better: bool = True


@dataclass(frozen=True)
class Interface:
    """What a model takes and gives, which may depend on its dataset and on its kind.

    Attributes:
        inputs: column of the raw inputs -> its type; `optional string` may be left out.
        outputs: column of the predictions -> its type; `array` of doubles, `strings`.
        score: what models are compared by.
        options: what a caller may ask beyond the prediction -> its default: bool, int, float, str.
    """

    inputs: dict[str, str]
    outputs: dict[str, str]
    score: Score
    options: dict[str, Any] = field(default_factory=dict)


@dataclass
class Evaluation:
    """What `evaluate` answers.

    Attributes:
        metrics: `test/...` -> value.
        scores: a row per test example, with its `id` and the pipeline's score.
        exhibits: what a person should look at, in this order; titles differ.
        plots: file stem -> table, for `dvc plots`.
        meanings: metric -> what its name does not say: which class it is of, say.
    """

    metrics: dict[str, float]
    scores: "pd.DataFrame"
    exhibits: "list[Exhibit]" = field(default_factory=list)
    plots: "dict[str, pd.DataFrame]" = field(default_factory=dict)
    meanings: dict[str, str] = field(default_factory=dict)


class SampleModule(Protocol):
    """`sample.py`: a small real or synthetic stand-in for the raw data, made offline."""

    def sample(self, folder: Path) -> None:
        """Write raw files, the same bytes each time, in the format the pipeline reads."""


class IngestModule(Protocol):
    """`ingest.py`: from raw files to examples."""

    def ingest(self, source: Path, writer: "DatasetWriter", params: Any) -> None:
        """Read raw files; add each example to the writer, or reject it with a reason."""


class MarkedModule(Protocol):
    """`ingest.py`, where answers that were marked as wrong can be learned from (`MarkedData`)."""

    def ingest_feedback(self, folder: Path, writer: "DatasetWriter", params: Any) -> None:
        """Add what lies in data/feedback/NAME to the training split, or reject it with a reason.

        It comes after `ingest`, and `writer.remembered` has all that was added: what is held out,
        by itself or by its group, is not learned from.
        """


class ExpectationsModule(Protocol):
    """`expectations.py`: what must be true of the examples."""

    def tables(self, dataset: "Dataset") -> "dict[str, pd.DataFrame]":
        """Derive the tables that expectations speak of; `datasets.profile.tables` is a start."""

    def expectations(self, params: Any) -> "Iterator[Expectation]":
        """Yield every expectation, in the order a person should read them."""


class NetworkModule(Protocol):
    """`network.py`: everything after decoding, scaling and front end included; plain torch."""

    def network(self, model: Any, info: dict[str, Any]) -> "nn.Module":
        """Build the network for a dataset described by `info` (its dataset.json)."""


class TrainModule(Protocol):
    """`train.py`: what training adds to the network."""

    def learner(self, network: "nn.Module", params: Any, dataset: "Dataset") -> "Learner":
        """Wrap the network with loss, metrics and augmentation.

        What these or the network must know of the data is measured here, on the training split.
        """

    def source(self, dataset: "Dataset", splits: tuple[str, ...], params: Any) -> "Source | None":
        """Say where batches come from; None if nothing is measured on these splits."""


class EvaluateModule(Protocol):
    """`evaluate.py`: how good the network is on the test split."""

    def evaluate(self, network: "nn.Module", dataset: "Dataset", params: Any) -> Evaluation:
        """Score every test example; compute metrics, and what to look at."""


class PredictModule(Protocol):
    """`predict.py`: what is served. Runs in other people's processes: plain torch, no stages."""

    def interface(self, info: dict[str, Any], model: dict[str, Any]) -> Interface:
        """What a network with the settings `model` takes and gives.

        `info` describes the dataset that it learned from.
        """

    def predict(
        self,
        network: "nn.Module",
        inputs: "pd.DataFrame",
        info: dict[str, Any],
        options: dict[str, Any],
    ) -> "pd.DataFrame":
        """Raw inputs -> predictions, a row each, in order.

        `info` is the dataset's; `options` has a value for each of the interface's.
        """

    def exam(self, dataset: "Dataset", split: str) -> "pd.DataFrame":
        """The questions that models are asked about a split, in order.

        A row has its `id`, the raw inputs (original files, not what ingest made of them), and what
        `outcome` must know to mark the answer: the label, the group, ...
        """

    def outcome(self, predictions: "pd.DataFrame", exam: "pd.DataFrame") -> "pd.DataFrame":
        """Mark predictions: scores by `id`, comparable with those of `evaluate`."""


class StreamingModule(Protocol):
    """`predict.py`, where an answer comes in parts: a text that is written on."""

    def stream(
        self,
        network: "nn.Module",
        row: dict[str, Any],
        info: dict[str, Any],
        options: dict[str, Any],
    ) -> "Iterator[str] | None":
        """The answer to one row of raw inputs, part by part; None if it does not come in parts."""


class ConversingModule(Protocol):
    """`predict.py`, where a model answers commands, by a protocol of its field: GTP, say."""

    def converse(
        self, network: "nn.Module", info: dict[str, Any], lines: "Iterator[str]"
    ) -> "Iterator[str]":
        """Commands, a line each -> responses, which end with whatever the protocol says."""


class NamingModule(Protocol):
    """`predict.py`, where a model keeps names of what it can be asked about: users, nodes, ..."""

    def known_names(
        self, network: "nn.Module", column: str, beside: str
    ) -> "list[tuple[str, str]] | None":
        """Names that an input may have, and the title of each; None where none are kept.

        With `beside`, those that are linked to that one.
        """


class FileReader(Protocol):
    """`predict.py`, where an input is not simply the content of one file."""

    def read_input(self, file: Path, info: dict[str, Any]) -> "pd.DataFrame":
        """Raw inputs, one or more rows, from a file named on the command line.

        `info` is that of the dataset the model learned from.
        """


def names() -> list[str]:
    """List the pipelines there are: the folders of `pipelines/` that have a params.py."""
    folder = Path(__file__).parent / "pipelines"
    return sorted(path.parent.name for path in folder.glob("*/params.py"))


def check_name(name: str) -> None:
    """Refuse the name of a pipeline that is not there.

    Raises:
        PenstockError: no such pipeline; names the nearest and all there are.
    """
    known = names()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise PenstockError(f"{name}: no such pipeline; {hint}there is: {', '.join(known)}")


def load(name: str, module: str) -> Any:
    """Import one module of a pipeline, `ingest` of `mnist` say."""
    check_name(name)
    return import_module(f".pipelines.{name}.{module}", __package__)
