"""What every classifier is asked: how often is it right, how sure is that, what does it confuse?"""

import numpy as np
import pandas as pd

from ..pipeline import Evaluation
from . import exhibits, figures, metrics
from .grouped import accuracy_interval


def evaluate_classes(
    scores: pd.DataFrame, classes: list[str], resamples: int | None = None
) -> Evaluation:
    """Evaluate a classifier by its scores (see predictions.outcome).

    A pipeline adds to the answer what is particular to it.

    Args:
        scores: a row per test example.
        classes: name of each label.
        resamples: of the bootstrap of whole groups that gives accuracy its interval; without it
            examples are independent, and the interval is Wilson's.
    """
    labels, predicted = scores["label"].to_numpy(), scores["predicted"].to_numpy()
    reliability = metrics.reliability(scores["confidence"].to_numpy(), scores["correct"].to_numpy())
    per_class = metrics.per_class(labels, predicted, classes)
    counts = metrics.confusion(labels, predicted, classes)
    return Evaluation(
        metrics={
            **measure_accuracy("accuracy", scores, resamples),
            "test/log_loss": float(scores["loss"].mean()),
            "test/macro_f1": float(per_class["f1"].mean()),
            "test/calibration_error": metrics.calibration_error(reliability),
            "test/examples": len(scores),
        },
        scores=scores,
        exhibits=[
            exhibits.figure(
                "Confusion matrix",
                figures.confusion_figure(counts, classes),
                "Rows are the truth, columns the prediction; colour marks mistakes by their share "
                "of the row.",
            ),
            exhibits.figure(
                "Calibration",
                figures.reliability_figure(reliability),
                "On the dotted line a confidence of 0.8 is right 8 times in 10; the larger a dot, "
                "the more examples.",
            ),
            exhibits.Table("Per class", per_class),
        ],
        plots={"reliability": reliability},
    )


def measure_accuracy(
    name: str, scores: pd.DataFrame, resamples: int | None = None
) -> dict[str, float]:
    """Accuracy with its interval: see `evaluate_classes`."""
    correct, total = scores["correct"].to_numpy(), len(scores)
    if resamples is None:
        interval = metrics.proportion_interval(int(correct.sum()), total)
    else:
        interval = accuracy_interval(correct, scores["group"].to_numpy(), resamples)
    return named_accuracy(name, int(correct.sum()) / total, *interval)


def named_accuracy(name: str, accuracy: float, low: float, high: float) -> dict[str, float]:
    """Metrics; without an interval where one group says nothing of others."""
    ends = {f"test/{name}_low": low, f"test/{name}_high": high}
    return {f"test/{name}": accuracy} | (ends if np.isfinite(low) else {})
