"""What a user may change about the tabular pipeline."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ...settings.sections import (
    ClassifierParams,
    Count,
    Limits,
    MarkedData,
    PipelineParams,
    Positive,
    RegisterParams,
    Section,
    Share,
)


class Column(Section):
    """A pinned column: what its values must be."""

    type: Literal["number", "category", "boolean", "date"]
    """What its values are."""
    range: Limits = (None, None)
    """Least and largest number; for dates, days since 1970."""
    median: Limits = (None, None)
    """Least and largest median of all rows: beyond, the unit or the meaning has changed."""
    values: list[str] = []
    """The categories, the most frequent first; others count as one more."""
    missing: Share = 0.0
    """Largest share of missing values."""


class Data(MarkedData):
    """Ingest: which column is learned, from which others, and how rows are split."""

    target: str = "species"
    """The column to predict."""
    task: Literal["auto", "classification", "regression"] = "auto"
    """`auto`: numbers are regression, unless they are at most 20 different whole ones; all else is
    classification."""
    ignore: list[str] = []
    """Columns to leave out: what is not known when a prediction is asked for, above all."""
    columns: dict[str, Column] = {}
    """The columns to learn from, pinned: one that vanishes or changes stops the pipeline. Without
    any, they are found out anew; `penstock look tabular --pin` writes down what it finds."""
    split: Literal["hash", "stratified", "time"] = "stratified"
    """`hash` goes by the content of a row, so adding rows moves nobody while the columns are the
    same; `stratified` gives each
    class its shares exactly; `time` holds out the latest."""
    group: str = ""
    """A column that says which rows belong together, a patient's say: they stay in one split."""
    time: str = ""
    """The column with the time of a row, for split: time."""
    test_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.3
    """Share of the rows held out as test."""
    validation_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.15
    """Share of the rows held out as validation."""

    @property
    def not_learned_from(self) -> set[str]:
        """Columns that no prediction may rest on."""
        return {self.target, self.group, self.time, *self.ignore}

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if both := [it for it in self.columns if it in self.not_learned_from]:
            raise ValueError(
                f"columns has {both[0]}, which is the target or not to be learned from; take it out"
            )
        if self.group and self.split != "hash":
            raise ValueError("with data.group, rows are split by it: set split: hash")
        if self.split == "time" and not self.time:
            raise ValueError("split: time needs data.time, the column with the time of a row")
        return self


class Expectations(Section):
    """Validate: limits the table must keep to."""

    min_examples: Count = 20
    """Least rows in each split."""
    max_outside_share: Share = 0.01
    """Largest share of a column's values beyond what is pinned: out of range, or other categories;
    or missing beyond the share that is."""
    max_rejected_share: Share = 0.1
    """Largest share of rows that could not be taken."""


class Network(Section):
    """Dense layers on standardised numbers and one-hot categories."""

    kind: Literal["mlp"] = "mlp"
    """Kind of network."""
    hidden: list[Count] = [64]
    """Units of each hidden layer; none gives a linear model."""
    activation: Literal["relu", "sigmoid"] = "relu"
    """What follows each hidden layer."""
    loss: Literal["cross_entropy", "squared_error"] = "cross_entropy"
    """What a classifier minimises; `squared_error` of sigmoid outputs is that of early textbooks.
    Regression minimises the squared error always."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.2
    """Share of units dropped before each layer but the first."""


class Perceptron(Section):
    """Rosenblatt's perceptron: one unit a class, changed by what it gets wrong only."""

    kind: Literal["perceptron"] = "perceptron"
    """Kind of network."""


class Train(ClassifierParams):
    """Train: optimisation, hardware, length."""

    batch_size: Count = 32
    """Rows in a training step; give large tables 1024 or more."""
    max_epochs: Count = 20
    """Passes over the training split, when they come to at least min_steps steps."""
    min_steps: Annotated[int, Field(ge=0)] = 400
    """Least training steps: on small data the epochs are raised until they come to this many."""
    learning_rate: Positive = 0.003
    """Learning rate; the peak of it with the one-cycle schedule."""


class Evaluate(Section):
    """Evaluate: what is measured besides the usual."""

    regions: list[str] = []
    """Two number columns for the picture of what is predicted where; without them the two that
    matter most."""
    repeats: Annotated[int, Field(ge=1, le=100)] = 5
    """How often each column is shuffled to see how much it matters."""
    resamples: Annotated[int, Field(ge=100, le=100_000)] = 1000
    """Bootstrap resamples, of whole groups, for intervals."""


class Register(RegisterParams):
    """Register: the gate between a trained model and the registry."""

    limits: dict[str, Limits] = {"test/gain_over_constant": (0.0, None)}
    """Least and most of a test metric for a model to become `challenger`; null for none."""


class Params(PipelineParams):
    """The section `tabular`."""

    data: Data
    expectations: Expectations
    model: Annotated[Network | Perceptron, Field(discriminator="kind")]
    train: Train
    evaluate: Evaluate
    register: Register = Field(...)
