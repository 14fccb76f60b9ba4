"""What a user may change about the control pipeline."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ...settings.sections import (
    Count,
    Limits,
    PipelineParams,
    RegisterParams,
    Section,
    Share,
    TrainParams,
)

FromTo = Annotated[
    tuple[Annotated[float, Field(ge=0, le=1)], Annotated[float, Field(ge=0, le=1)]],
    Field(strict=False),
]
FASTEST = 0.05  # learning rate of Adam
Episodes = Annotated[int, Field(ge=1, le=100_000)]


class Data(Section):
    """Ingest: the questions, of which each map has as many. A question is a seed."""

    test_episodes: Episodes = 1000
    """Test questions: the seeds 0, 1, ..., as gymnasium's `reset(seed=...)` takes them."""
    validation_episodes: Episodes = 1000
    """Validation questions: the seeds from 1,000,000 on."""
    train_episodes: Episodes = 1000
    """Seeds from 2,000,000 on: where they begin, learning begins its own episodes too."""


class Expectations(Section):
    """Validate: limits the maps must keep to."""

    min_examples: Count = 100
    """Least questions in each split."""
    min_best_success: Share = 0.05
    """Least share of episodes that the best there is would win on each map, within the steps that
    an episode may have."""


class Table(Section):
    """A value for each state and action, learned by differences (Sutton and Barto 2018)."""

    kind: Literal["q_learning", "sarsa", "expected_sarsa", "double_q"] = "q_learning"
    """How the value of what follows is found: by the best action, by the one that is taken, by the
    mean of all as they are taken, or by the best of one table as another values it."""
    periods: Count = 5
    """Parts of an episode that are told apart, since with few steps left something else may be
    best; 1 knows no time, as in textbooks."""
    runs: Annotated[int, Field(ge=1, le=100)] = 5
    """Tables that learn side by side, each by chance of its own. The one that does best on
    validation is kept; the others show how much is luck."""


class DeepQ(Section):
    """A network that gives the values of a state's actions (Mnih et al. 2015)."""

    kind: Literal["dqn"] = "dqn"
    """Kind of network."""
    hidden: Annotated[list[Count], Field(min_length=1, max_length=6)] = [64, 64]
    """Units of each hidden layer; the first is a row for each state, added to one for the time."""
    periods: Count = 5
    """Parts of an episode that are told apart, since with few steps left something else may be
    best; 1 knows no time."""
    runs: Annotated[int, Field(ge=1, le=100)] = 3
    """Networks that learn side by side, each by chance of its own. The one that does best on
    validation is kept; the others show how much is luck."""


class Train(TrainParams):
    """Train: how many environments, for how long, how bold."""

    accelerator: Literal["auto", "cpu", "gpu", "mps"] = "cpu"
    """Where to train; tables are too small for a GPU to gain much."""
    batch_size: Count = 50
    """Steps of all environments in a training step."""
    max_epochs: Count = 128
    """How often it is looked at how well it does; the curves have a point for each."""
    min_steps: Annotated[int, Field(ge=0)] = 0
    """Least training steps."""
    epoch_steps: Count = 250
    """Steps that each environment is played for between two looks."""
    environments: Annotated[int, Field(ge=1, le=1_000_000)] = 512
    """Environments that are played side by side, for each run. What several learn of the same
    action in the same state counts as one step towards its mean."""
    discount: Annotated[float, Field(gt=0, le=1)] = 1.0
    """What a reward is worth a step later. Where time is not known, below 1."""
    learning_rate: FromTo = (0.5, 0.001)
    """How far a value moves to what was found, at the start and at the end; for dqn the rate of
    Adam, 0.001 say."""
    epsilon: FromTo = (0.3, 0.1)
    """Share of actions that are taken at random, at the start and at the end."""
    memory: Annotated[int, Field(ge=1, le=10_000_000)] = 50_000
    """dqn: steps of each run that are remembered, and learned from again."""
    replayed: Count = 64
    """dqn: of these, how many are learned from in each step."""
    target_rate: Annotated[float, Field(gt=0, le=1)] = 0.05
    """dqn: how fast the network that values what follows comes after the one that learns."""


class Register(RegisterParams):
    """Register: the gate between a trained model and the registry."""

    limits: dict[str, Limits] = {"test/gain_over_random": (0.0, None)}
    """Least and most of a test metric for a model to become `challenger`; null for none."""
    tolerance: Annotated[float, Field(ge=0)] = 0.02
    """Largest loss of return against the champion that the test split must rule out (with 95 %
    confidence) before the challenger becomes champion."""


class Params(PipelineParams):
    """The section `control`."""

    data: Data
    expectations: Expectations
    model: Annotated[Table | DeepQ, Field(discriminator="kind")]
    train: Train
    evaluate: Section = Field(...)
    register: Register = Field(...)

    @model_validator(mode="after")
    def _descends_slowly(self) -> Self:
        if self.model.kind == "dqn" and self.train.learning_rate[0] > FASTEST:
            raise ValueError(
                f"train.learning_rate: {self.train.learning_rate[0]:g}: for dqn it is Adam's; "
                f"expected at most {FASTEST}, [0.001, 0.0001] say"
            )
        return self
