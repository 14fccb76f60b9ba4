"""What is learned: the values of actions, in a table or by a network; and the tables it acts in."""

import copy
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from .exact import period_length
from .tables import ARRAYS, INITIAL, Tables

if TYPE_CHECKING:
    from .params import DeepQ, Table

POINTS = 50  # of the learning curve that is kept
DECIMALS = 9  # to which values are compared: what differs by less is as good


class Actor(nn.Module):
    """Values actions, in several runs that learned side by side; one of them acts.

    A state at a time is a `row`: those of the first part of an episode come first. The tables that
    it learned in go along.

    Attributes:
        kept: the run that acts.
        curve: return on validation of each run in the course of the training, (POINTS, runs).
        curve_steps: after how many steps in the environments of a run, (POINTS,).
        points: how many there are.
    """

    kept: torch.Tensor
    curve: torch.Tensor
    curve_steps: torch.Tensor
    points: torch.Tensor

    def __init__(self, model: "Table | DeepQ", info: dict[str, Any]) -> None:
        super().__init__()
        shape = info["arrays"]["reward"]["shape"]
        self.states, self.actions, _ = shape
        self.runs, self.limit = model.runs, info["limit"]
        self.periods = min(model.periods, self.limit)
        self.length = period_length(self.limit, self.periods)
        for name, kind in ARRAYS.items():
            self.register_buffer(name, torch.from_numpy(np.zeros(shape, kind)))
        self.register_buffer(INITIAL, torch.zeros(self.states, dtype=torch.float64))
        self.register_buffer("kept", torch.zeros((), dtype=torch.int64))
        self.register_buffer("curve", torch.zeros(POINTS, self.runs, dtype=torch.float64))
        self.register_buffer("curve_steps", torch.zeros(POINTS, dtype=torch.int64))
        self.register_buffer("points", torch.zeros((), dtype=torch.int64))

    def take(self, tables: Tables) -> None:
        """Take tables along."""
        for name in (*ARRAYS, INITIAL):
            getattr(self, name).copy_(torch.from_numpy(getattr(tables, name)))

    def tables(self) -> Tables:
        """Those that go along."""
        arrays = {name: getattr(self, name).cpu().numpy() for name in (*ARRAYS, INITIAL)}
        return Tables(**arrays, limit=self.limit)

    @property
    def rows(self) -> int:
        """How many states at a time there are."""
        return self.periods * self.states

    def row(self, state: torch.Tensor, elapsed: torch.Tensor) -> torch.Tensor:
        """The rows of states after so many steps."""
        if self.periods == 1:
            return state
        period = (elapsed // self.length).clamp(max=self.periods - 1)
        return period * self.states + state

    def all_values(self) -> torch.Tensor:
        """The values of all actions, float64, shape (runs, rows, actions)."""
        raise NotImplementedError

    def keep_point(self, returns: np.ndarray, steps: int, epoch: int, epochs: int) -> None:
        """Keep the returns of all runs, if a point of the curve is due after an epoch.

        Args:
            returns: on validation, (runs,).
            steps: in the environments of a run, so far.
            epoch: counted from 0.
            epochs: how many there will be.
        """
        if epochs > POINTS and epoch * POINTS // epochs == (epoch + 1) * POINTS // epochs:
            return
        self.curve[int(self.points)] = torch.from_numpy(returns)
        self.curve_steps[int(self.points)] = steps
        self.points += 1

    @torch.no_grad()
    def values(self) -> np.ndarray:
        """Those of all runs, rounded, on the CPU: float64, (runs, periods, states, actions)."""
        found = self.all_values().cpu().numpy().round(DECIMALS)
        return found.reshape(self.runs, self.periods, self.states, self.actions)


class TableActor(Actor):
    """A table; two, whose mean counts, if one is to value what the other prefers."""

    def __init__(self, model: "Table", info: dict[str, Any]) -> None:
        super().__init__(model, info)
        self.copies = 2 if model.kind == "double_q" else 1
        shape = self.runs, self.copies, self.rows, self.actions
        self.table = nn.Parameter(torch.zeros(shape, dtype=torch.float64), requires_grad=False)

    def all_values(self) -> torch.Tensor:
        """As they stand in the table."""
        return self.table.mean(1)


class Layers(nn.Module):
    """Dense layers, of each run its own, computed side by side.

    The first has a weight for each state and each part of an episode (one-hot inputs).
    """

    def __init__(self, model: "DeepQ", states: int, periods: int, actions: int) -> None:
        super().__init__()
        units, self.states = model.hidden, states
        self.state = nn.Parameter(torch.randn(model.runs, states, units[0]) * 0.5)
        self.period = nn.Parameter(torch.zeros(model.runs, periods, units[0]))
        sizes = [*zip(units, [*units[1:], actions], strict=True)]
        self.weights = nn.ParameterList(
            torch.randn(model.runs, inputs, outputs) * (2 / inputs) ** 0.5
            for inputs, outputs in sizes
        )
        self.biases = nn.ParameterList(torch.zeros(model.runs, 1, it) for _, it in sizes)

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Rows, (runs, batch) -> values, (runs, batch, actions)."""
        runs = torch.arange(len(rows), device=rows.device)[:, None]
        seen = self.state[runs, rows % self.states] + self.period[runs, rows // self.states]
        for weight, bias in zip(self.weights, self.biases, strict=True):
            seen = torch.baddbmm(bias, F.relu(seen), weight)
        return seen


class DeepActor(Actor):
    """A network for each run."""

    def __init__(self, model: "DeepQ", info: dict[str, Any]) -> None:
        super().__init__(model, info)
        self.layers = Layers(model, self.states, self.periods, self.actions)

    def all_values(self) -> torch.Tensor:
        """Computed in double precision, so that the same is best wherever it is computed."""
        exact = copy.deepcopy(self.layers).cpu().double()
        found: torch.Tensor = exact(torch.arange(self.rows).expand(self.runs, -1))
        return found


def network(model: "Table | DeepQ", info: dict[str, Any]) -> TableActor | DeepActor:
    """Build it for an environment's states and actions."""
    return DeepActor(model, info) if model.kind == "dqn" else TableActor(model, info)
