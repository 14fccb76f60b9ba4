"""COCO's own measures, by a maintained implementation (faster-coco-eval)."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .average_precision import RECALLS, Truth
from .detections import MOST, Found

SIZES = ("all", "small", "medium", "large")  # below 32, 96 pixels squared, and above


@dataclass(frozen=True)
class CocoMeasures:
    """Average precision, as COCO has it; NaN where there are no objects.

    Attributes:
        precision: at 101 recalls, by IoU from 0.5 to 0.95, class and size, shape (10, 101,
            classes, 4).
        objects: how many there are by class and size, shape (classes, 4).
    """

    precision: np.ndarray
    objects: np.ndarray

    def mean(self, size: str = "all", iou: float | None = None) -> float:
        """Mean average precision over the classes there are, of objects of a size."""
        found = self.precision[..., SIZES.index(size)]
        if iou is not None:
            found = found[round((iou - 0.5) / 0.05)][None]
        return float(np.nanmean(found)) if np.isfinite(found).any() else float("nan")

    def by_class(self, iou: float | None = None) -> np.ndarray:
        """Average precision of each class; NaN for one without objects."""
        found = self.precision[..., 0]
        chosen = found if iou is None else found[round((iou - 0.5) / 0.05)][None]
        means: np.ndarray = chosen.mean((0, 1))
        return means


def measure_coco(
    truths: Sequence[Truth],
    found: Sequence[Found],
    sizes: Sequence[tuple[int, int]],
    classes: Sequence[str],
) -> CocoMeasures:
    """Measure the detections of some images.

    Args:
        truths: the objects of each image.
        found: the detections of each, the surest first.
        sizes: width and height of each in pixels.
        classes: names.
    """
    from faster_coco_eval import COCO, COCOeval_faster  # writes a line to the log when imported

    logging.getLogger("faster_coco_eval").setLevel(logging.ERROR)
    truth = COCO(as_coco(truths, sizes, classes))
    answers = [
        {"image_id": number, "category_id": int(label) + 1, "bbox": box, "score": float(confidence)}
        for number, it in enumerate(found, 1)
        for box, label, confidence in zip(
            _left_top_size(it.boxes), it.labels, it.confidence, strict=True
        )
    ]
    shape = (10, len(RECALLS), len(classes), len(SIZES))
    measured = COCOeval_faster(truth, truth.loadRes(answers), "bbox") if answers else None
    objects = _count_by_size(truths, len(classes))
    if measured is None:
        return CocoMeasures(np.where(objects > 0, np.zeros(shape), np.nan), objects)
    measured.params.maxDets = [1, 10, MOST]
    measured.evaluate()
    measured.accumulate()
    precision = np.asarray(measured.eval["precision"])[..., -1].reshape(shape)
    return CocoMeasures(np.where(precision < 0, np.nan, precision), objects)


def as_coco(
    truths: Sequence[Truth], sizes: Sequence[tuple[int, int]], classes: Sequence[str]
) -> dict[str, Any]:
    """The truth in COCO's form; ids start at 1, since 0 means none to its evaluation."""
    boxes = [
        (number, box, int(label), bool(crowd))
        for number, it in enumerate(truths, 1)
        for box, label, crowd in zip(_left_top_size(it.boxes), it.labels, it.crowd, strict=True)
    ]
    return {
        "info": {},
        "images": [
            {"id": number, "width": int(width), "height": int(height), "file_name": str(number)}
            for number, (width, height) in enumerate(sizes, 1)
        ],
        "categories": [{"id": number, "name": name} for number, name in enumerate(classes, 1)],
        "annotations": [
            {
                "id": number,
                "image_id": image,
                "category_id": label + 1,
                "bbox": box,
                "area": box[2] * box[3],
                "iscrowd": int(crowd),
            }
            for number, (image, box, label, crowd) in enumerate(boxes, 1)
        ],
    }


def _left_top_size(boxes: np.ndarray) -> list[list[float]]:
    sized: list[list[float]] = np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]]).tolist()
    return sized


def _count_by_size(truths: Sequence[Truth], classes: int) -> np.ndarray:
    """How many objects there are, shape (classes, sizes)."""
    boxes = np.concatenate([it.boxes[~it.crowd] for it in truths])
    labels = np.concatenate([it.labels[~it.crowd] for it in truths])
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    size = np.digitize(areas, [32**2, 96**2]) + 1
    counts = np.zeros((classes, len(SIZES)), int)
    np.add.at(counts, (labels, size), 1)
    counts[:, 0] = counts.sum(1)
    return counts
