"""What is served: the columns of a row -> a class or a number."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from ...evaluation import predictions as classified
from ...evaluation.inference import class_probabilities
from ...kinds.tables.raw_files import list_files
from ...messages.errors import PenstockError
from ...pipeline import Interface, Score, root_mean_square
from .decode import complain, decode_column, decode_frame, encode_frame
from .table import Table

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset

NUMBER_OUTPUTS = {"prediction": "double", "error": "string"}
BATCH = 2**14  # rows


def interface(info: dict[str, Any], model: dict[str, Any]) -> Interface:
    """The columns that were learned from -> a class, or a number."""
    inputs = {
        name: "optional double" if it["type"] == "number" else "optional string"
        for name, it in info["columns"].items()
    }
    if info["task"] == "classification":
        return Interface(inputs, classified.CLASS_OUTPUTS, classified.ACCURACY)
    low, high = info["target_range"]
    score = Score("test/rmse", root_mean_square, "group", high - low, higher_is_better=False)
    return Interface(inputs, NUMBER_OUTPUTS, score)


def predict(
    network: nn.Module, inputs: pd.DataFrame, info: dict[str, Any], options: dict[str, Any]
) -> pd.DataFrame:
    """Classify rows, or give each a number; a missing value is one, and no error.

    Returns:
        For classes label, confidence, probabilities and error; for numbers prediction and error.
    """
    features = decode_frame(inputs, info["columns"])
    if info["task"] == "classification":
        return classified.as_predictions(class_probabilities(network, features), info["classes"])
    return pd.DataFrame({"prediction": predict_numbers(network, features), "error": ""})


def predict_numbers(network: nn.Module, features: np.ndarray) -> np.ndarray:
    """The number of each row, float64, shape (rows,)."""
    network.eval()
    device = next(network.parameters()).device
    parts = [np.zeros(0)]
    with torch.inference_mode():
        for start in range(0, len(features), BATCH):
            batch = torch.from_numpy(np.array(features[start : start + BATCH]))
            parts.append(network(batch.to(device)).double().cpu().numpy())
    return np.concatenate(parts)


def exam(dataset: "Dataset", split: str) -> pd.DataFrame:
    """The rows of a split as they would arrive."""
    features = dataset.array("features")[dataset.rows(split)]
    inputs = encode_frame(features, dataset.info["columns"])
    asked = dataset.examples(split)
    return pd.concat([asked, pd.DataFrame(inputs, index=asked.index)], axis=1)


def outcome(predictions: pd.DataFrame, exam: pd.DataFrame) -> pd.DataFrame:
    """Mark predictions against the truth, a row each."""
    if "prediction" not in predictions:
        return classified.outcome(predictions, exam)
    target = exam["target"].to_numpy(np.float64)
    predicted = predictions["prediction"].to_numpy(np.float64)
    return pd.DataFrame(
        {
            **{name: exam[name].to_numpy() for name in ("id", "group") if name in exam},
            "target": target,
            "predicted": predicted,
            "error": np.abs(predicted - target),
            "squared_error": np.square(predicted - target),
        }
    )


def read_input(file: Path, info: dict[str, Any]) -> pd.DataFrame:
    """Read a table named on the command line; its other columns come back with the answers.

    A row with a value that cannot be read has an `error` that says so.

    Raises:
        PenstockError: a column that was learned from is not there.
    """
    (raw,) = list_files(file)
    table = Table(raw)
    if lacking := [name for name in info["columns"] if name not in table.names]:
        shown = ", ".join(table.names[:20])
        raise PenstockError(
            f"{file}: no column {', '.join(lacking)}; found {shown}; the model learned from "
            f"{', '.join(info['columns'])}; add it, empty if nothing is known"
        )
    parts = [pd.DataFrame(columns=table.names, dtype=object)]  # there may be no rows
    bad: dict[int, str] = {}
    blocks = table.blocks(table.names, lambda line, reason: bad.update({line: reason}))
    for block in blocks:
        part = pd.DataFrame({k: it.to_pylist() for k, it in block.columns.items()}, block.lines)
        for name, column in info["columns"].items():
            numbers, good = decode_column(block.columns[name], column)
            for row in np.flatnonzero(~good):
                text = str(block.columns[name][int(row)])
                bad.setdefault(int(block.lines[row]), complain(name, column["type"], text))
            if column["type"] == "number":
                part[name] = numbers.astype(np.float64)
        parts.append(part)
    errors = pd.Series({line: f"line {line}: {why}" for line, why in bad.items()}, dtype=object)
    rows = pd.concat(parts)
    rows = rows.reindex(rows.index.union(errors.index))
    return rows.assign(error=errors).reset_index(drop=True)
