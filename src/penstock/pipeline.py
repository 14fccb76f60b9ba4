"""The contract: what a pipeline provides, one module per question a stage asks.

A pipeline is a folder under `pipelines/`. Each module of it answers one question, so that a stage
imports nothing it does not need (only `train` pays for Lightning), and is stale only by what it
imports. Nothing is registered by hand: a folder with a `params.py` is a pipeline.
"""

import difflib
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from .messages.errors import PenstockError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure
    from pytorch_lightning import LightningModule
    from torch import nn

    from .datasets.dataset import Dataset, DatasetWriter


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
    """

    table: str
    type: str
    arguments: dict[str, Any]
    meaning: str
    severity: Literal["critical", "warning"] = "critical"


@dataclass(frozen=True)
class Score:
    """How one model is compared with another: a number for each test example.

    Attributes:
        column: the column of the per-example scores that counts.
        metric: the metric its mean is, `test/accuracy` say.
        unit: the column that says which examples belong together, a patient's or a user's; where
            the scores lack it, each stands for itself.
        span: how far apart two scores of an example can be.
        higher_is_better: the direction.
    """

    column: str
    metric: str
    unit: str = "group"
    span: float = 1.0
    higher_is_better: bool = True


@dataclass
class Evaluation:
    """What `evaluate` answers.

    Attributes:
        metrics: `test/...` -> value.
        scores: a row per test example, with its `id` and the pipeline's score.
        figures: title -> figure, in the order a person should see them.
        tables: title -> table, likewise.
        plots: file stem -> table, for `dvc plots`.
        notes: title of a figure or table -> a sentence on how to read it.
        sounds: title of a figure -> a WAV file to play beside it.
    """

    metrics: dict[str, float]
    scores: "pd.DataFrame"
    figures: "dict[str, Figure]" = field(default_factory=dict)
    tables: "dict[str, pd.DataFrame]" = field(default_factory=dict)
    plots: "dict[str, pd.DataFrame]" = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    sounds: dict[str, bytes] = field(default_factory=dict)


class SampleModule(Protocol):
    """`sample.py`: a small real or synthetic stand-in for the raw data, made offline."""

    def sample(self, folder: Path) -> None:
        """Write raw files, the same bytes each time, in the format the pipeline reads."""


class IngestModule(Protocol):
    """`ingest.py`: from raw files to examples."""

    def ingest(self, source: Path, writer: "DatasetWriter", params: Any) -> None:
        """Read raw files; add each example to the writer, or reject it with a reason."""


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

    def learner(self, network: "nn.Module", params: Any, dataset: "Dataset") -> "LightningModule":
        """Wrap the network with loss, metrics and augmentation.

        What these or the network must know of the data is measured here, on the training split.
        """

    def arrays(self, dataset: "Dataset") -> "dict[str, np.ndarray]":
        """Name the arrays a batch is made of; one row per example, memory-mapped."""


class EvaluateModule(Protocol):
    """`evaluate.py`: how good the network is on the test split."""

    def evaluate(self, network: "nn.Module", dataset: "Dataset", params: Any) -> Evaluation:
        """Score every test example; compute metrics, figures and tables."""


class PredictModule(Protocol):
    """`predict.py`: what is served. Runs in other people's processes: plain torch, no stages.

    Attributes:
        SCORE: what models are compared by.
        INPUTS: column of the raw inputs -> its type; `optional string` may be left out.
        OUTPUTS: column of the predictions -> its type; `array` of doubles, `strings`.
        OPTIONS: what a caller may ask beyond the prediction -> its default: bool, int, float, str.
    """

    SCORE: Score
    INPUTS: dict[str, str]
    OUTPUTS: dict[str, str]
    OPTIONS: dict[str, Any]

    def predict(
        self,
        network: "nn.Module",
        inputs: "pd.DataFrame",
        info: dict[str, Any],
        options: dict[str, Any],
    ) -> "pd.DataFrame":
        """Raw inputs -> predictions, a row each, in order.

        `info` is the dataset's; `options` has a value for each of OPTIONS.
        """

    def raw_inputs(self, dataset: "Dataset", split: str) -> "pd.DataFrame":
        """The raw inputs that decode to a split's examples, in order."""

    def outcome(self, predictions: "pd.DataFrame", index: "pd.DataFrame") -> "pd.DataFrame":
        """Per-example scores of predictions, comparable with those of `evaluate`."""

    def read_input(self, file: Path) -> "pd.DataFrame":
        """Raw inputs, one or more rows, from a file named on the command line."""


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
