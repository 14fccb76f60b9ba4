"""Many environments at once: a step in all of them is a look into tables."""

from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from .tables import Tables

NEVER = 2.0  # above any random number from 0 to 1


class Step(NamedTuple):
    """What a step led to, each of the shape of the states it began in."""

    state: torch.Tensor
    reward: torch.Tensor
    ended: torch.Tensor
    won: torch.Tensor


class World(nn.Module):
    """The tables of an environment, laid out for steps; on any device."""

    next_state: torch.Tensor
    cumulative: torch.Tensor
    reward: torch.Tensor
    ended: torch.Tensor
    won: torch.Tensor

    def __init__(self, tables: Tables) -> None:
        super().__init__()
        states, self.actions, self.outcomes = tables.reward.shape
        self.limit = tables.limit
        for name in ("next_state", "reward", "ended", "won"):
            self._hold(name, getattr(tables, name).reshape(-1))
        # As gymnasium chooses: the first outcome whose cumulative probability is above the number.
        cumulative = np.cumsum(tables.probability, axis=2)[..., :-1]
        beyond = np.cumsum(tables.probability[..., ::-1], axis=2)[..., -2::-1]
        chosen_by = np.where(beyond > 0, cumulative, NEVER)  # no further than the last there is
        self._hold("cumulative", chosen_by.reshape(states * self.actions, self.outcomes - 1))

    def _hold(self, name: str, values: np.ndarray) -> None:
        held = torch.from_numpy(np.array(values))
        whole = held.dtype == torch.int32
        self.register_buffer(name, held.long() if whole else held, persistent=False)

    def step(self, state: torch.Tensor, action: torch.Tensor, chance: torch.Tensor) -> Step:
        """Take a step in many environments.

        Args:
            state: int64, shape (environments,).
            action: int64, of the same shape.
            chance: numbers from 0 to 1 that choose the outcomes, of the same shape.
        """
        row = state * self.actions + action
        place = row
        if self.outcomes > 1:
            beyond = chance[:, None] >= self.cumulative.index_select(0, row)
            place = row * self.outcomes + beyond.sum(1)
        tables = self.next_state, self.reward, self.ended, self.won
        return Step(*(it.index_select(0, place) for it in tables))  # twice as fast as brackets
