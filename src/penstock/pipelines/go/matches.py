"""Matches: games from openings, each with both colours, many side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ...evaluation.metrics import proportion_interval
from ...kinds.games.compiled.layout import BLACK, WHITE
from ...kinds.games.position import Position, Rules
from .players import Player, elo

LONGEST = 3  # moves for each point of the board; what is unfinished then counts as it stands
SEEDS_APART = 7919  # of the two players of a game


@dataclass(frozen=True)
class Pairing:
    """A game to play.

    Attributes:
        opening: its moves, (colour, point).
        colour: of the first player.
        seed: of what chance there is.
    """

    opening: tuple[tuple[int, int], ...]
    colour: int
    seed: int


def play_games(
    rules: Rules,
    pairings: Sequence[Pairing],
    first: Player,
    second: Player,
    longest: int = LONGEST,
) -> list[Position]:
    """Play games to their end, all side by side; answer how they ended.

    Who plays against itself is both players.
    """
    if second is not first:
        second.begin([it.seed + SEEDS_APART for it in pairings])
    first.begin([it.seed for it in pairings])
    games = [Position(rules, moves=list(it.opening)) for it in pairings]
    most = longest * rules.size**2
    while True:
        playing = [
            number for number, it in enumerate(games) if not it.is_over and len(it.moves) < most
        ]
        if not playing:
            return games
        for player, acts in ((first, True), (second, False)):
            mine = [it for it in playing if (games[it].turn == pairings[it].colour) == acts]
            for number, move in zip(
                mine, player.choose(mine, [games[it] for it in mine]) if mine else [], strict=True
            ):
                games[number].play(move)
            # Who has moved does not move again in this round: the other's turn comes next.
            playing = [it for it in playing if it not in set(mine)]


def wins_of(games: Sequence[Position], pairings: Sequence[Pairing]) -> np.ndarray:
    """Whether the first player won: 1, 0, or 0.5 for a draw; float64, (games,)."""
    margins = np.array([it.margin() for it in games])
    black = np.array([it.colour == BLACK for it in pairings])
    return np.where(margins == 0, 0.5, (margins > 0) == black).astype(np.float64)


def both_colours(openings: Sequence[tuple[tuple[int, int], ...]], seed: int) -> list[Pairing]:
    """Each opening twice: the first player is black, then white."""
    return [
        Pairing(opening, colour, seed + 2 * number + (colour == WHITE))
        for number, opening in enumerate(openings)
        for colour in (BLACK, WHITE)
    ]


def summarize(wins: np.ndarray) -> dict[str, float]:
    """Win rate, Elo, and the 95 % intervals of both (Wilson 1927)."""
    low, high = proportion_interval(round(float(wins.sum())), len(wins))
    rate = float(wins.mean())
    return {
        "win_rate": rate,
        "win_rate_low": low,
        "win_rate_high": high,
        "elo": elo(rate),
        "elo_low": elo(low),
        "elo_high": elo(high),
        "games": len(wins),
    }


def match_table(rows: dict[str, np.ndarray]) -> pd.DataFrame:
    """What is said of matches: opponent -> wins of the first player."""
    told = []
    for name, wins in rows.items():
        it = summarize(wins)
        told.append(
            {
                "against": name,
                "games": len(wins),
                "win rate": f"{it['win_rate']:.3f}",
                "95 %": f"{it['win_rate_low']:.3f} to {it['win_rate_high']:.3f}",
                "Elo": _elo_text(it["elo"]),
                "Elo, 95 %": f"{_elo_text(it['elo_low'])} to {_elo_text(it['elo_high'])}",
            }
        )
    return pd.DataFrame(told)


def _elo_text(value: float) -> str:
    return f"{value:+.0f}" if np.isfinite(value) else ("more" if value > 0 else "less")
