"""How well objects are found, counted and placed, how sure that is, and what goes wrong."""

import copy
import time
from collections.abc import Sequence

import numpy as np
import pandas as pd
from torch import nn
from tqdm import tqdm

from ...datasets.dataset import Dataset
from ...evaluation import exhibits, figures
from ...evaluation.grouped import group_intervals
from ...evaluation.metrics import calibration_error, reliability
from ...pipeline import Evaluation
from .average_precision import IGNORED, Marked, mark
from .coco_metrics import SIZES, CocoMeasures, measure_coco
from .counting import Counts, count
from .detections import Found, detect
from .doubtful import doubtful_labels
from .mistakes import worst_images
from .params import Params
from .precision_recall import curves, precision_recall
from .predict import mark_images, truths_of

INTERVALS = ("map50", "map", "count_error")


def evaluate(network: nn.Module, dataset: Dataset, params: Params) -> Evaluation:
    """Find the objects in every test image; measure, and show what is wrong."""
    classes, examples = dataset.info["classes"], dataset.examples("test")
    truths, found = truths_of(dataset, "test"), detect_all(network, dataset, "test")
    sizes = list(zip(examples["width"], examples["height"], strict=True))
    coco = measure_coco(truths, found, sizes, classes)
    marked = mark(truths, found, len(classes))
    counts = count(truths, found, classes, params.evaluate.confidence)
    calibration = reliability(*_certainties(marked))
    intervals = _intervals(marked, counts, examples["group"].to_numpy(), params.evaluate.resamples)
    return Evaluation(
        metrics={
            **_with_interval("map50", coco.mean(iou=0.5), intervals),
            **_with_interval("map", coco.mean(), intervals),
            **_by_size(coco),
            **_with_interval("count_error", counts.error(), intervals),
            "test/precision": counts.precision(),
            "test/recall": counts.recall(),
            "test/calibration_error": calibration_error(calibration),
            "test/examples": len(examples),
            "test/objects": int(coco.objects[:, 0].sum()),
        },
        scores=mark_images(examples, truths, found, len(classes)),
        exhibits=[
            *_tables(coco, counts, classes),
            precision_recall(coco, counts, classes),
            exhibits.figure(
                "Calibration",
                figures.reliability_figure(calibration),
                "How many of the boxes of a confidence are right; on the dotted line 8 in 10 of "
                "those at 0.8. The larger a dot, the more boxes.",
            ),
            *worst_images(dataset, truths, found, params.evaluate),
            *doubtful_labels(dataset, truths, found, params.evaluate),
        ],
        plots={"precision_recall": curves(coco, classes), "reliability": calibration},
        meanings=_meanings(params.evaluate.confidence),
    )


def detect_all(network: nn.Module, dataset: Dataset, split: str) -> list[Found]:
    """Find the objects in every image of a split; say how fast.

    On the CPU, as the model is proved: what is barely kept must not depend on the device.
    """
    own = copy.deepcopy(network).cpu().eval()
    images, examples = dataset.array("images"), dataset.examples(split)
    rows = zip(dataset.rows(split), examples["width"], examples["height"], strict=True)
    started = time.perf_counter()
    bar = tqdm(rows, total=len(examples), unit="image", disable=None, leave=False)
    found = [detect(own, images[row], width, height) for row, width, height in bar]
    speed = len(found) / (time.perf_counter() - started)
    print(f"  {len(found):,} images of the {split} split, {speed:,.0f} a second, one at a time")
    return found


def _certainties(marked: Marked) -> tuple[np.ndarray, np.ndarray]:
    """Confidence of each detection, and whether it is right at an IoU of 0.5."""
    counted = marked.taken[0] != IGNORED
    right = (marked.taken[0] >= 0).astype(np.float64)
    if not counted.any():  # nothing is found, and nothing is wrong with how sure that is
        return np.zeros(1), np.zeros(1)
    return marked.confidence[counted], right[counted]


def _intervals(
    marked: Marked, counts: Counts, groups: np.ndarray, resamples: int
) -> dict[str, tuple[float, float]]:
    """95 % intervals by bootstrap of images, or of whole groups."""

    def measure(weights: np.ndarray) -> dict[str, float]:
        found = marked.average_precision(weights)
        there = np.isfinite(found[0])
        values = (found[0, there].mean(), found[:, there].mean()) if there.any() else (np.nan,) * 2
        return dict(zip(INTERVALS, (*values, counts.error(weights)), strict=True))

    return group_intervals(measure, groups, resamples)


def _with_interval(
    name: str, value: float, intervals: dict[str, tuple[float, float]]
) -> dict[str, float]:
    low, high = intervals[name]
    ends = {f"test/{name}_low": low, f"test/{name}_high": high}
    return {f"test/{name}": value} | (ends if np.isfinite(low) else {})


def _by_size(coco: CocoMeasures) -> dict[str, float]:
    """Mean average precision of objects of each size there is."""
    means = {f"test/map_{size}": coco.mean(size) for size in SIZES[1:]}
    return {name: value for name, value in means.items() if np.isfinite(value)}


def _tables(coco: CocoMeasures, counts: Counts, classes: Sequence[str]) -> list[exhibits.Table]:
    by_class = pd.DataFrame(
        {
            "class": list(classes),
            "objects": coco.objects[:, 0],
            "AP50": coco.by_class(0.5),
            "AP": coco.by_class(),
        }
    )
    by_size = pd.DataFrame(
        {
            "size": SIZES[1:],
            "objects": coco.objects[:, 1:].sum(0),
            "mAP": [coco.mean(size) for size in SIZES[1:]],
        }
    )
    return [
        exhibits.Table(
            "Per class",
            by_class.round(4),
            "Average precision at an IoU of 0.5 (AP50), and averaged over 0.5 to 0.95 (AP).",
        ),
        exhibits.Table(
            "By size",
            by_size.round(4),
            "Small objects have less than 32x32 pixels, large ones 96x96 or more.",
        ),
        exhibits.Table(
            "Counting",
            counts.table().round(4),
            f"Objects from a confidence of {counts.confidence:g} on, beside the truth: the mean "
            "error of an image's count, without and with its sign, and how many images are exact.",
        ),
    ]


def _meanings(confidence: float) -> dict[str, str]:
    sure = f"of boxes from a confidence of {confidence:g} on"
    return {
        "test/map50": "at an IoU of 0.5",
        "test/map": "averaged over IoU from 0.5 to 0.95",
        "test/count_error": f"mean error of an image's count of a class, {sure}",
        "test/precision": f"{sure}, at an IoU of 0.5",
        "test/recall": f"{sure}, at an IoU of 0.5",
    }
