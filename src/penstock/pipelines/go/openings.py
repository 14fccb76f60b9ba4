"""Openings that are open: random first moves after which playouts favour neither much."""

import numpy as np

from ...kinds.games import preparation
from ...kinds.games.compiled import playouts
from ...kinds.games.points import place_of
from ...kinds.games.position import Position, Rules
from ...kinds.games.thinking import hand_made

PLAYOUTS = 256  # by which an opening is judged
UNEVEN = 0.3  # share of them that either must win, at least
TRIES = 200  # in a row that are not open: the rules leave none

Opening = tuple[tuple[int, int], ...]


def draw_openings(
    rules: Rules, moves: int, count: int, seed: int, known: set[Opening]
) -> list[Opening]:
    """Draw openings that differ from each other, and from those known, which they are added to.

    Where the rules favour one colour whatever is played (small boards, an odd komi), the evenest
    of TRIES is taken. May find fewer than `count` where there are no more.
    """
    preparation.prepare()
    chance = np.random.default_rng(seed)
    found: list[Opening] = []
    while len(found) < count:
        best: tuple[float, Opening] | None = None
        for _ in range(TRIES):
            drawn = _draw(rules, moves, chance)
            if drawn is None or (opening := tuple(drawn.moves)) in known:
                continue
            share = black_share(drawn, int(chance.integers(2**31)))
            evenness = min(share, 1 - share)
            if best is None or evenness > best[0]:
                best = evenness, opening
            if evenness >= UNEVEN:
                break
        if best is None:
            break
        known.add(best[1])
        found.append(best[1])
    return found


def _draw(rules: Rules, moves: int, chance: np.random.Generator) -> Position | None:
    """Random moves off the edge, where there is room, each near enough to be a game."""
    position = Position(rules)
    edge = 1 if rules.size >= 7 else 0
    for _ in range(moves):
        points = [
            it
            for it in position.legal_points()
            if all(edge <= line < rules.size - edge for line in place_of(it))
        ]
        if not points:
            return None
        position.play(int(chance.choice(points)))
    return position


def black_share(position: Position, seed: int) -> float:
    """Share of playouts that black wins from a position; a draw is half."""
    margins = np.zeros(PLAYOUTS, np.int32)
    playouts.sample_ends(position.state, PLAYOUTS, seed, hand_made(), margins)
    komi = position.rules.komi
    return float((margins > komi).mean() + (margins == komi).mean() / 2)
