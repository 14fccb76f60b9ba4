"""Pictures of a game: boards with what a model thinks of them, and the course of its hopes."""

import io
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...kinds.games.compiled.layout import BLACK, PASS
from ...kinds.games.points import LETTERS, place_of
from ...kinds.games.position import Position
from .analysis import Analysis

WOOD, LINES = "#e3c48f", "#6b5530"
SHOWN = 8  # moves that are marked


def draw_board(
    axis: Axes, position: Position, analysis: Analysis | None = None, what: str = ""
) -> None:
    """Draw stones; the last move has a dot.

    Args:
        axis: to draw on.
        position: whose stones.
        analysis: what is thought of it.
        what: of that: `moves`, `owners`, or nothing.
    """
    size, stones = position.size, position.stones()
    axis.set_facecolor(WOOD)
    for line in range(size):
        axis.plot([0, size - 1], [line, line], color=LINES, linewidth=0.6, zorder=1)
        axis.plot([line, line], [0, size - 1], color=LINES, linewidth=0.6, zorder=1)
    if analysis is not None and what == "owners":
        _draw_owners(axis, analysis.owners)
    for (row, column), stone in np.ndenumerate(stones):
        if stone:
            colour = "black" if stone == BLACK else "white"
            axis.scatter(
                column, row, s=_area(size), color=colour, edgecolor="black", linewidth=0.6, zorder=3
            )
    if position.moves and position.moves[-1][1] != PASS:
        row, column = place_of(position.moves[-1][1])
        axis.scatter(column, row, s=_area(size) / 8, color="#d62728", zorder=4)
    if analysis is not None and what == "moves":
        _draw_moves(axis, analysis, size)
    axis.set(xlim=(-0.7, size - 0.3), ylim=(size - 0.3, -0.7), aspect="equal")
    axis.set_xticks(range(size), list(LETTERS[:size]), fontsize=6)
    axis.set_yticks(range(size), [str(size - it) for it in range(size)], fontsize=6)
    axis.tick_params(length=0)


def _area(size: int) -> float:
    """Of a stone, in square points, on an axis of about three inches."""
    return float((160 / size) ** 2)


def _draw_owners(axis: Axes, owners: np.ndarray) -> None:
    for (row, column), owner in np.ndenumerate(owners):
        axis.scatter(
            column,
            row,
            marker="s",
            s=_area(len(owners)) * 1.1,
            color="black" if owner > 0 else "white",
            alpha=min(0.75, float(abs(owner)) * 0.75),
            linewidth=0,
            zorder=2,
        )


def _draw_moves(axis: Axes, analysis: Analysis, size: int) -> None:
    for point, share in list(zip(analysis.moves, analysis.shares, strict=True))[:SHOWN]:
        if point == PASS or share < 0.01:
            continue
        row, column = place_of(int(point))
        alpha = 0.25 + 0.65 * float(share)
        axis.scatter(column, row, s=_area(size), color="#1f77b4", alpha=alpha, zorder=2)
        axis.text(column, row, f"{share:.0%}"[:-1], fontsize=6, ha="center", va="center", zorder=5)


def draw_game(
    position: Position,
    shown: list[tuple[int, Position, Analysis]],
    hopes: np.ndarray | None = None,
) -> Figure:
    """Draw positions of a game, each with its moves and with who will own what, and the hopes.

    Args:
        position: the last of the game.
        shown: number of moves played, the position then, and what is thought of it.
        hopes: chance that black wins, before each move from the first and at the end.
    """
    rows = 1 + (hopes is not None)
    figure = Figure(figsize=(3.2 * 2 * len(shown), 3.4 * rows), layout="constrained")
    grid: Any = figure.add_gridspec(rows, 2 * len(shown))
    for number, (moves, it, thought) in enumerate(shown):
        for side, what in enumerate(("moves", "owners")):
            axis = figure.add_subplot(grid[0, 2 * number + side])
            draw_board(axis, it, thought, what)
            told = "share of the search, %" if what == "moves" else "who will own what"
            axis.set_title(f"after move {moves}: {told}", fontsize=8)
    if hopes is not None:
        axis = figure.add_subplot(grid[1, :])
        axis.plot(range(len(hopes)), hopes, color="#1f77b4")
        axis.axhline(0.5, color="grey", linewidth=0.6)
        axis.set(xlabel="move", ylabel="chance that black wins", ylim=(0, 1))
        axis.set_title(position.result(), fontsize=8)
    return figure


def to_png(figure: Figure) -> bytes:
    """The same figure gives the same bytes."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()
