"""Networks that learn from steps they remember (Mnih et al. 2015; van Hasselt et al. 2016)."""

import copy
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch.nn import functional as F

from .learner import ActingLearner, Chance, Move, between
from .network import DeepActor
from .tables import Tables

if TYPE_CHECKING:
    from .params import Train


class DeepLearner(ActingLearner):
    """Each step is remembered, and followed by one of the optimiser on steps of the memory.

    What follows is valued by a network that comes after the one that learns, slowly.
    """

    MONITOR = "val/regret"
    network: DeepActor
    row: torch.Tensor
    action: torch.Tensor
    reward: torch.Tensor
    following: torch.Tensor
    final: torch.Tensor
    written: torch.Tensor

    def __init__(
        self, network: DeepActor, params: "Train", tables: Tables, starts: np.ndarray
    ) -> None:
        """As ActingLearner, with room for what is remembered."""
        super().__init__(network, params, tables, starts)
        self.target = copy.deepcopy(network.layers).requires_grad_(False)
        self.room = max(params.memory, params.environments)
        for name, kind in {
            "row": torch.int64,
            "action": torch.int64,
            "reward": torch.float32,
            "following": torch.int64,
            "final": torch.bool,
        }.items():
            self.register_buffer(name, torch.zeros(network.runs, self.room, dtype=kind))
        self.register_buffer("written", torch.zeros((), dtype=torch.int64))

    def configure_optimizers(self) -> Any:
        """Adam, whose rate changes as the settings say."""
        return torch.optim.Adam(self.network.layers.parameters(), self.params.learning_rate[0])

    def learn(self, chance: Chance, done: float, sums: torch.Tensor) -> None:
        """Take a step in all lanes, remember it, and learn from some of what is remembered."""
        runs = self.network.runs
        with torch.no_grad():
            row = self.network.row(self.state, self.elapsed)
            values = self.network.layers(row.view(runs, -1)).view(len(row), -1)
            action = self.choose(values, chance, between(self.params.epsilon, done))
            move = self.move(action, chance, sums)
            self._remember(row, action, move)
        optimizer = cast(Any, self.optimizers())
        for group in optimizer.param_groups:
            group["lr"] = between(self.params.learning_rate, done)
        loss = self._loss()
        optimizer.zero_grad()
        self.manual_backward(loss.sum())
        optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(  # one call for all of them
                list(self.target.parameters()),
                list(self.network.layers.parameters()),
                self.params.target_rate,
            )
        sums[0] += loss.detach().mean() * len(row)

    def _remember(self, row: torch.Tensor, action: torch.Tensor, move: Move) -> None:
        """Write a step of all lanes over the oldest there is."""
        runs, own = self.network.runs, self.params.environments
        places = (self.written + torch.arange(own, device=self.device)) % self.room
        for memory, value in (
            (self.row, row),
            (self.action, action),
            (self.reward, move.reward),
            (self.following, move.row),
            (self.final, move.final),
        ):
            memory[:, places] = value.view(runs, own).to(memory.dtype)
        self.written += own

    def _loss(self) -> torch.Tensor:
        """Huber's loss of each run, on steps of its memory, (runs,)."""
        runs, there = self.network.runs, self.written.clamp(max=self.room)
        wanted = (runs, self.params.replayed)
        places = (torch.rand(wanted, device=self.device) * there).long()
        row, action, reward, following, final = (
            it.gather(1, places)
            for it in (self.row, self.action, self.reward, self.following, self.final)
        )
        with torch.no_grad():
            best = self.network.layers(following).argmax(2, keepdim=True)
            future = self.target(following).gather(2, best)[..., 0].masked_fill(final, 0.0)
        found = self.network.layers(row).gather(2, action[..., None])[..., 0]
        target = reward + self.params.discount * future
        return F.smooth_l1_loss(found, target, reduction="none").mean(1)
