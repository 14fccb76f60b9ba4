"""Is one model worse than another? Answered on the same test examples."""

import hashlib
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..pipeline import Score
from .metrics import CONFIDENCE


class Difference(NamedTuple):
    """How much better one model is than another: above 0, it is.

    Attributes:
        mean: of the per-example differences.
        low: lower end of its 95 % interval; NaN if nothing can be said.
        high: upper end, likewise.
        units: how many the interval rests on.
    """

    mean: float
    low: float
    high: float
    units: int

    def __str__(self) -> str:
        """Say it in words, or why nothing can be said."""
        if np.isnan(self.mean):
            return "some have no score"
        if self.units < 2:
            return "one unit says nothing of others"
        ends = f"{self.low:+.4f} to {self.high:+.4f}, by {self.units:,} units"
        return f"{self.mean:+.4f} (95 %: {ends})"


def score_digest(score: Score, outcome: Callable[..., Any]) -> str:
    """SHA-256 of what a score means: its description, and the module that computes it."""
    code = inspect.getsource(inspect.getmodule(outcome))  # type: ignore[arg-type]
    return hashlib.sha256(f"{score}\n{code}".encode()).hexdigest()


def compare(ours: pd.DataFrame, theirs: pd.DataFrame, score: Score) -> Difference:
    """Compare the per-example scores of two models, `id` by `id`.

    An example that the other model has no number for leaves nothing to say.
    """
    both = ours.merge(theirs[["id", score.column]], "left", "id", suffixes=("", "_theirs"))
    sign = 1 if score.higher_is_better else -1
    return paired_difference(
        sign * both[score.column].to_numpy(np.float64),
        sign * both[f"{score.column}_theirs"].to_numpy(np.float64),
        both[score.unit if score.unit in both else "id"].to_numpy(),
        score.span,
    )


def paired_difference(
    ours: np.ndarray, theirs: np.ndarray, units: np.ndarray, span: float = 1.0
) -> Difference:
    """Compare two models' scores on the same examples by what whole units tell.

    Examples of a unit, a patient's say, are alike, and chance decides which units there are. So the
    interval is Student's with a degree of freedom less than units, from the variance of a mean
    over clusters (Cameron and Miller 2015, "A Practitioner's Guide to Cluster-Robust Inference").
    That alone would be sure of itself where no unit differs, or few do. So the variance counts two
    units more, one that each model wins by as much as any unit shows, or by the span of the score
    if none differs (after Bonett and Price 2012, who add a pair to each side of paired
    proportions).

    Args:
        ours: score per example, shape (examples,); more is better.
        theirs: score per example, in the same order.
        units: name of each example's unit.
        span: how far apart two scores of an example can be.

    Returns:
        The difference; without an interval if there is one unit only, or a score is NaN.
    """
    from scipy.stats import t  # slow to import

    member, names = pd.factorize(units, use_na_sentinel=False)
    count = len(names)
    total, size = np.bincount(member, ours - theirs), np.bincount(member)
    mean = float(total.sum() / size.sum())
    if count < 2 or np.isnan(mean):
        return Difference(mean, np.nan, np.nan, count)
    furthest = np.abs(total).max() or span * size.mean()
    squares = np.square(total - mean * size).sum() + 2 * furthest**2
    error = np.sqrt(squares * (count + 2) / (count + 1)) / (size.mean() * (count + 2))
    half = float(t.ppf((1 + CONFIDENCE) / 2, count - 1) * error)
    return Difference(mean, mean - half, mean + half, count)
