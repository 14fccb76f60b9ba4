"""Tables that learn from each step what the next one says (Sutton and Barto 2018, chapter 6)."""

from typing import TYPE_CHECKING

import numpy as np
import torch

from .learner import ActingLearner, Chance, Move, between
from .network import TableActor
from .tables import Tables

if TYPE_CHECKING:
    from .params import Train


class TableLearner(ActingLearner):
    """Moves the value of what was done towards its reward and what follows.

    What several lanes find of one value at a time is averaged, so that the settings mean the same
    for one environment, which is the algorithm of the textbook, and for thousands.
    """

    network: TableActor
    first_row: torch.Tensor
    action: torch.Tensor
    met: torch.Tensor

    def __init__(
        self,
        network: TableActor,
        params: "Train",
        tables: Tables,
        starts: np.ndarray,
        kind: str,
    ) -> None:
        """As ActingLearner; `kind` is how the value of what follows is found."""
        super().__init__(network, params, tables, starts)
        self.kind = kind
        own_rows = network.copies * network.rows
        for name, value in {
            "first_row": self.run * own_rows,
            "action": torch.randint(network.actions, self.run.shape),  # the next of sarsa
            "met": torch.zeros(network.table.numel(), dtype=torch.float64),
        }.items():
            self.register_buffer(name, value)

    def configure_optimizers(self) -> None:
        """None: nothing is descended."""

    @property
    def values(self) -> torch.Tensor:
        """The values of all runs, a row each: (rows of all tables of all runs, actions)."""
        return self.network.table.view(-1, self.network.actions)

    @torch.no_grad()
    def learn(self, chance: Chance, done: float, sums: torch.Tensor) -> None:
        """Take a step in all lanes, and move the values of what was done."""
        epsilon = between(self.params.epsilon, done)
        row = self.first_row + self.network.row(self.state, self.elapsed)
        action = self.action if self.kind == "sarsa" else self.act(row, chance, epsilon)
        move = self.move(action, chance, sums)
        # Of two tables, one learns in each lane.
        learns = torch.where(chance.coin < 0.5, 0, self.network.rows * (self.network.copies - 1))
        future = self.future(move, learns, chance, epsilon).masked_fill(move.final, 0.0)
        place = (row + learns) * self.network.actions + action
        found = self.values.view(-1).index_select(0, place)
        errors = move.reward + self.params.discount * future - found
        self.met.zero_().index_add_(0, place, torch.ones_like(errors))
        rate = between(self.params.learning_rate, done)
        self.values.view(-1).index_add_(0, place, rate * errors / self.met.index_select(0, place))
        sums[0] += errors.square().sum()

    def act(self, row: torch.Tensor, chance: Chance, epsilon: float) -> torch.Tensor:
        """What to do in some rows: the best but for a share, by both tables if there are two."""
        wanted = self.values.index_select(0, row)
        if self.network.copies == 2:
            wanted = wanted + self.values.index_select(0, row + self.network.rows)
        return self.choose(wanted, chance, epsilon)

    def future(
        self, move: Move, learns: torch.Tensor, chance: Chance, epsilon: float
    ) -> torch.Tensor:
        """What the state that follows is worth, (lanes,).

        Args:
            move: that led there.
            learns: how far the rows of the table that learns are from those of the first.
            chance: what decides what sarsa does there.
            epsilon: share of actions at random.
        """
        row = self.first_row + move.row
        if self.kind == "double_q":  # van Hasselt 2010
            best = self.values[row + learns].argmax(1, keepdim=True)
            return self.values[row + self.network.rows - learns].gather(1, best)[:, 0]
        there = self.values.index_select(0, row)
        if self.kind == "q_learning":
            return there.amax(1)
        if self.kind == "expected_sarsa":
            return (1 - epsilon) * there.amax(1) + epsilon * there.mean(1)
        following = self.choose(there, chance, epsilon)
        begun = self.first_row + self.network.row(self.state, self.elapsed)
        self.action = torch.where(move.over, self.act(begun, chance, epsilon), following)
        return there.gather(1, following[:, None])[:, 0]
