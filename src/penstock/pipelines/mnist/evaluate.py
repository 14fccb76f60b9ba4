"""How good the digit classifier is, and where it fails."""

import numpy as np
import pandas as pd
import torch
from torch import nn

from ...datasets.dataset import Dataset
from ...evaluation import exhibits, figures, metrics
from ...evaluation.classification import evaluate_classes
from ...evaluation.inference import class_probabilities
from ...evaluation.predictions import (
    as_predictions,
    at_even_distances,
    outcome,
    worst_mistakes,
)
from ...kinds.images.first_layer import first_layer_filters
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
    worst = worst_mistakes(scores, params.evaluate.gallery)
    spread = at_even_distances(np.arange(len(scores)), params.evaluate.gallery)
    evaluation.exhibits += [
        exhibits.figure(
            "Shift robustness",
            figures.line_figure(shifts, "shift", "accuracy", "low", "high"),
            "Accuracy when every test image is moved sideways by so many pixels, with 95 % "
            "intervals.",
        ),
        _sheet(
            "Worst mistakes",
            *(images, scores, classes, worst),
            "Wrong with the highest loss first: true > predicted, confidence.",
        ),
        _sheet(
            "Sample predictions",
            *(images, scores, classes, spread),
            "Test images at even distances: true > predicted, confidence; mistakes in orange.",
        ),
        *first_layer_filters(network, images[0]),
    ]
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


def _sheet(
    title: str,
    images: np.ndarray,
    scores: pd.DataFrame,
    classes: list[str],
    rows: np.ndarray,
    note: str,
) -> exhibits.Picture:
    shown = scores.iloc[rows]
    captions = [
        f"{classes[row.label]} > {classes[row.predicted]}  {row.confidence:.2f}"  # type: ignore[index]
        for row in shown.itertuples()
    ]
    return exhibits.gallery(title, images[rows], captions, list(shown["correct"] == 0), note)
