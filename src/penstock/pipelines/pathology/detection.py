"""Finding one class among the others: areas under curves, and a threshold for a sensitivity."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn import config_context
from sklearn.metrics import (
    average_precision_score,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

from ...evaluation.grouped import group_intervals, share_without_exception
from .params import FEW, NOT_CHOSEN, TOO_FEW

ROUNDING = 1e-9


def areas(scores: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> tuple[float, float]:
    """Areas under the ROC curve and under precision over recall (average precision).

    NaN if no example with a weight is positive, or none is not.
    """
    if len(np.unique(positive[weights > 0])) < 2:
        return float("nan"), float("nan")
    return (
        float(roc_auc_score(positive, scores, sample_weight=weights)),
        float(average_precision_score(positive, scores, sample_weight=weights)),
    )


@dataclass(frozen=True)
class Threshold:
    """A threshold, and how sure it is.

    Attributes:
        value: `score >= value` counts as found.
        low: lower end of its 95 % interval, by bootstrap of groups; NaN if it was not chosen.
        high: upper end, likewise.
        note: what it was chosen on, and whether that is enough.
    """

    value: float
    low: float
    high: float
    note: str


def choose_threshold(
    scores: np.ndarray, positive: np.ndarray, groups: np.ndarray, sensitivity: float, resamples: int
) -> Threshold:
    """Choose the highest threshold that finds a share of the positives; 0.5 where they are few.

    Args:
        scores: of examples to choose by, shape (examples,).
        positive: which of them are to be found.
        groups: group of each.
        sensitivity: the share.
        resamples: of the bootstrap.
    """
    found = int(positive.sum())
    counts = f"{found} positive and {len(positive) - found} negative validation examples"
    fewest = min(found, len(positive) - found)
    if fewest < TOO_FEW:
        note = f"not chosen: {counts} are too few (fewer than {TOO_FEW} of a kind)"
        return Threshold(NOT_CHOSEN, float("nan"), float("nan"), note)
    value = highest_threshold(scores, positive, np.ones(len(scores)), sensitivity)
    interval = group_intervals(
        lambda weights: {"it": highest_threshold(scores, positive, weights, sensitivity)},
        groups,
        resamples,
    )["it"]
    unsure = f"; uncertain, for want of {FEW} of each kind" if fewest < FEW else ""
    note = f"chosen on {counts}{unsure}"
    return Threshold(value, *interval, note)


def highest_threshold(
    scores: np.ndarray, positive: np.ndarray, weights: np.ndarray, sensitivity: float
) -> float:
    """The highest threshold at which `score >= threshold` finds this share of the positives.

    NaN if there are none.
    """
    order = np.argsort(-scores[positive], kind="stable")
    found, weight = scores[positive][order], weights[positive][order]
    if not weight.sum():
        return float("nan")
    reached = np.cumsum(weight) / weight.sum() >= sensitivity - ROUNDING
    return float(found[np.argmax(reached)])


def evaluate_detection(
    probabilities: np.ndarray,
    labels: np.ndarray,
    groups: np.ndarray,
    positive: int,
    threshold: float,
    resamples: int,
) -> dict[str, float]:
    """Metrics of a classifier that is to find one class, with intervals by bootstrap of groups.

    Args:
        probabilities: shape (examples, classes).
        labels: true class of each.
        groups: group of each.
        positive: the class to find.
        threshold: its least probability that counts as found.
        resamples: of the bootstrap.

    Returns:
        `test/...`: accuracy, roc_auc (of more than two classes the mean of each against the
        rest), pr_auc, sensitivity and specificity, with `_low` and `_high`. What the examples
        leave undefined is left out.
    """
    classes = range(probabilities.shape[1]) if probabilities.shape[1] > 2 else [positive]
    sought = labels == positive
    found = probabilities[:, positive] >= threshold
    shares = {
        "accuracy": (probabilities.argmax(1) == labels, np.ones(len(labels), bool)),
        "sensitivity": (found, sought),
        "specificity": (~found, ~sought),
    }

    def measure(weights: np.ndarray) -> dict[str, float]:
        found_areas = {one: areas(probabilities[:, one], labels == one, weights) for one in classes}
        numbers = {
            "roc_auc": float(np.mean([roc for roc, _ in found_areas.values()])),
            "pr_auc": found_areas[positive][1],
        }
        for name, (right, of) in shares.items():
            total = float(weights[of].sum())
            numbers[name] = float(weights[right & of].sum()) / total if total else float("nan")
        return numbers

    values = measure(np.ones(len(labels)))
    with config_context(assume_finite=True, skip_parameter_validation=True):  # as just seen
        intervals = group_intervals(measure, groups, resamples)
    for name, (_, of) in shares.items():
        if values[name] in (0, 1):
            intervals[name] = share_without_exception(values[name], groups[of])
    metrics: dict[str, float] = {}
    for name in ("accuracy", "roc_auc", "pr_auc", "sensitivity", "specificity"):
        low, high = intervals[name]
        metrics |= {f"test/{name}": values[name], f"test/{name}_low": low}
        metrics[f"test/{name}_high"] = high
    return {name: value for name, value in metrics.items() if np.isfinite(value)}


def roc_table(scores: np.ndarray, positive: np.ndarray) -> pd.DataFrame:
    """Sensitivity against the share of false alarms, over all thresholds."""
    false, true, _ = roc_curve(positive, scores)
    return pd.DataFrame({"false positive rate": false, "sensitivity": true})


def precision_recall_table(scores: np.ndarray, positive: np.ndarray) -> pd.DataFrame:
    """Precision against sensitivity, over all thresholds."""
    precision, recall, _ = precision_recall_curve(positive, scores, drop_intermediate=True)
    return pd.DataFrame({"sensitivity": recall, "precision": precision})
