"""What a user may change about the graph pipeline."""

from typing import Annotated, Literal

from pydantic import Field

from ...settings.sections import (
    ClassifierParams,
    Count,
    Limits,
    PipelineParams,
    Positive,
    RegisterParams,
    Section,
    Share,
)

Dropped = Annotated[float, Field(ge=0, lt=1)]


class Data(Section):
    """Ingest: what the columns of the tables are called, and how nodes are split."""

    id: str = "id"
    """The column of nodes.csv with what edges call a node."""
    label: str = "label"
    """The column with the class of a node; where it is empty, the node is in the graph, and nobody
    asks for its class."""
    time: str = ""
    """The column with the time of a node, for split: time; it is not learned from."""
    ignore: list[str] = []
    """Columns to leave out: what is not known when a prediction is asked for, above all."""
    split: Literal["auto", "official", "per_class", "hash", "time"] = "auto"
    """`official` is that of the Planetoid files, or of a column `split`; `per_class` draws as many
    nodes of each class to learn from; `hash` goes by the id, so that new nodes move nobody; `time`
    holds out the latest; `auto` is official where there is one, per_class elsewhere."""
    train_per_class: Count = 20
    """Nodes of each class to learn from, with per_class."""
    validation_per_class: Count = 30
    """Nodes of each class to choose by, with per_class; all others are test."""
    seed: Annotated[int, Field(ge=0)] = 0
    """What per_class draws by."""
    test_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.3
    """Share of the nodes held out as test, with hash and time."""
    validation_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.2
    """Share of the nodes held out as validation, with hash and time."""


class Expectations(Section):
    """Validate: limits the graph must keep to."""

    min_examples: Count = 20
    """Least nodes in each split."""
    max_isolated_share: Share = 0.3
    """Largest share of nodes without an edge."""
    max_rejected_share: Share = 0.1
    """Largest share of nodes, and of edges, that could not be taken."""


class Model(Section):
    """What all kinds have: two dense layers, on features or on what neighbours have."""

    hidden: Count = 64
    """Units of the hidden layer."""
    input_dropout: Dropped = 0.8
    """Share of the features that a training step does not see."""
    dropout: Dropped = 0.8
    """Share of hidden units that a training step does without."""
    scaling: Literal["auto", "rows", "columns", "none"] = "auto"
    """`rows`: the features of a node add up to 1, for bags of words; `columns`: each feature has
    mean 0 and deviation 1; `auto` is rows where no feature is below 0 and most are 0."""


class MLP(Model):
    """Features alone: what the edges are worth is what others are better."""

    kind: Literal["mlp"] = "mlp"
    """Kind of network."""


class GCN(Model):
    """Graph convolution: each layer takes the mean of a node and its neighbours (Kipf 2017)."""

    kind: Literal["gcn"] = "gcn"
    """Kind of network."""


class APPNP(Model):
    """Predict from features, then spread by personalised PageRank (Gasteiger et al. 2019)."""

    kind: Literal["appnp"] = "appnp"
    """Kind of network."""
    steps: Count = 10
    """How many edges far predictions spread."""
    teleport: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Share of its own prediction that each step returns to a node."""


class GCNII(Model):
    """Deep graph convolution that keeps a share of the first layer (Chen et al. 2020)."""

    kind: Literal["gcnii"] = "gcnii"
    """Kind of network."""
    layers: Count = 16
    """Graph convolutions."""
    teleport: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Share of the first layer that each convolution has."""
    strength: Positive = 0.5
    """How much a convolution may change: layer l by log(strength / l + 1)."""
    decay: Annotated[float, Field(ge=0)] = 0.01
    """Weight decay of the convolutions; train.weight_decay is that of the dense layers."""


class Train(ClassifierParams):
    """Train: optimisation, hardware, length."""

    threads: Count = 1
    """CPU threads PyTorch computes with: steps on small graphs are too short to be shared out."""
    batch_size: Literal[1] = 1
    """The whole graph is one example, and one batch."""
    epoch_steps: Count = 5
    """Steps in an epoch; after each the validation nodes are looked at."""
    max_epochs: Count = 200
    """Epochs at most."""
    min_steps: Annotated[int, Field(ge=0)] = 0
    """Least training steps: on small data the epochs are raised until they come to this many."""
    patience: Count | None = 20
    """Epochs without a better validation loss before training stops early; null never stops."""
    keep: Literal["best", "last"] = "best"
    """Weights to keep: those of the best validation loss, or the last."""
    optimizer: Literal["adamw", "adam", "sgd"] = "adam"
    """Optimiser, by its name in torch.optim."""
    learning_rate: Positive = 0.02
    """Learning rate; the peak of it with the one-cycle schedule."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0002
    """Weight decay."""
    schedule: Literal["one_cycle", "constant"] = "constant"
    """Learning rate over the steps: up to the peak and down to zero once, or constant."""
    consistency: Annotated[float, Field(ge=0)] = 1.5
    """Weight of the difference between what two draws of dropout predict, at all nodes, labelled or
    not (Feng et al. 2020); 0 takes one draw."""
    temperature: Annotated[float, Field(gt=0, le=1)] = 0.5
    """How sharp the mean of both is made that each is drawn to: 1 leaves it as it is."""


class Evaluate(Section):
    """Evaluate: what is measured besides the usual."""

    as_new: Count = 200
    """Test nodes that are taken out of the graph, one at a time, and asked for as new ones."""
    gallery: Annotated[int, Field(ge=1, le=20)] = 6
    """Mistakes whose neighbourhood is drawn."""


class Register(RegisterParams):
    """Register: the gate between a trained model and the registry."""

    limits: dict[str, Limits] = {"test/gain_over_constant": (0.0, None)}
    """Least and most of a test metric for a model to become `challenger`; null for none."""


class Params(PipelineParams):
    """The section `graph`."""

    data: Data
    expectations: Expectations
    model: Annotated[APPNP | GCN | GCNII | MLP, Field(discriminator="kind")]
    train: Train
    evaluate: Evaluate
    register: Register = Field(...)
