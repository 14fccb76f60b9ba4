"""Is one model worse than another? Answered on the same test examples."""

import hashlib
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..pipeline import Mean, Score
from .metrics import CONFIDENCE

BLOCKS = 1000  # of units, at most, that are left out in turn


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
    """SHA-256 of what a score means: its description, and the modules that compute it."""
    statistic = score.statistic
    computed_by = (outcome, type(statistic) if isinstance(statistic, Mean) else statistic)
    code = [inspect.getsource(inspect.getmodule(it)) for it in computed_by]  # type: ignore[arg-type]
    named = statistic if isinstance(statistic, Mean) else statistic.__name__
    said = (score.metric, named, score.unit, score.span, score.higher_is_better)
    return hashlib.sha256("\n".join([str(said), *code]).encode()).hexdigest()


def exam_digest(exam: pd.DataFrame) -> str:
    """SHA-256 of questions, their raw inputs and their answers."""
    digest = hashlib.sha256()
    for column in exam:
        digest.update(str(column).encode())
        values = exam[column] if exam[column].dtype != object else exam[column].map(_hashable)
        digest.update(pd.util.hash_pandas_object(values, index=False).to_numpy().tobytes())
    return digest.hexdigest()


def _hashable(value: Any) -> Any:
    """What is in a list or an array, which pandas does not hash."""
    if isinstance(value, np.ndarray):
        return value.tobytes()
    return str(value) if isinstance(value, list) else value


def compare(ours: pd.DataFrame, theirs: pd.DataFrame, score: Score) -> Difference:
    """Compare the scores of two models, `id` by `id`.

    An example that the other model has no score for leaves nothing to say.
    """
    theirs = theirs.set_index("id").reindex(ours["id"]).reset_index()
    units = ours[score.unit if score.unit in ours else "id"].to_numpy()
    sign = 1 if score.higher_is_better else -1
    if isinstance(score.statistic, Mean):
        mine, other = (
            sign * it[score.statistic.column].to_numpy(np.float64) for it in (ours, theirs)
        )
        return paired_difference(mine, other, units, score.span)

    def gain(weights: np.ndarray) -> float:
        return sign * (score.statistic(ours, weights) - score.statistic(theirs, weights))

    return statistic_difference(gain, units, score.span)


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


def statistic_difference(
    gain: Callable[[np.ndarray], float], units: np.ndarray, span: float = 1.0
) -> Difference:
    """Compare by any statistic, as `paired_difference` does by a mean.

    Each unit is left out in turn, and what that changes is its share of the statistic: a
    pseudo-value, with which the units are compared as with means (jackknife; Tukey 1958; Efron and
    Tibshirani 1993, chapter 11). Many units are dealt into blocks that are left out as one.

    Args:
        gain: weight of each example -> how much better the first model is.
        units: name of each example's unit.
        span: how far apart two models can be on one example.

    Returns:
        The difference; without an interval if there is one unit only, or a statistic is NaN.
    """
    member, names = pd.factorize(units, use_na_sentinel=False)
    whole = float(gain(np.ones(len(units))))
    if len(names) < 2:
        return Difference(whole, np.nan, np.nan, len(names))
    blocks = min(len(names), BLOCKS)
    block = np.random.default_rng(0).permutation(len(names))[member] % blocks
    without = np.array([gain((block != it).astype(np.float64)) for it in range(blocks)])
    shares = blocks * whole - (blocks - 1) * without
    found = paired_difference(shares, np.zeros(blocks), np.arange(blocks), span)
    return found._replace(units=len(names))
