"""Average precision of detections that are matched with the truth image by image.

As COCO has it (Lin et al. 2014): the surest detection of a class first, each takes the object it
overlaps most with and that none has taken; precision is read at 101 recalls. Matching is done once,
so that the average can be asked for images of any weights: for intervals, and by the gate.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from .boxes import areas, iou, overlaps
from .detections import Found

THRESHOLDS = np.linspace(0.5, 0.95, 10)  # IoU from which a detection is right
RIGHT = 0.5  # the one that is asked for where there is one
RECALLS = np.linspace(0, 1, 101)
FALSE, IGNORED = -1, -2  # of a detection that has taken no object: wrong, or in a crowd


@dataclass(frozen=True)
class Truth:
    """The objects of an image.

    Attributes:
        boxes: left, top, right, bottom in pixels, float64, shape (n, 4).
        labels: class of each, int64.
        crowd: whether each is not counted.
    """

    boxes: np.ndarray
    labels: np.ndarray
    crowd: np.ndarray

    def to_json(self) -> str:
        """As a list of left, top, right, bottom, class, crowd."""
        rows = zip(self.boxes.tolist(), self.labels.tolist(), self.crowd.tolist(), strict=True)
        return json.dumps([[*box, label, int(crowd)] for box, label, crowd in rows])

    @classmethod
    def from_json(cls, text: str) -> "Truth":
        """Of what `to_json` answers."""
        rows = np.array(json.loads(text), np.float64).reshape(-1, 6)
        return cls(rows[:, :4], rows[:, 4].astype(np.int64), rows[:, 5] > 0)

    def counts(self, classes: int) -> np.ndarray:
        """How many there are of each class, without crowds."""
        return np.bincount(self.labels[~self.crowd], minlength=classes)


def match(truth: Truth, found: Found, thresholds: Sequence[float] | np.ndarray) -> np.ndarray:
    """Say of each detection which object it takes.

    Args:
        truth: the objects of an image.
        found: its detections, the surest first.
        thresholds: IoU from which one is right.

    Returns:
        Position of the object, else FALSE or IGNORED; int64, shape (thresholds, detections).
    """
    result = np.full((len(thresholds), len(found)), FALSE)
    if not len(found) or not len(truth.labels):
        return result
    theirs = torch.from_numpy(truth.boxes)
    ours = torch.from_numpy(found.boxes)[:, None]
    of_crowd = overlaps(ours, theirs) / areas(ours).clamp(min=1e-12)
    fit = torch.where(torch.from_numpy(truth.crowd), of_crowd, iou(ours, theirs)).numpy()
    same = found.labels[:, None] == truth.labels
    for row, least in enumerate(thresholds):
        free = np.ones(len(truth.labels), bool)
        for place, fits in enumerate(fit):
            # A crowd holds any number, and is asked last.
            right = same[place] & (fits >= min(least, 1 - 1e-10))
            own = right & free & ~truth.crowd
            if own.any():
                result[row, place] = _last_best(fits, own)
                free[result[row, place]] = False
            elif (right & truth.crowd).any():
                result[row, place] = IGNORED
    return result


def _last_best(fits: np.ndarray, among: np.ndarray) -> int:
    """The best of some; of equals the last, as COCO's evaluation has it."""
    chosen = np.where(among, fits, -1.0)
    return len(chosen) - 1 - int(chosen[::-1].argmax())


@dataclass(frozen=True)
class Marked:
    """The detections of many images, the surest first, and how many objects there are.

    Attributes:
        image: position of the image of each detection.
        labels: class of each.
        confidence: of each.
        taken: what `match` says of each, shape (thresholds, detections).
        objects: of each image and class, shape (images, classes).
    """

    image: np.ndarray
    labels: np.ndarray
    confidence: np.ndarray
    taken: np.ndarray
    objects: np.ndarray

    def average_precision(self, weights: np.ndarray) -> np.ndarray:
        """Average precision by threshold and class; NaN for a class without an object.

        Args:
            weights: of each image: how often it is there.
        """
        weights = np.asarray(weights, np.float64)
        totals = weights @ self.objects
        answer = np.full((len(self.taken), len(totals)), np.nan)
        for label, total in enumerate(totals):
            if total <= 0:
                continue
            own = np.flatnonzero(self.labels == label)
            weight, taken = weights[self.image[own]], self.taken[:, own]
            hits = np.cumsum(weight * (taken >= 0), axis=1)
            wrong = np.cumsum(weight * (taken == FALSE), axis=1)
            answer[:, label] = [_read_off(*pair, total) for pair in zip(hits, wrong, strict=True)]
        return answer


def _read_off(hits: np.ndarray, wrong: np.ndarray, total: float) -> float:
    """The mean precision at 101 recalls, each the best at that recall or above."""
    precision = hits / np.maximum(hits + wrong, np.finfo(np.float64).tiny)
    best = np.maximum.accumulate(precision[::-1])[::-1]
    at = np.searchsorted(hits / total, RECALLS)
    return float(np.where(at < len(best), np.append(best, 0.0)[at], 0.0).mean())


def mark(truths: Sequence[Truth], found: Sequence[Found], classes: int) -> Marked:
    """Match the detections of many images, at all of COCO's thresholds."""
    taken = [match(*pair, THRESHOLDS) for pair in zip(truths, found, strict=True)]
    return _in_order(
        [len(it) for it in found],
        np.concatenate([it.labels for it in found]),
        np.concatenate([it.confidence for it in found]),
        np.concatenate(taken, 1),
        np.stack([it.counts(classes) for it in truths]),
    )


def _in_order(
    lengths: list[int],
    labels: np.ndarray,
    confidence: np.ndarray,
    taken: np.ndarray,
    objects: np.ndarray,
) -> Marked:
    order = np.argsort(-confidence, kind="stable")
    image = np.repeat(np.arange(len(lengths)), lengths)
    return Marked(image[order], labels[order], confidence[order], taken[:, order], objects)


def scored_average_precision(scores: pd.DataFrame, weights: np.ndarray) -> float:
    """Mean average precision at an IoU of 0.5, over the classes of which there are objects.

    Scores of images have lists `label`, `confidence`, `taken` and `objects`. NaN if one has none.
    """
    if scores["label"].isna().any():
        return float("nan")
    lists = {it: scores[it].tolist() for it in ("label", "confidence", "taken", "objects")}
    marked = _in_order(
        [len(it) for it in lists["label"]],
        np.concatenate(lists["label"]),
        np.concatenate(lists["confidence"]),
        np.concatenate(lists["taken"])[None],
        np.stack(lists["objects"]),
    )
    found = marked.average_precision(weights)[0]
    return float(np.nanmean(found)) if np.isfinite(found).any() else float("nan")
