"""Labels that may be mistakes: shown, and counted as they are."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from ...datasets.dataset import Dataset
from ...evaluation import exhibits
from .average_precision import Truth
from .detections import Found
from .mistakes import find_mistakes, show_image
from .params import Evaluate

SURE = 0.6  # confidence from which a box without an object is doubtful
SIDE, AROUND = 96, 1.8  # pixels of what is cut out; how many times as large as the box
PER_SHEET = 20


class Doubt(NamedTuple):
    """A box of a test image."""

    confidence: float
    row: int
    box: np.ndarray
    label: int


def doubtful_labels(
    dataset: Dataset, truths: Sequence[Truth], found: Sequence[Found], settings: Evaluate
) -> list[exhibits.Picture]:
    """Cut out the surest boxes without an object, and objects that have no box at all."""
    extra, lost = [], []
    for row, (truth, every) in enumerate(zip(truths, found, strict=True)):
        sure = every.above(max(SURE, settings.confidence))
        wrong = np.flatnonzero(find_mistakes(truth, sure).false)
        extra += [Doubt(sure.confidence[it], row, sure.boxes[it], sure.labels[it]) for it in wrong]
        missed = np.flatnonzero(find_mistakes(truth, every).missed)
        lost += [Doubt(0.0, row, truth.boxes[it], truth.labels[it]) for it in missed]
    extra.sort(key=lambda it: -it.confidence)
    return [
        *_sheet(
            "Perhaps not annotated",
            dataset,
            extra,
            f"{len(extra):,} boxes of a confidence of {SURE:g} or more where there is no object: "
            "the network is wrong, or nobody marked what is there.",
        ),
        *_sheet(
            "Never found",
            dataset,
            lost,
            f"{len(lost):,} objects without a box, however unsure: hard ones, or marks of nothing.",
        ),
    ]


def _sheet(
    title: str, dataset: Dataset, doubts: Sequence[Doubt], note: str
) -> list[exhibits.Picture]:
    """The first of them with what is around, a picture; none if there are none."""
    shown = doubts[:PER_SHEET]
    if not shown:
        return []
    classes = dataset.info["classes"]
    names = [f"{classes[it.label]} {it.confidence:.2f}".removesuffix(" 0.00") for it in shown]
    pixels = np.stack([_cut_out(dataset, it) for it in shown])
    return [exhibits.gallery(title, pixels, names, [False] * len(shown), note)]


def _cut_out(dataset: Dataset, doubt: Doubt) -> np.ndarray:
    """A square around a box, its middle part, uint8, shape (SIDE, SIDE, 3)."""
    picture, factors = show_image(dataset, doubt.row)
    left, top, right, bottom = (doubt.box * factors[0]).tolist()
    half = AROUND * max(right - left, bottom - top, 4) / 2
    x, y = (left + right) / 2, (top + bottom) / 2
    square = picture.transform(
        (SIDE, SIDE),
        Image.Transform.EXTENT,
        (x - half, y - half, x + half, y + half),
        Image.Resampling.BILINEAR,
    )
    return np.asarray(square)
