"""How sure a number is when examples come in groups: copies, tiles of a slide, one patient."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from .metrics import CONFIDENCE, proportion_interval

Statistic = Callable[[np.ndarray], dict[str, float]]


def group_intervals(
    statistic: Statistic, groups: np.ndarray, resamples: int, seed: int = 0
) -> dict[str, tuple[float, float]]:
    """95 % intervals by bootstrap over whole groups (percentiles; Davison & Hinkley 1997, 3.8).

    Examples of a group are alike, so to resample them one by one would make intervals too narrow.

    Args:
        statistic: numbers by name, of examples with these weights, shape (examples,); NaN where
            a resample leaves one undefined.
        groups: name of each example's group.
        resamples: how many.
        seed: of the resampling, so that it can be repeated.

    Returns:
        Low and high by name. One group says nothing of others: then NaN.
    """
    names, member = np.unique(groups, return_inverse=True)
    chance = np.random.default_rng(seed)
    draws = []
    for _ in range(resamples):
        times = np.bincount(chance.integers(len(names), size=len(names)), minlength=len(names))
        draws.append(statistic(times[member].astype(np.float64)))
    table = pd.DataFrame(draws, dtype=np.float64)
    if len(names) < 2:
        table[:] = np.nan
    tail = (1 - CONFIDENCE) / 2
    ends = table.quantile([tail, 1 - tail])
    return {str(name): (float(ends[name].iloc[0]), float(ends[name].iloc[1])) for name in ends}


def accuracy_interval(
    correct: np.ndarray, groups: np.ndarray, resamples: int
) -> tuple[float, float]:
    """95 % interval of an accuracy, by bootstrap of whole groups.

    Args:
        correct: whether each example is right.
        groups: name of each example's group.
        resamples: of the bootstrap.
    """
    if correct.min() == correct.max():
        return share_without_exception(float(correct[0]), groups)
    names, member = np.unique(groups, return_inverse=True)
    right, count = np.bincount(member, correct), np.bincount(member)
    intervals = group_intervals(
        lambda times: {"accuracy": float(times @ right / (times @ count))}, names, resamples
    )
    return intervals["accuracy"]


def accuracy_by_group(scores: pd.DataFrame) -> pd.DataFrame:
    """Examples, errors and accuracy of each group: scores have columns `group` and `correct`."""
    correct = scores.groupby("group")["correct"]
    table = pd.DataFrame({"examples": correct.size(), "accuracy": correct.mean().astype(float)})
    table.insert(1, "errors", table["examples"] - correct.sum().astype(int))
    return table.reset_index()


def share_without_exception(share: float, groups: np.ndarray) -> tuple[float, float]:
    """95 % interval of a share that is exactly 0 or 1 (Wilson), each group counting once.

    Resamples of examples that are all alike are all alike too, and would claim certainty.
    """
    count = len(np.unique(groups))
    return proportion_interval(round(share * count), count)
