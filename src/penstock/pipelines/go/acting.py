"""How a model plays: the player of each kind."""

from collections.abc import Sequence

import numpy as np
import torch

from ...kinds.games.compiled.layout import PASS
from ...kinds.games.points import all_points
from ...kinds.games.position import Position
from ...kinds.games.thinking import passing_wins
from .guided import GuidedPlayer
from .network import DensePolicy, GoModel, PatternPolicy
from .players import Player, SearchPlayer, sensible_moves


class PolicyPlayer:
    """Plays the likeliest move of dense layers, or draws one by their probabilities."""

    def __init__(self, network: DensePolicy, draws: bool = False) -> None:
        """Take over the layers."""
        self.network, self.draws = network, draws
        self.name = "policy"

    def begin(self, seeds: Sequence[int]) -> None:
        """Take new chance for each game."""
        self.chance = [np.random.default_rng(it) for it in seeds]

    def choose(self, games: Sequence[int], positions: Sequence[Position]) -> list[int]:
        """Look at all positions side by side."""
        stones = np.stack([see_stones(it) for it in positions])
        device = next(self.network.parameters()).device
        with torch.inference_mode():
            logits = self.network(torch.from_numpy(stones).to(device)).cpu().numpy()
        return [
            self._pick(game, it, weights)
            for game, it, weights in zip(games, positions, logits, strict=True)
        ]

    def _pick(self, game: int, position: Position, logits: np.ndarray) -> int:
        if passing_wins(position):
            return PASS
        allowed = sensible_places(position)
        if not allowed.any():
            return PASS
        weights = np.where(allowed, logits, -np.inf)
        if self.draws:
            weights = weights + self.chance[game].gumbel(size=len(weights))
        return all_points(position.size)[int(weights.argmax())]


def see_stones(position: Position) -> np.ndarray:
    """1 for stones of who is to play, -1 for the other's: float32, (points,)."""
    stones = position.stones().ravel()
    seen = np.where(stones == position.turn, 1.0, -1.0)
    return np.where(stones == 0, 0.0, seen).astype(np.float32)


def sensible_places(position: Position) -> np.ndarray:
    """Which places are legal moves that fill no own eye: bool, (points,)."""
    moves = set(sensible_moves(position))
    return np.array([it in moves for it in all_points(position.size)])


def make_player(
    network: GoModel, playouts: int | None = None, seconds: float | None = None
) -> Player:
    """The player of a model.

    Args:
        network: in the state to evaluate.
        playouts: for a move; as the model's settings say if left out.
        seconds: for a move, in place of playouts, where the search can be told so.
    """
    if isinstance(network, PatternPolicy):
        wanted = playouts or network.model.playouts
        return SearchPlayer(wanted, network.learned(), seconds, f"patterns, {wanted} playouts")
    if isinstance(network, DensePolicy):
        return PolicyPlayer(network)
    return GuidedPlayer(network, playouts, seconds)
