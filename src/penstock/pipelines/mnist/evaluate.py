"""How good the digit classifier is, and where it fails."""

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import nn

from ...datasets.dataset import Dataset
from ...evaluation import figures, metrics
from ...evaluation.classification import evaluate_classes
from ...evaluation.inference import class_probabilities
from ...evaluation.predictions import as_predictions, outcome
from ...pipeline import Evaluation
from .augmentation import shift_sideways
from .params import Params


def evaluate(network: nn.Module, dataset: Dataset, params: Params) -> Evaluation:
    """Score every test image, as it is and moved sideways."""
    rows = dataset.rows("test")
    images, classes = dataset.array("images")[rows], dataset.info["classes"]
    predictions = as_predictions(class_probabilities(network, images), classes)
    scores = outcome(predictions, dataset.index.iloc[rows])
    evaluation = evaluate_classes(scores, classes)
    labels = scores["label"].to_numpy()
    shifts = _shift_robustness(network, images, labels, params.evaluate.max_shift)
    evaluation.metrics["test/shift_accuracy"] = float(shifts["accuracy"].min())
    evaluation.plots["shift_robustness"] = shifts
    evaluation.figures |= {
        "Shift robustness": figures.line_figure(shifts, "shift", "accuracy", "low", "high"),
        "Worst mistakes": _sheet(images, scores, classes, _worst(scores, params)),
        "Sample predictions": _sheet(images, scores, classes, _spread(scores, params)),
    }
    evaluation.notes |= {
        "Shift robustness": "Accuracy when every test image is moved sideways by so many "
        "pixels, with 95 % intervals.",
        "Worst mistakes": "Wrong with the highest loss first: true > predicted, confidence.",
        "Sample predictions": "Test images at even distances: true > predicted, confidence; "
        "mistakes in orange.",
    }
    return evaluation


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
