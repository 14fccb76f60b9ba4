"""What is served: image files -> digits. Plain torch; runs wherever the model is loaded."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from torch import nn

from ...evaluation.inference import class_probabilities
from ...evaluation.predictions import ACCURACY, CLASS_OUTPUTS, as_predictions
from ...evaluation.predictions import outcome as outcome
from .decode import SIDE, decode, encode

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset

SCORE = ACCURACY
INPUTS = {"image": "binary"}
OUTPUTS = CLASS_OUTPUTS
OPTIONS: dict[str, Any] = {}


def predict(
    network: nn.Module, inputs: pd.DataFrame, info: dict[str, Any], options: dict[str, Any]
) -> pd.DataFrame:
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


def raw_inputs(dataset: "Dataset", split: str) -> pd.DataFrame:
    """The examples of a split as the image files they would arrive as."""
    images = dataset.array("images")
    return pd.DataFrame({"image": [encode(images[row]) for row in dataset.rows(split)]})


def read_input(file: Path) -> pd.DataFrame:
    """Read one image file named on the command line."""
    return pd.DataFrame({"image": [file.read_bytes()]})
