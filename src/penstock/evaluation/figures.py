"""Figures that people look at first. Colour-blind safe, readable in a report."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#0b5cad", "#d95f02", "#8a8f98"

mpl.rcParams.update({"axes.spines.top": False, "axes.spines.right": False, "font.size": 9})
mpl.rcParams["text.parse_math"] = False  # a class or title may have $ in it


def curves(history: pd.DataFrame, names: Sequence[str], x: str = "epoch") -> Figure:
    """Training against validation over the epochs, an axis for each of `names` (loss, ...)."""
    figure = Figure(figsize=(4.2 * len(names), 3), layout="constrained")
    for axis, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        for split, colour in (("train", GREY), ("val", BLUE)):
            if f"{split}/{name}" in history:
                axis.plot(history[x], history[f"{split}/{name}"], color=colour, label=split)
        axis.set(xlabel=x, ylabel=name)
        axis.legend(frameon=False)
    return figure


def confusion_figure(counts: np.ndarray, classes: Sequence[str]) -> Figure:
    """Counts per true (row) and predicted (column) class; mistakes coloured by their share."""
    size = max(3.5, 0.42 * len(classes) + 1)
    figure = Figure(figsize=(size, size), layout="constrained")
    axis = figure.subplots()
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    mistakes = np.where(np.eye(len(classes), dtype=bool), 0, shares)
    axis.imshow(mistakes, cmap="Oranges", vmin=0, vmax=max(0.05, mistakes.max()))
    for (row, column), count in np.ndenumerate(counts):
        if count:
            weight = "bold" if row == column else "normal"
            dark = mistakes[row, column] > 0.6 * max(0.05, mistakes.max())
            axis.text(
                column,
                row,
                str(count),
                ha="center",
                va="center",
                fontsize=7,
                weight=weight,
                color="white" if dark else "black",
            )
    axis.set(xlabel="predicted", ylabel="true")
    axis.set_xticks(range(len(classes)), classes)
    axis.set_yticks(range(len(classes)), classes)
    return figure


def reliability_figure(table: pd.DataFrame) -> Figure:
    """Accuracy against confidence; on the diagonal the model knows what it knows."""
    figure = Figure(figsize=(3.8, 3.5), layout="constrained")
    axis = figure.subplots()
    axis.plot([0, 1], [0, 1], color=GREY, linestyle=":")
    sizes = 20 + 200 * table["examples"] / table["examples"].max()
    axis.scatter(table["confidence"], table["accuracy"], s=sizes, color=BLUE, alpha=0.7)
    axis.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1.03), ylim=(0, 1.03))
    return figure


def line_figure(table: pd.DataFrame, x: str, y: str, low: str, high: str) -> Figure:
    """One curve with its interval."""
    figure = Figure(figsize=(4.6, 3), layout="constrained")
    axis = figure.subplots()
    axis.fill_between(table[x], table[low], table[high], color=BLUE, alpha=0.15, linewidth=0)
    axis.plot(table[x], table[y], color=BLUE, marker="o", markersize=4)
    axis.set(xlabel=x, ylabel=y, ylim=(min(0.9, table[[y, low]].min().min() - 0.02), 1.005))
    return figure


def band(table: pd.DataFrame, x: str, y: str, low: str, high: str) -> Figure:
    """Predictions against the truth, with the range most lie in; the dotted line is the truth."""
    figure = Figure(figsize=(3.8, 3.5), layout="constrained")
    axis = figure.subplots()
    axis.plot(table[x], table[x], color=GREY, linestyle=":")
    axis.fill_between(table[x], table[low], table[high], color=BLUE, alpha=0.15, linewidth=0)
    axis.plot(table[x], table[y], color=BLUE, marker="o", markersize=4)
    axis.set(xlabel=x, ylabel=y)
    return figure


def steps(table: pd.DataFrame, x: str, y: str, examples: str) -> Figure:
    """A number over bins of a count, on a logarithmic axis; how many examples each has."""
    figure = Figure(figsize=(4.6, 3), layout="constrained")
    axis = figure.subplots()
    axis.plot(table[x].clip(lower=1), table[y], color=BLUE, marker="o", markersize=4)
    for place, height, count in zip(table[x].clip(lower=1), table[y], table[examples], strict=True):
        axis.annotate(f"{count:,}", (place, height), (0, 6), textcoords="offset points", fontsize=7)
    axis.set(xlabel=x, ylabel=y, xscale="log")
    axis.margins(y=0.2)
    return figure


def operating_curve(
    table: pd.DataFrame, x: str, y: str, chance: pd.DataFrame, point: tuple[float, float] | None
) -> Figure:
    """A curve over all thresholds, beside what chance gives, with the operating point."""
    figure = Figure(figsize=(3.8, 3.5), layout="constrained")
    axis = figure.subplots()
    axis.plot(chance[x], chance[y], color=GREY, linestyle=":")
    axis.plot(table[x], table[y], color=BLUE)
    if point is not None:
        axis.plot(*point, color=ORANGE, marker="o", linestyle="none", label="operating point")
        axis.legend(frameon=False, loc="lower center")
    axis.set(xlabel=x, ylabel=y, xlim=(-0.02, 1.03), ylim=(-0.02, 1.03))
    return figure


def gallery(images: np.ndarray, captions: Sequence[str], marked: Sequence[bool]) -> Figure:
    """A sheet of grey or colour images with captions; marked ones in orange."""
    columns = min(10, max(1, len(images)))
    rows = max(1, -(-len(images) // columns))
    figure = Figure(figsize=(columns * 0.95, rows * 1.2), layout="constrained")
    for axis in figure.subplots(rows, columns, squeeze=False).flat:
        axis.set_axis_off()
    for axis, image, caption, mark in zip(figure.axes, images, captions, marked, strict=False):
        axis.imshow(image, cmap="gray", vmin=0, vmax=255)
        axis.set_title(caption, fontsize=7, color=ORANGE if mark else "black")
    return figure


def spectrogram(decibels: np.ndarray) -> Figure:
    """One spectrogram, shape (bands, frames): low bands at the bottom, time to the right."""
    figure = Figure(figsize=(2.6, 1.5), layout="constrained")
    axis = figure.subplots()
    axis.imshow(decibels, origin="lower", aspect="auto", cmap="magma")
    axis.set_axis_off()
    return figure
