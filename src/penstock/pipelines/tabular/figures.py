"""Pictures of what a model of a table does."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ...evaluation.figures import BLUE, GREY
from .plane import Plane

POINTS = 400  # rows drawn, at most


def importance_figure(table: pd.DataFrame, most: int = 15) -> Figure:
    """A bar for each column, with the range of its repeats."""
    shown = table.head(most)[::-1]
    figure = Figure(figsize=(5.2, 0.8 + 0.28 * len(shown)), layout="constrained")
    axis = figure.subplots()
    ends = [shown["importance"] - shown["low"], shown["high"] - shown["importance"]]
    axis.barh(shown["column"], shown["importance"], xerr=ends, color=BLUE, ecolor=GREY)
    axis.set(xlabel="rise of the loss when shuffled")
    return figure


def class_regions(
    plane: Plane, predicted: np.ndarray, labels: np.ndarray, classes: Sequence[str]
) -> Figure:
    """Which class is predicted where, and rows by their true class.

    Args:
        plane: two columns.
        predicted: label at each point of its grid, shape (points,).
        labels: true labels of its rows.
        classes: name of each label.
    """
    figure, axis = plane.draw_axes()
    colours = mpl.colormaps["tab20" if len(classes) > 10 else "tab10"]
    shades = colours(plane.as_image(predicted) % colours.N) * [1, 1, 1, 0.25]
    axis.imshow(shades, extent=plane.extent, origin="lower", aspect="auto")
    shown = labels[:POINTS]
    for label in np.unique(shown):
        x, y = plane.points[:POINTS][shown == label].T
        colour = colours(int(label) % colours.N)
        axis.scatter(x, y, s=14, color=colour, edgecolor="white", label=classes[label])
    if len(classes) <= 10:
        axis.legend(frameon=False, fontsize=7)
    return figure


def number_regions(plane: Plane, predicted: np.ndarray, target: np.ndarray) -> Figure:
    """Which number is predicted where, and rows by their true number; as `class_regions`."""
    figure, axis = plane.draw_axes()
    low, high = np.quantile(target, [0.01, 0.99])
    scale = {"vmin": low, "vmax": high, "cmap": "viridis"}
    image = plane.as_image(predicted)
    axis.imshow(image, extent=plane.extent, origin="lower", aspect="auto", alpha=0.6, **scale)
    x, y = plane.points[:POINTS].T
    drawn = axis.scatter(x, y, c=target[:POINTS], s=14, edgecolor="white", linewidth=0.5, **scale)
    figure.colorbar(drawn)
    return figure


def residual_figure(target: np.ndarray, predicted: np.ndarray) -> Figure:
    """Predictions against the truth, and how the errors are spread."""
    figure = Figure(figsize=(7.2, 3.2), layout="constrained")
    against, spread = figure.subplots(1, 2)
    shown = np.linspace(0, len(target) - 1, min(len(target), 2 * POINTS)).astype(int)
    ends = [target.min(), target.max()]
    against.plot(ends, ends, color=GREY, linestyle=":")
    against.scatter(target[shown], predicted[shown], s=10, color=BLUE, alpha=0.5)
    against.set(xlabel="true", ylabel="predicted")
    spread.hist(predicted - target, bins=30, color=BLUE)
    spread.axvline(0, color=GREY, linestyle=":")
    spread.set(xlabel="predicted - true", ylabel="rows")
    return figure
