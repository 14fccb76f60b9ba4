"""What every model of a number is asked: how far off is it, and how sure is that?"""

import numpy as np
import pandas as pd

from .grouped import group_intervals


def measure_errors(scores: pd.DataFrame, units: np.ndarray, resamples: int) -> dict[str, float]:
    """Errors with intervals by bootstrap of whole units, from each one's sums.

    Args:
        scores: `error`, how far each prediction is off, and `squared_error`.
        units: which rows belong together, a user's say.
        resamples: of the bootstrap.

    Returns:
        `test/rmse` and `test/mae`, each with its interval if there is one, and `test/mse`.
    """
    sums = scores.groupby(units)[["squared_error", "error"]].sum()
    sums["rows"] = scores.groupby(units).size()
    squared, error, rows = (sums[name].to_numpy(np.float64) for name in sums)

    def measure(weights: np.ndarray) -> dict[str, float]:
        total = weights @ rows
        return {
            "rmse": float(np.sqrt(weights @ squared / total)),
            "mae": float(weights @ error / total),
        }

    values = measure(np.ones(len(sums)))
    intervals = group_intervals(measure, sums.index.to_numpy(), resamples)
    metrics: dict[str, float] = {}
    for name, value in values.items():
        low, high = intervals[name]
        metrics |= {f"test/{name}": value, f"test/{name}_low": low, f"test/{name}_high": high}
    metrics["test/mse"] = values["rmse"] ** 2
    return {name: value for name, value in metrics.items() if np.isfinite(value)}
