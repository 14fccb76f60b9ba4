"""How many objects there are in an image, which is all that a count of blood cells asks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .average_precision import IGNORED, RIGHT, Truth, match
from .detections import Found


@dataclass(frozen=True)
class Counts:
    """Objects by image and class: what there is, what is found, and what of that is right.

    Attributes:
        classes: names.
        confidence: from which a detection is counted.
        objects: shape (images, classes), without crowds.
        found: likewise, without what lies in a crowd.
        right: likewise.
    """

    classes: Sequence[str]
    confidence: float
    objects: np.ndarray
    found: np.ndarray
    right: np.ndarray

    def error(self, weights: np.ndarray | None = None) -> float:
        """Mean absolute error of the count of a class in an image."""
        errors = np.abs(self.found - self.objects).mean(1)
        return float(np.average(errors, weights=weights))

    def precision(self) -> float:
        """Share of what is found that is right; 1 if nothing is found."""
        return float(self.right.sum() / self.found.sum()) if self.found.any() else 1.0

    def recall(self) -> float:
        """Share of the objects that are found; 1 if there are none."""
        return float(self.right.sum() / self.objects.sum()) if self.objects.any() else 1.0

    def table(self) -> pd.DataFrame:
        """A row per class."""
        off = self.found - self.objects
        return pd.DataFrame(
            {
                "class": list(self.classes),
                "objects": self.objects.sum(0),
                "found": self.found.sum(0),
                "precision": self.right.sum(0) / np.maximum(self.found.sum(0), 1),
                "recall": self.right.sum(0) / np.maximum(self.objects.sum(0), 1),
                "error": np.abs(off).mean(0),
                "with sign": off.mean(0),
                "exact": (off == 0).mean(0),
            }
        )


def count(
    truths: Sequence[Truth], found: Sequence[Found], classes: Sequence[str], confidence: float
) -> Counts:
    """Count the objects of each image, and what is found in it from a confidence on."""
    rows = []
    for truth, every in zip(truths, found, strict=True):
        sure = every.above(confidence)
        taken = match(truth, sure, [RIGHT])[0]
        counted, right = (
            np.bincount(sure.labels[kept], minlength=len(classes))
            for kept in (taken != IGNORED, taken >= 0)
        )
        rows.append((truth.counts(len(classes)), counted, right))
    return Counts(classes, confidence, *map(np.stack, zip(*rows, strict=True)))
