"""What is served: image files -> digits. Plain torch; runs wherever the model is loaded."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from torch import nn

from ...evaluation.inference import class_probabilities, log_losses
from ...pipeline import Score
from .decode import SIDE, decode, encode

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset

SCORE = Score(column="correct", metric="test/accuracy")
INPUTS = {"image": "binary"}
OUTPUTS = {"label": "string", "confidence": "double", "probabilities": "array", "error": "string"}


def predict(network: nn.Module, inputs: pd.DataFrame, info: dict[str, Any]) -> pd.DataFrame:
    """Decode and classify image files, a row each.

    Returns:
        label, confidence, probabilities (a list in the order of the classes) and error: what was
        wrong with a file that could not be decoded, whose other columns are empty.
    """
    images = np.zeros((len(inputs), SIDE, SIDE), np.uint8)
    errors = [""] * len(inputs)
    for row, content in enumerate(inputs["image"]):
        try:
            images[row] = decode(content)
        except ValueError as error:
            errors[row] = str(error)
    return as_predictions(class_probabilities(network, images), info["classes"], errors)


def as_predictions(
    probabilities: np.ndarray, classes: list[str], errors: list[str]
) -> pd.DataFrame:
    """Put probabilities, shape (rows, classes), in the form that is served."""
    rows = zip(probabilities, errors, strict=True)
    records = [
        (None, None, None, error)
        if error
        else (classes[p.argmax()], float(p.max()), p.tolist(), "")
        for p, error in rows
    ]
    return pd.DataFrame(records, columns=list(OUTPUTS))


def outcome(predictions: pd.DataFrame, index: pd.DataFrame) -> pd.DataFrame:
    """Score predictions against the truth, a row per example.

    Returns:
        id, sha256, label, predicted, confidence, correct (0 or 1) and loss (log loss).
    """
    probabilities = np.stack([np.asarray(p, np.float32) for p in predictions["probabilities"]])
    labels = index["label"].to_numpy().astype(int)
    predicted = probabilities.argmax(1)
    return pd.DataFrame(
        {
            "id": index["id"].to_numpy(),
            "sha256": index["sha256"].to_numpy(),
            "label": labels,
            "predicted": predicted,
            "confidence": probabilities.max(1),
            "correct": (predicted == labels).astype(np.float32),
            "loss": log_losses(probabilities, labels),
        }
    )


def raw_inputs(dataset: "Dataset", split: str) -> pd.DataFrame:
    """The examples of a split as the image files they would arrive as."""
    images = dataset.array("images")
    return pd.DataFrame({"image": [encode(images[row]) for row in dataset.rows(split)]})


def read_inputs(files: list[Path]) -> pd.DataFrame:
    """Read image files named on the command line."""
    return pd.DataFrame({"image": [file.read_bytes() for file in files]})
