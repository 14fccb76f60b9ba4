"""Finding one class among the others: areas under curves, and a threshold for a sensitivity."""

import numpy as np
import pandas as pd
from sklearn.metrics import (
    average_precision_score,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

from ...evaluation.grouped import group_intervals, share_without_exception


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


def choose_threshold(scores: np.ndarray, positive: np.ndarray, sensitivity: float) -> float:
    """The highest threshold at which `score >= threshold` finds this share of the positives.

    NaN if there are none.
    """
    found = np.sort(scores[positive])[::-1]
    if not len(found):
        return float("nan")
    reached = np.arange(1, len(found) + 1) / len(found) >= sensitivity
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
        threshold: its least probability that counts as found; NaN if none could be chosen.
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
        "sensitivity": (found, sought & np.isfinite(threshold)),
        "specificity": (~found, ~sought & np.isfinite(threshold)),
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
