"""Pictures of what was learned: how fast, what each place is worth, and where to go from it."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ...evaluation.figures import BLUE, GREY, ORANGE
from .drawing import ROUND, STOPS
from .tables import Tables

# Which way the actions of an environment lead: columns to the right, rows down.
WAYS = {
    **{"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)},
    **{"west": (-1, 0), "east": (1, 0), "north": (0, -1), "south": (0, 1)},
}
LETTERED = 16  # places in a row: with more of them there is no room for letters


def learning_curve(steps: np.ndarray, returns: np.ndarray, best: float) -> Figure:
    """Return over the steps that were played: the median of the runs, and where all of them lie.

    Args:
        steps: in the environments of a run, (points,).
        returns: of each run, (points, runs).
        best: the largest that can be expected.
    """
    figure = Figure(figsize=(5.6, 3.2), layout="constrained")
    axis = figure.subplots()
    lowest, highest = returns.min(1), returns.max(1)
    axis.fill_between(steps, lowest, highest, color=BLUE, alpha=0.15, linewidth=0)
    axis.plot(steps, np.median(returns, 1), color=BLUE)
    axis.axhline(best, color=ORANGE, linestyle=":", label="the best there is")
    axis.set(xlabel="steps in the environments of a run", ylabel="return on validation")
    axis.legend(frameon=False, loc="lower right")
    return figure


def place_maps(
    lines: list[str],
    tables: Tables,
    values: np.ndarray,
    given_away: np.ndarray,
    actions: list[str],
) -> Figure:
    """What each place of a map is worth and where to go; and what is given away from there.

    Args:
        lines: of the map.
        tables: the environment on it.
        values: that were learned, (states, actions).
        given_away: how much less than the best can be expected, (states,).
        actions: their names.
    """
    shape = len(lines), len(lines[0])
    entered = tables.entered()
    size = min(4.5, 1.4 + 0.32 * shape[1])
    figure = Figure(
        figsize=(2 * size + 1.6, size * shape[0] / shape[1] + 0.9), layout="constrained"
    )
    left, right = figure.subplots(1, 2)
    worth = np.where(entered, values.max(1), np.nan).reshape(shape)
    lost = np.where(entered, given_away, np.nan).reshape(shape)
    for axis, shown, title, colours in (
        (left, worth, "value learned", "viridis"),
        (right, lost, "return given away", "Oranges"),
    ):
        lowest = 0 if colours == "Oranges" else None
        highest = max(np.nanmax(shown), 1e-3) if colours == "Oranges" else None
        image = axis.imshow(shown, cmap=colours, vmin=lowest, vmax=highest)
        figure.colorbar(image, shrink=0.8)
        axis.set_title(title, fontsize=9)
        axis.set_axis_off()
        if shape[1] <= LETTERED:
            _letters(axis, lines, entered.reshape(shape))
    _arrows(left, np.where(entered, values.argmax(1), -1).reshape(shape), actions)
    return figure


def _letters(axis: Axes, lines: list[str], entered: np.ndarray) -> None:
    for row, line in enumerate(lines):
        for column, letter in enumerate(line):
            if letter in "SHCG" and (letter == "S" or not entered[row, column]):
                at = (column - 0.42, row + 0.4) if letter == "S" else (column - 0.15, row + 0.15)
                axis.text(*at, letter, fontsize=7, color="white" if letter == "S" else GREY)


def _arrows(axis: Axes, chosen: np.ndarray, actions: list[str]) -> None:
    """Arrows where actions lead somewhere, a ring where something is done on the spot."""
    ways = np.array([WAYS.get(it, (0, 0)) for it in actions])
    rows, columns = np.nonzero(chosen >= 0)
    across, down = ways[chosen[rows, columns]].T
    moves = (across != 0) | (down != 0)
    axis.quiver(
        *(columns[moves], rows[moves], across[moves], down[moves]),
        angles="xy",
        scale_units="xy",
        scale=1.8,
        pivot="mid",
        color="white",
        width=0.012,
        edgecolor="black",
        linewidth=0.4,
    )
    axis.scatter(columns[~moves], rows[~moves], s=30, facecolor="none", edgecolor="white")


def town_maps(values: np.ndarray, actions: list[str]) -> Figure:
    """Where the taxi goes: to who waits at each stop, and with who rides to each.

    Args:
        values: that were learned, (states, actions); gymnasium's order of states.
        actions: their names.
    """
    stops = list(STOPS)
    town = values.reshape(ROUND, ROUND, len(stops) + 1, len(stops), -1)
    figure = Figure(figsize=(8.4, 4.4), layout="constrained")
    panels: Any = figure.subplots(2, len(stops))
    for number, stop in enumerate(stops):
        waiting = town[:, :, number, (number + 1) % len(stops)]
        riding = town[:, :, len(stops), number]
        for axis, shown, title in (
            (panels[0, number], waiting, f"somebody waits at {stop}"),
            (panels[1, number], riding, f"somebody rides to {stop}"),
        ):
            axis.imshow(shown.max(2), cmap="viridis", vmin=values.min() / 2, vmax=values.max())
            _arrows(axis, shown.argmax(2), actions)
            axis.set_title(title, fontsize=8)
            axis.set_axis_off()
    return figure
