"""The predictions of a classifier, as they are served and as they are scored. Plain numpy."""

from typing import Any

import numpy as np
import pandas as pd

from ..pipeline import Score
from .inference import log_losses

ACCURACY = Score(column="correct", metric="test/accuracy")
CLASS_OUTPUTS = {
    "label": "string",
    "confidence": "double",
    "probabilities": "array",
    "error": "string",
}


def as_predictions(
    probabilities: np.ndarray, classes: list[str], errors: list[str] | None = None
) -> pd.DataFrame:
    """Put probabilities, shape (rows, classes), in the form that is served: CLASS_OUTPUTS.

    A row with an error (what was wrong with its input) has nothing else.
    """
    records: list[tuple[Any, ...]] = []
    for given, error in zip(probabilities, errors or [""] * len(probabilities), strict=True):
        if error:
            records.append((None, None, None, error))
        else:
            best = given.argmax()
            records.append((classes[best], float(given[best]), given.tolist(), ""))
    return pd.DataFrame(records, columns=list(CLASS_OUTPUTS))


def outcome(predictions: pd.DataFrame, index: pd.DataFrame) -> pd.DataFrame:
    """Score predictions against the truth, a row per example.

    An input that could not be decoded counts as wrong: the model gives it no class (-1).

    Returns:
        id, sha256, label, predicted, confidence, correct (0 or 1) and loss (log loss); group, if
        the index has it.
    """
    labels = index["label"].to_numpy().astype(int)
    given = [None if p is None else np.asarray(p, np.float32) for p in predictions["probabilities"]]
    nothing = np.zeros(next((len(p) for p in given if p is not None), labels.max() + 1), np.float32)
    probabilities = np.stack([nothing if p is None else p for p in given])
    predicted = np.where([p is None for p in given], -1, probabilities.argmax(1))
    return pd.DataFrame(
        {
            "id": index["id"].to_numpy(),
            "sha256": index["sha256"].to_numpy(),
            "label": labels,
            "predicted": predicted,
            "confidence": probabilities.max(1),
            "correct": (predicted == labels).astype(np.float32),
            "loss": log_losses(probabilities, labels),
            **({"group": index["group"].to_numpy()} if "group" in index else {}),
        }
    )
