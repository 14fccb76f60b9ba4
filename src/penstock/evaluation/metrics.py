"""Numbers that say how good a classifier is, with how sure they are."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

CONFIDENCE = 0.95
BINS = 15  # of the reliability diagram, as in Guo et al. 2017


def proportion_interval(correct: int, total: int) -> tuple[float, float]:
    """95 % interval of a proportion (Wilson 1927), honest near 0 and 1."""
    from scipy.stats import binomtest  # slow to import

    interval = binomtest(correct, total).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def mean_interval(values: np.ndarray) -> tuple[float, float]:
    """95 % interval of a mean of independent values (Student 1908)."""
    from scipy.stats import ttest_1samp  # slow to import

    interval = ttest_1samp(values, 0.0).confidence_interval(CONFIDENCE)
    return float(interval.low), float(interval.high)


def per_class(labels: np.ndarray, predicted: np.ndarray, classes: Sequence[str]) -> pd.DataFrame:
    """Precision, recall, F1 and number of examples of each class."""
    scores = precision_recall_fscore_support(
        labels, predicted, labels=range(len(classes)), zero_division=0.0
    )
    names = ("precision", "recall", "f1", "examples")
    return pd.DataFrame({"class": list(classes), **dict(zip(names, scores, strict=True))})


def confusion(labels: np.ndarray, predicted: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Count of examples of each class (rows) predicted as each class (columns)."""
    counts: np.ndarray = confusion_matrix(labels, predicted, labels=range(len(classes)))
    return counts


def reliability(confidence: np.ndarray, correct: np.ndarray) -> pd.DataFrame:
    """Confidence against accuracy in equal-width bins (Guo et al. 2017).

    Returns:
        A row per bin that has examples: confidence (mean), accuracy, examples.
    """
    bins = np.minimum((confidence * BINS).astype(int), BINS - 1)
    frame = pd.DataFrame({"bin": bins, "confidence": confidence, "accuracy": correct})
    grouped = frame.groupby("bin")
    table = grouped[["confidence", "accuracy"]].mean()
    table["examples"] = grouped.size()
    return table.reset_index(drop=True)


def calibration_error(table: pd.DataFrame) -> float:
    """Expected calibration error: mean gap of `reliability`'s bins, weighted by examples."""
    gaps = (table["confidence"] - table["accuracy"]).abs()
    return float((gaps * table["examples"]).sum() / table["examples"].sum())
