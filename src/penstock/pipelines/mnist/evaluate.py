"""How good the digit classifier is, and where it fails."""

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import nn

from ...datasets.dataset import Dataset
from ...evaluation import figures, metrics
from ...evaluation.inference import class_probabilities
from ...learning.augmentation import shift_sideways
from ...pipeline import Evaluation
from .params import Params
from .predict import as_predictions, outcome


def evaluate(network: nn.Module, dataset: Dataset, params: Params) -> Evaluation:
    """Score every test image, as it is and moved sideways."""
    rows = dataset.rows("test")
    images, classes = dataset.array("images")[rows], dataset.info["classes"]
    probabilities = class_probabilities(network, images)
    predictions = as_predictions(probabilities, classes, [""] * len(rows))
    scores = outcome(predictions, dataset.index.iloc[rows])
    labels, predicted = scores["label"].to_numpy(), scores["predicted"].to_numpy()
    reliability = metrics.reliability(scores["confidence"].to_numpy(), scores["correct"].to_numpy())
    shifts = _shift_robustness(network, images, labels, params.evaluate.max_shift)
    per_class = metrics.per_class(labels, predicted, classes)
    correct, total = int(scores["correct"].sum()), len(scores)
    low, high = metrics.proportion_interval(correct, total)
    return Evaluation(
        metrics={
            "test/accuracy": correct / total,
            "test/accuracy_low": low,
            "test/accuracy_high": high,
            "test/log_loss": float(scores["loss"].mean()),
            "test/macro_f1": float(per_class["f1"].mean()),
            "test/calibration_error": metrics.calibration_error(reliability),
            "test/shift_accuracy": float(shifts["accuracy"].min()),
            "test/examples": total,
        },
        scores=scores,
        figures={
            "Confusion matrix": figures.confusion_figure(
                metrics.confusion(labels, predicted, classes), classes
            ),
            "Calibration": figures.reliability_figure(reliability),
            "Shift robustness": figures.line_figure(shifts, "shift", "accuracy", "low", "high"),
            "Worst mistakes": _sheet(images, scores, classes, _worst(scores, params)),
            "Sample predictions": _sheet(images, scores, classes, _spread(scores, params)),
        },
        tables={"Per class": per_class},
        plots={"shift_robustness": shifts, "reliability": reliability},
        notes={
            "Confusion matrix": "Rows are the truth, columns the prediction; colour marks "
            "mistakes by their share of the row.",
            "Calibration": "On the dotted line a confidence of 0.8 is right 8 times in 10; the "
            "larger a dot, the more images.",
            "Shift robustness": "Accuracy when every test image is moved sideways by so many "
            "pixels, with 95 % intervals.",
            "Worst mistakes": "Wrong with the highest loss first: true > predicted, confidence.",
            "Sample predictions": "Test images at even distances: true > predicted, confidence; "
            "mistakes in orange.",
        },
    )


def _shift_robustness(
    network: nn.Module, images: np.ndarray, labels: np.ndarray, limit: int
) -> pd.DataFrame:
    """Accuracy with all images moved by each number of pixels: shift, accuracy, low, high."""
    tensor = torch.from_numpy(images)
    records = []
    for shift in range(-limit, limit + 1):
        moved = shift_sideways(tensor, shift).numpy()
        correct = int((class_probabilities(network, moved).argmax(1) == labels).sum())
        interval = metrics.proportion_interval(correct, len(labels))
        records.append((shift, correct / len(labels), *interval))
    return pd.DataFrame(records, columns=["shift", "accuracy", "low", "high"])


def _worst(scores: pd.DataFrame, params: Params) -> np.ndarray:
    wrong = np.flatnonzero(scores["correct"].to_numpy() == 0)
    order = np.argsort(-scores["loss"].to_numpy()[wrong], kind="stable")
    return wrong[order][: params.evaluate.gallery]


def _spread(scores: pd.DataFrame, params: Params) -> np.ndarray:
    count = min(params.evaluate.gallery, len(scores))
    return np.linspace(0, len(scores) - 1, count).astype(int)


def _sheet(
    images: np.ndarray, scores: pd.DataFrame, classes: list[str], rows: np.ndarray
) -> Figure:
    shown = scores.iloc[rows]
    captions = [
        f"{classes[row.label]} > {classes[row.predicted]}  {row.confidence:.2f}"  # type: ignore[index]
        for row in shown.itertuples()
    ]
    return figures.gallery(images[rows], captions, list(shown["correct"] == 0))
