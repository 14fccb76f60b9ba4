"""What is learned: weights of patterns, a residual network, or dense layers; plain torch."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ...kinds.games.compiled import features, patterns
from ...kinds.games.compiled.planes import PLANES
from ...kinds.games.thinking import Learned
from .rules_file import rules_of

if TYPE_CHECKING:
    from ...learning.sources import Batch
    from .params import Patterns, Reinforced, Residual

NOWHERE = -1e9  # logit of what is no move
VALUE_LOSS, OWNER_LOSS = 1.0, 0.15  # beside the policy's loss


class PatternPolicy(nn.Module):
    """A weight for each category of a move, and for each 3x3 pattern, far from the last and near.

    The probability of a move is the softmax of the sum of its weights (Coulom 2007, "Computing Elo
    ratings of move patterns in the game of Go").
    """

    class_of: torch.Tensor

    def __init__(self, model: "Patterns", info: dict[str, Any]) -> None:
        super().__init__()
        self.model, self.rules = model, rules_of(info)
        classes, count = patterns.pattern_classes()
        self.register_buffer("class_of", torch.from_numpy(classes), persistent=False)
        self.categories = nn.Parameter(torch.zeros(features.CATEGORIES))
        self.patterns = nn.Parameter(torch.zeros(2, count))

    def forward(self, categories: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
        """Weigh moves.

        Args:
            categories: int64, (batch, moves, features.COUNT); below 0 where there is no move.
            numbers: of the patterns, int64, (batch, moves).

        Returns:
            Logits, (batch, moves).
        """
        there = categories[..., 0] >= 0
        known = categories.clamp(min=0)
        near = known[..., -1] - int(features.STARTS[-2])
        weights = self.categories[known].sum(-1)
        weights = weights + self.patterns[near.clamp(0, 1), self.class_of[numbers]]
        return weights.masked_fill(~there, NOWHERE)

    def loss(self, batch: "Batch") -> dict[str, torch.Tensor]:
        """Sums over a batch: cross-entropy of what the search chose, and how often it is first."""
        logits = self(batch["categories"].long(), batch["numbers"].long())
        policy = batch["policy"][:, :-1]
        weight = batch["weight"] * (policy.sum(1) > 0)
        policy = policy / policy.sum(1, keepdim=True).clamp(min=1e-9)
        loss = -(policy * F.log_softmax(logits, 1)).sum(1)
        agreed = logits.argmax(1) == policy.argmax(1)
        return {"loss": (loss * weight).sum(), "agreed": (agreed * weight).sum()}

    @torch.no_grad()
    def learned(self) -> Learned:
        """What the search takes of it."""
        tables = self.patterns[:, self.class_of].cpu().numpy()
        return Learned(
            weights=self.categories.cpu().numpy().astype(np.float32),
            tables=np.ascontiguousarray(tables, np.float32),
            visits=self.model.visits,
        )


class Block(nn.Module):
    """Two convolutions around which the input goes on (He et al. 2016)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, seen: torch.Tensor) -> torch.Tensor:
        """(batch, channels, rows, columns) -> the same."""
        return F.relu(seen + self.layers(seen))


class ResidualNetwork(nn.Module):
    """Planes -> policy, value and who will own each point."""

    def __init__(self, model: "Residual", info: dict[str, Any]) -> None:
        super().__init__()
        self.model, self.rules = model, rules_of(info)
        channels = model.channels
        self.trunk = nn.Sequential(
            nn.Conv2d(PLANES, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            *(Block(channels) for _ in range(model.blocks)),
        )
        self.policy = nn.Conv2d(channels, 1, 1)
        self.owner = nn.Conv2d(channels, 1, 1)
        self.whole = nn.Sequential(nn.Linear(2 * channels, 48), nn.ReLU())
        self.passing = nn.Linear(48, 1)
        self.value = nn.Linear(48, 1)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # a third faster

    def forward(self, planes: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Look at positions.

        Args:
            planes: (batch, PLANES, points), of who is to play.

        Returns:
            Logits of the places, the pass last, (batch, points + 1); logit of winning, (batch,);
            logits of owning each point, (batch, points).
        """
        side = self.rules.size
        seen = self.trunk(planes.view(len(planes), PLANES, side, side))
        whole = self.whole(torch.cat([seen.mean((2, 3)), seen.amax((2, 3))], 1))
        policy = torch.cat([self.policy(seen).flatten(1), self.passing(whole)], 1)
        return policy, self.value(whole)[:, 0], self.owner(seen).flatten(1)

    def loss(self, batch: "Batch") -> dict[str, torch.Tensor]:
        """Sums over a batch: of policy, value and owners; and how often the first move agrees."""
        planes, policy, owner = self._turned(batch)
        logits, value, owning = self(planes)
        weight = batch["weight"]
        of_policy = -(policy * F.log_softmax(logits, 1)).sum(1) * weight
        of_value = F.binary_cross_entropy_with_logits(value, batch["value"], reduction="none")
        of_owner = F.binary_cross_entropy_with_logits(owning, owner, reduction="none").mean(1)
        loss = of_policy + VALUE_LOSS * of_value + OWNER_LOSS * of_owner
        agreed = (logits.argmax(1) == policy.argmax(1)) * weight
        return {"loss": loss.sum(), "agreed": agreed.sum()}

    def _turned(self, batch: "Batch") -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """The batch as it looks turned and mirrored, each position by its own symmetry."""
        turns = symmetries(self.rules.size).to(batch["planes"].device)[batch["symmetry"]]
        planes = batch["planes"].float()
        planes = planes.gather(2, turns[:, None, :].expand(-1, PLANES, -1))
        policy = batch["policy"]
        policy = torch.cat([policy[:, :-1].gather(1, turns), policy[:, -1:]], 1)
        owner = (batch["owner"].float() + 1) / 2
        return planes, policy, owner.gather(1, turns)

    @torch.inference_mode()
    def look(self, planes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """As `forward`, of arrays: logits, chance of winning, chance of owning."""
        device = next(self.parameters()).device
        policy, value, owner = self(torch.from_numpy(planes).to(device))
        return (
            policy.float().cpu().numpy(),
            torch.sigmoid(value).float().cpu().numpy(),
            torch.sigmoid(owner).float().cpu().numpy(),
        )


class DensePolicy(nn.Module):
    """Stones -> a logit for each point, by one hidden layer; passes where no move is left."""

    def __init__(self, model: "Reinforced", info: dict[str, Any]) -> None:
        super().__init__()
        self.model, self.rules = model, rules_of(info)
        points = self.rules.size**2
        self.layers = nn.Sequential(
            nn.Linear(points, model.hidden), nn.ReLU(), nn.Linear(model.hidden, points)
        )

    def forward(self, stones: torch.Tensor) -> torch.Tensor:
        """1 for own stones, -1 for the other's, (batch, points) -> logits, (batch, points)."""
        logits: torch.Tensor = self.layers(stones)
        return logits


GoModel = PatternPolicy | ResidualNetwork | DensePolicy


def symmetries(size: int) -> torch.Tensor:
    """Which place goes where, for the eight ways to look at a board: int64, (8, points)."""
    board = torch.arange(size * size).view(size, size)
    turned = [torch.rot90(board, it) for it in range(4)]
    return torch.stack([it.flatten() for it in (*turned, *(one.flip(1) for one in turned))])


def network(model: "Patterns | Residual | Reinforced", info: dict[str, Any]) -> GoModel:
    """Build it for a board."""
    if model.kind == "patterns":
        return PatternPolicy(model, info)
    if model.kind == "residual":
        return ResidualNetwork(model, info)
    return DensePolicy(model, info)
