"""The predictions of a classifier, as they are served and as they are marked. Plain numpy."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd

from ..pipeline import Mean, Score
from .inference import log_losses

ACCURACY = Score("test/accuracy", Mean("correct"))
CLASS_OUTPUTS = {
    "label": "string",
    "confidence": "double",
    "probabilities": "array",
    "error": "string",
}


def decode_all(
    contents: Iterable[bytes],
    decode: Callable[[bytes], np.ndarray],
    shape: tuple[int, ...],
    dtype: type[np.generic],
) -> tuple[np.ndarray, list[str]]:
    """Decode files into one array; of one that cannot be decoded, zeros and the reason.

    Args:
        contents: of the files.
        decode: a file's content -> values of a shape and type; raises ValueError with the reason.
        shape: of the values of one file.
        dtype: their type.

    Returns:
        Values, shape (files, *shape), and for each file what is wrong with it, or nothing.
    """
    given = list(contents)
    values, errors = np.zeros((len(given), *shape), dtype), [""] * len(given)
    for row, content in enumerate(given):
        try:
            values[row] = decode(content)
        except ValueError as error:
            errors[row] = str(error)
    return values, errors


def worst_mistakes(scores: pd.DataFrame, count: int) -> np.ndarray:
    """Rows of wrong examples, those with the highest loss first."""
    wrong = np.flatnonzero(scores["correct"].to_numpy() == 0)
    rows: np.ndarray = wrong[np.argsort(-scores["loss"].to_numpy()[wrong], kind="stable")][:count]
    return rows


def at_even_distances(rows: np.ndarray, count: int) -> np.ndarray:
    """Some of many rows, spread over all of them."""
    chosen: np.ndarray = rows[np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int)]
    return chosen


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


def outcome(predictions: pd.DataFrame, exam: pd.DataFrame) -> pd.DataFrame:
    """Mark predictions against the truth, a row per example.

    An input that could not be decoded counts as wrong: the model gives it no class (-1).

    Returns:
        id, label, predicted, confidence, correct (0 or 1) and loss (log loss); sha256 and group, if
        the exam has them.
    """
    labels = exam["label"].to_numpy().astype(int)
    given = [None if p is None else np.asarray(p, np.float32) for p in predictions["probabilities"]]
    nothing = np.zeros(next((len(p) for p in given if p is not None), labels.max() + 1), np.float32)
    probabilities = np.stack([nothing if p is None else p for p in given])
    predicted = np.where([p is None for p in given], -1, probabilities.argmax(1))
    return pd.DataFrame(
        {
            **{name: exam[name].to_numpy() for name in ("id", "sha256") if name in exam},
            "label": labels,
            "predicted": predicted,
            "confidence": probabilities.max(1),
            "correct": (predicted == labels).astype(np.float32),
            "loss": log_losses(probabilities, labels),
            **({"group": exam["group"].to_numpy()} if "group" in exam else {}),
        }
    )
