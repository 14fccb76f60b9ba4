"""Two columns of a table, over which one looks at what is predicted."""

from collections.abc import Mapping
from typing import Any

import matplotlib.axes
import numpy as np
from matplotlib.figure import Figure

SIDE = 120  # points of the grid, across and up


class Plane:
    """A grid over two columns; all others are as they are in the middle of the rows.

    Attributes:
        points: the rows, shape (rows, 2).
        extent: least and largest value across and up.
    """

    def __init__(
        self, features: np.ndarray, names: tuple[str, str], columns: Mapping[str, Any]
    ) -> None:
        """Take over rows, shape (rows, columns), and which two of the columns to look at."""
        self.names = names
        self._places = [list(columns).index(name) for name in names]
        self.points = features[:, self._places]
        self._axes = [_stretch(values) for values in self.points.T]
        (left, *_, right), (bottom, *_, top) = (axis.tolist() for axis in self._axes)
        self.extent = left, right, bottom, top
        kinds = [column["type"] for column in columns.values()]
        self._usual = [_usual(*it) for it in zip(features.T, kinds, strict=True)]

    def grid(self) -> np.ndarray:
        """The features of each point, float32, shape (points, columns)."""
        rows = np.tile(np.array(self._usual, np.float32), (SIDE * SIDE, 1))
        rows[:, self._places] = np.stack(np.meshgrid(*self._axes), -1).reshape(-1, 2)
        return rows

    def as_image(self, values: np.ndarray) -> np.ndarray:
        """A value for each point as an image, shape (up, across)."""
        return values.reshape(SIDE, SIDE)

    def draw_axes(self) -> tuple[Figure, matplotlib.axes.Axes]:
        """An empty figure with the two columns as its axes."""
        figure = Figure(figsize=(5.2, 3.9), layout="constrained")
        axis = figure.subplots()
        left, right, bottom, top = self.extent
        axis.set(xlim=(left, right), ylim=(bottom, top))
        axis.set(xlabel=self.names[0], ylabel=self.names[1])
        return figure, axis


def _usual(values: np.ndarray, kind: str) -> float:
    """The median; of a category the most frequent one."""
    if kind == "category":
        return float(np.bincount(values.astype(int)).argmax())
    there = values[np.isfinite(values)]
    return float(np.median(there)) if len(there) else np.nan


def _stretch(values: np.ndarray) -> np.ndarray:
    low, high = np.nanquantile(values, [0.005, 0.995])
    margin = 0.05 * (high - low) or 1.0
    return np.linspace(low - margin, high + margin, SIDE, dtype=np.float32)
