"""Precision against recall, class by class."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ...evaluation import exhibits
from .average_precision import RECALLS
from .coco_metrics import CocoMeasures
from .counting import Counts
from .drawing import colour_of

SHOWN = 12  # classes of a figure, those with most objects


def curves(coco: CocoMeasures, classes: Sequence[str]) -> pd.DataFrame:
    """Precision at each recall, at an IoU of 0.5, a row for each class and recall."""
    precision = coco.precision[0, :, :, 0]
    return pd.DataFrame(
        {
            "class": np.repeat(list(classes), len(RECALLS)),
            "recall": np.tile(RECALLS, len(classes)),
            "precision": precision.T.flatten(),
        }
    ).dropna()


def precision_recall(
    coco: CocoMeasures, counts: Counts, classes: Sequence[str]
) -> exhibits.Picture:
    """Draw the curves of the classes, and the point of each that is counted by."""
    figure = Figure(figsize=(4.6, 3.6), layout="constrained")
    axis = figure.subplots()
    at = counts.table()
    for label in sorted(np.argsort(-coco.objects[:, 0], kind="stable")[:SHOWN]):
        colour = colour_of(int(label))
        axis.plot(RECALLS, coco.precision[0, :, label, 0], color=colour, label=classes[label])
        axis.plot(at["recall"][label], at["precision"][label], "o", color=colour)
    axis.set(xlabel="recall", ylabel="precision", xlim=(0, 1.03), ylim=(0, 1.03))
    axis.legend(frameon=False, loc="lower left")
    return exhibits.figure(
        "Precision and recall",
        figure,
        "How many of the boxes are right (IoU of 0.5 or more), against how many of the objects "
        f"they find. The dots are at a confidence of {counts.confidence:g}.",
    )
