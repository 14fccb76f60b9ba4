"""Who plays: at random, by classical search, by the policy of a network alone."""

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from ...kinds.games.compiled import tactics
from ...kinds.games.compiled.layout import PASS
from ...kinds.games.position import Position
from ...kinds.games.thinking import Learned, Thinker, passing_wins


class Player(Protocol):
    """Plays several games side by side."""

    name: str

    def begin(self, seeds: Sequence[int]) -> None:
        """New games begin, each with a seed of its own."""

    def choose(self, games: Sequence[int], positions: Sequence[Position]) -> list[int]:
        """A move for each of some games, by their numbers."""


class RandomPlayer:
    """Any legal move that fills no own eye."""

    name = "random"

    def begin(self, seeds: Sequence[int]) -> None:
        """Take new chance for each game."""
        self.chance = [np.random.default_rng(it) for it in seeds]

    def choose(self, games: Sequence[int], positions: Sequence[Position]) -> list[int]:
        """Draw a move; pass where there is none, or where that wins."""
        return [
            self._draw(self.chance[game], it) for game, it in zip(games, positions, strict=True)
        ]

    def _draw(self, chance: np.random.Generator, position: Position) -> int:
        if passing_wins(position):
            return PASS
        moves = sensible_moves(position)
        return int(chance.choice(moves)) if moves else PASS


class SearchPlayer:
    """Classical search, with what a model adds to it if anything."""

    def __init__(
        self,
        playouts: int,
        learned: Learned | None = None,
        seconds: float | None = None,
        name: str = "",
    ) -> None:
        """Set how long it thinks about a move: playouts, or seconds if given."""
        self.playouts, self.seconds, self.learned = playouts, seconds, learned
        self.name = name or f"search {playouts}"

    def begin(self, seeds: Sequence[int]) -> None:
        """Take a tree for each game."""
        self.thinkers = [Thinker(self.playouts, self.seconds, it, self.learned) for it in seeds]

    def choose(self, games: Sequence[int], positions: Sequence[Position]) -> list[int]:
        """Think about each position in turn."""
        return [self.thinkers[game].choose(it) for game, it in zip(games, positions, strict=True)]


def sensible_moves(position: Position) -> list[int]:
    """Legal moves that fill no own eye; no pass."""
    return [
        it
        for it in position.legal_points()
        if not tactics.is_eye(position.state, it, position.turn)
    ]


def elo(score: float) -> float:
    """Elo points of who scores so much against another; without end for all or nothing."""
    if score <= 0 or score >= 1:
        return math.copysign(math.inf, score - 0.5)
    return -400 * math.log10(1 / score - 1)
