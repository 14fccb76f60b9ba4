"""Pictures of what a classifier of nodes does."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ...evaluation.figures import BLUE, GREY
from .raw import NO_LABEL

COLUMNS = 3  # neighbourhoods side by side
NEIGHBOURS = 24  # drawn of one node, at most


def colour_of(label: int) -> Any:
    """The colour of a class; grey if none is known."""
    return GREY if label == NO_LABEL else mpl.colormaps["tab20"](2 * label % 20 + label // 10 % 2)


def accuracy_figure(table: pd.DataFrame, by: str) -> Figure:
    """Accuracy of groups of nodes with its interval, and how many nodes each has.

    Args:
        table: group, accuracy, low, high, examples.
        by: what the groups go by.
    """
    figure = Figure(figsize=(4.6, 3), layout="constrained")
    axis = figure.subplots()
    ends = [table["accuracy"] - table["low"], table["high"] - table["accuracy"]]
    names = [f"{it.group}\n{it.examples:,}" for it in table.itertuples()]
    axis.errorbar(names, table["accuracy"], yerr=ends, color=BLUE, ecolor=GREY, marker="o")
    axis.set(xlabel=by, ylabel="accuracy", ylim=(0, 1.03))
    return figure


def surroundings_figure(
    nodes: Sequence[int],
    names: Sequence[str],
    neighbours: Mapping[int, Sequence[int]],
    labels: np.ndarray,
    probabilities: np.ndarray,
    classes: Sequence[str],
) -> Figure:
    """Some nodes, each with its neighbours in a circle around it.

    Args:
        nodes: their places in the graph.
        names: what each is called.
        neighbours: the neighbours of each.
        labels: of all nodes of the graph.
        probabilities: of all nodes, shape (nodes, classes).
        classes: name of each label.
    """
    rows = -(-len(nodes) // COLUMNS)
    figure = Figure(figsize=(7.2, 2.6 * rows), layout="constrained")
    for axis in figure.subplots(rows, COLUMNS, squeeze=False).flat:
        axis.set_axis_off()
        axis.set(xlim=(-1.5, 1.5), ylim=(-1.5, 1.5), aspect="equal")
    for axis, node, name in zip(figure.axes, nodes, names, strict=False):
        around = list(neighbours[node])[:NEIGHBOURS]
        angles = 2 * np.pi * np.arange(len(around)) / max(1, len(around))
        x, y = np.cos(angles), np.sin(angles)
        for end in zip(x, y, strict=True):
            axis.plot(*zip((0, 0), end, strict=True), color=GREY, linewidth=0.6, zorder=1)
        axis.scatter(x, y, s=40, color=[colour_of(labels[it]) for it in around], zorder=2)
        given = int(probabilities[node].argmax())
        axis.scatter([0], [0], s=130, color=colour_of(labels[node]), edgecolor=colour_of(given),
                     linewidth=3, zorder=3)  # fmt: skip
        more = len(neighbours[node]) - len(around)
        told = f"{name}, {more:,} more neighbours" if more else name
        said = f"given {classes[given]} ({probabilities[node, given]:.2f})"
        axis.set_title(f"{told}\n{classes[labels[node]]}, {said}", fontsize=7)
    if len(classes) <= 10:
        dots = [
            Line2D([], [], color=colour_of(it), marker="o", linestyle="")
            for it in range(len(classes))
        ]
        figure.legend(
            dots, classes, loc="outside lower center", ncols=10, frameon=False, fontsize=7
        )
    return figure
