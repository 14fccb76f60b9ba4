"""Which columns matter, and what is predicted where."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

ROWS = 2000  # that are shuffled, at most
GRID = 120  # points a side of a picture


def permutation_importance(
    losses: Callable[[np.ndarray, np.ndarray], np.ndarray],
    features: np.ndarray,
    columns: Mapping[str, Any],
    repeats: int,
) -> pd.DataFrame:
    """How much worse predictions get when a column's values are dealt to other rows.

    After Breiman 2001, "Random Forests", section 10. Columns that say the same thing take each
    other's place, and both seem to matter little.

    Args:
        losses: features and which rows they are of -> the loss of each.
        features: shape (rows, columns); of more than 2,000 rows so many are drawn.
        columns: their names, in order.
        repeats: shufflings of each column.

    Returns:
        column, importance (mean rise of the mean loss), low and high (of the repeats); the largest
        first.
    """
    chance = np.random.default_rng(0)
    rows = np.arange(len(features))
    if len(rows) > ROWS:
        rows = np.sort(chance.choice(rows, ROWS, replace=False))
    known = np.asarray(features[rows])
    base = losses(known, rows).mean()
    records = []
    for place, name in enumerate(columns):
        rises = []
        for _ in range(repeats):
            changed = known.copy()
            changed[:, place] = chance.permutation(known[:, place])
            rises.append(float(losses(changed, rows).mean() - base))
        records.append((name, float(np.mean(rises)), min(rises), max(rises)))
    table = pd.DataFrame(records, columns=["column", "importance", "low", "high"])
    return table.sort_values("importance", ascending=False, kind="stable", ignore_index=True)


def plane(
    features: np.ndarray, places: tuple[int, int], columns: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows that differ in two columns only, on a grid over what these are in the data.

    The others are as they are in the middle of all rows: medians, the most frequent category.

    Returns:
        The values of the two columns, shape (GRID,) each, and features, shape (GRID * GRID,
        columns), row by row of the second one.
    """
    usual = np.empty(len(columns), np.float32)
    for place, column in enumerate(columns.values()):
        values = features[:, place]
        there = values[np.isfinite(values)]
        if column["type"] == "category":
            usual[place] = np.bincount(there.astype(int)).argmax()
        else:
            usual[place] = np.median(there) if len(there) else np.nan
    axes = [_stretch(features[:, place]) for place in places]
    grid = np.tile(usual, (GRID * GRID, 1))
    across, up = np.meshgrid(*axes)
    grid[:, places[0]], grid[:, places[1]] = across.ravel(), up.ravel()
    return axes[0], axes[1], grid


def _stretch(values: np.ndarray) -> np.ndarray:
    low, high = np.nanquantile(values, [0.005, 0.995])
    margin = 0.05 * (high - low) or 1.0
    return np.linspace(low - margin, high + margin, GRID, dtype=np.float32)
