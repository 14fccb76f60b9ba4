"""What every classifier is asked: how often is it right, how sure is that, what does it confuse?"""

import pandas as pd

from ..pipeline import Evaluation
from . import figures, metrics


def evaluate_classes(scores: pd.DataFrame, classes: list[str]) -> Evaluation:
    """Evaluate a classifier by its per-example scores (see predictions.outcome).

    A pipeline adds to the answer what is particular to it.
    """
    labels, predicted = scores["label"].to_numpy(), scores["predicted"].to_numpy()
    reliability = metrics.reliability(scores["confidence"].to_numpy(), scores["correct"].to_numpy())
    per_class = metrics.per_class(labels, predicted, classes)
    correct, total = int(scores["correct"].sum()), len(scores)
    low, high = metrics.proportion_interval(correct, total)
    counts = metrics.confusion(labels, predicted, classes)
    return Evaluation(
        metrics={
            "test/accuracy": correct / total,
            "test/accuracy_low": low,
            "test/accuracy_high": high,
            "test/log_loss": float(scores["loss"].mean()),
            "test/macro_f1": float(per_class["f1"].mean()),
            "test/calibration_error": metrics.calibration_error(reliability),
            "test/examples": total,
        },
        scores=scores,
        figures={
            "Confusion matrix": figures.confusion_figure(counts, classes),
            "Calibration": figures.reliability_figure(reliability),
        },
        tables={"Per class": per_class},
        plots={"reliability": reliability},
        notes={
            "Confusion matrix": "Rows are the truth, columns the prediction; colour marks "
            "mistakes by their share of the row.",
            "Calibration": "On the dotted line a confidence of 0.8 is right 8 times in 10; the "
            "larger a dot, the more examples.",
        },
    )
