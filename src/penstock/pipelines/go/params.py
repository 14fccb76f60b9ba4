"""What a user may change about the go pipeline."""

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

Questions = Annotated[int, Field(ge=1, le=10_000)]
Playouts = Annotated[int, Field(ge=1, le=10_000_000)]


class Data(Section):
    """Ingest: the questions, openings to play from, and how recorded games are split."""

    opening_moves: Annotated[int, Field(ge=0, le=20)] = 2
    """Moves of an opening: at random, but neither colour wins most playouts from there."""
    test_openings: Questions = 100
    """Test openings; each is played with both colours."""
    validation_openings: Questions = 50
    """Validation openings, likewise."""
    train_openings: Questions = 200
    """Openings that games of the training begin with, at times."""
    opponent_playouts: Playouts = 500
    """How far the opponent looks whom models are measured against: classical search."""
    held_out_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.2
    """Share of the recorded games that are held out as test, and as many as validation, by a hash
    of their moves."""


class Expectations(Section):
    """Validate: limits the questions and records must keep to."""

    min_examples: Count = 20
    """Least questions in each split."""
    max_rejected_share: Share = 0.2
    """Largest share of recorded games that could not be taken."""


class Patterns(Section):
    """A linear policy over patterns and tactics, inside the classical search (Coulom 2007)."""

    kind: Literal["patterns"] = "patterns"
    """Kind of model."""
    playouts: Playouts = 1000
    """Playouts for a move, when it plays."""
    visits: Annotated[float, Field(ge=0, le=10_000)] = 60.0
    """Won visits that a move counts as before it was looked at, if the policy is certain of it;
    else by the root of its probability."""


class Residual(Section):
    """A residual network with heads for policy, value and ownership (Silver et al. 2018)."""

    kind: Literal["residual"] = "residual"
    """Kind of model."""
    channels: Annotated[int, Field(ge=4, le=512)] = 32
    """Channels of each layer."""
    blocks: Annotated[int, Field(ge=1, le=40)] = 4
    """Residual blocks of two layers."""
    playouts: Playouts = 200
    """Positions that it looks at for a move, when it plays."""
    rollouts: Annotated[int, Field(ge=0, le=1000)] = 8
    """Playouts from each position it looks at; their mean counts beside the network's value."""
    rollout_share: Share = 0.5
    """How much that mean counts."""


class Reinforced(Section):
    """Dense layers that learn from who won alone: REINFORCE (Williams 1992), as a baseline."""

    kind: Literal["mlp"] = "mlp"
    """Kind of model."""
    hidden: Count = 128
    """Units of the hidden layer."""


class Train(TrainParams):
    """Train: how many games it plays against itself, and how it learns from them."""

    accelerator: Literal["auto", "cpu", "gpu", "mps"] = "cpu"
    """Where to learn. Games are played on the CPU always."""
    batch_size: Count = 128
    """Positions in a training step."""
    max_epochs: Count = 20
    """Rounds: games are played, then learned from."""
    min_steps: Annotated[int, Field(ge=0)] = 0
    """Least training steps in all; raises the rounds where they come to fewer."""
    games: Annotated[int, Field(ge=1, le=100_000)] = 64
    """Games in a round."""
    steps: Annotated[int, Field(ge=1, le=100_000)] = 100
    """Training steps in a round."""
    window: Annotated[int, Field(ge=1, le=10_000_000)] = 20_000
    """Positions that are remembered, and learned from again."""
    playouts: Playouts = 400
    """Playouts for a move that is learned from; positions looked at, for a network."""
    full_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of moves that are thought about so long; the others, a quarter of it, are played only
    to see how games end (playout-cap randomisation: Wu 2019)."""
    search_rounds: Annotated[int, Field(ge=0)] = 0
    """First rounds in which classical search plays in place of a network."""
    search_playouts: Playouts = 600
    """Playouts for a move in those rounds."""
    learn_from_records: bool = True
    """Whether recorded games of the training split are learned from too, if there are any."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.003
    """Rate of Adam; falls to a tenth of it in the course of the training."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0001
    """Weight decay of Adam."""
    positions: Annotated[int, Field(ge=1)] | None = None
    """Most positions to play: the round in which they are reached is the last."""
    minutes: Annotated[float, Field(gt=0)] | None = None
    """Most minutes: the round in which they are over is the last. What is learned then depends on
    the machine; by rounds or positions it does not."""
    validation_games: Annotated[int, Field(ge=0, le=10_000)] = 20
    """Games from validation openings after each round, for the curve of strength; 0 for none."""


class Evaluate(Section):
    """Evaluate: whom to play besides the opponent of the questions."""

    games: Annotated[int, Field(ge=0, le=10_000)] = 40
    """Games against random moves, and against classical search that thinks as long."""
    gnugo_level: Annotated[int, Field(ge=1, le=15)] | None = 1
    """Level of GNU Go, where it is installed; null for no games against it."""
    gnugo_games: Annotated[int, Field(ge=0, le=10_000)] = 10
    """Games against it."""


class Register(RegisterParams):
    """Register: the gate between a trained model and the registry."""

    limits: dict[str, Limits] = {"test/random_win_rate": (0.5, None)}
    """Least and most of a test metric for a model to become `challenger`; null for none."""
    tolerance: Annotated[float, Field(ge=0)] = 0.05
    """Largest loss of win rate against the champion that the test openings must rule out (with
    95 % confidence) before the challenger becomes champion."""


class Params(PipelineParams):
    """The section `go`."""

    data: Data
    expectations: Expectations
    model: Annotated[Patterns | Residual | Reinforced, Field(discriminator="kind")]
    train: Train
    evaluate: Evaluate = Field(...)
    register: Register = Field(...)

    @model_validator(mode="after")
    def _can_choose_by_games(self) -> Self:
        if self.train.validation_games == 0 and (self.train.keep == "best" or self.train.patience):
            raise ValueError(
                "train.validation_games: 0: nothing to choose by; set keep: last and patience: "
                "null, or some games"
            )
        return self
