"""What is served: image files -> classes of tissue, and where the network saw them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from torch import nn

from ...evaluation.inference import class_probabilities
from ...evaluation.predictions import ACCURACY, CLASS_OUTPUTS, as_predictions
from ...evaluation.predictions import outcome as outcome
from .decode import decode, encode
from .gradcam import gradcam, overlay

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset

SCORE = ACCURACY
INPUTS = {"image": "binary"}
OUTPUTS = {**CLASS_OUTPUTS, "gradcam": "binary"}
OPTIONS: dict[str, Any] = {"gradcam": False}
CHUNK_BYTES = 2**26  # of decoded images held at a time


def predict(
    network: nn.Module, inputs: pd.DataFrame, info: dict[str, Any], options: dict[str, Any]
) -> pd.DataFrame:
    """Decode and classify image files, a row each.

    Returns:
        label, confidence, probabilities (a list in the order of the classes), error: what was
        wrong with a file that could not be decoded, whose other columns are empty; and gradcam:
        if asked, a PNG of the image under the Grad-CAM map of its label.
    """
    chunk = max(1, CHUNK_BYTES // (3 * info["image_size"][0] ** 2))
    parts = [
        _predict(network, inputs["image"].iloc[start : start + chunk], info, options["gradcam"])
        for start in range(0, max(1, len(inputs)), chunk)
    ]
    return pd.concat(parts, ignore_index=True)


def _predict(
    network: nn.Module, contents: pd.Series, info: dict[str, Any], mapped: bool
) -> pd.DataFrame:
    size = info["image_size"][0]
    images = np.zeros((len(contents), size, size, 3), np.uint8)
    errors = [""] * len(contents)
    for row, content in enumerate(contents):
        try:
            images[row] = decode(content, size, info["fit"], info["min_side"], info["max_pixels"])
        except ValueError as error:
            errors[row] = str(error)
    probabilities = class_probabilities(network, images)
    predictions = as_predictions(probabilities, info["classes"], errors)
    maps: list[bytes | None] = [None] * len(contents)
    if mapped:
        good = np.flatnonzero([not error for error in errors])
        heats = gradcam(
            network, images[good], probabilities[good].argmax(1), str(network.cam_layer)
        )
        for good_row, heat in zip(good, heats, strict=True):
            maps[good_row] = encode(overlay(images[good_row], heat))
    predictions["gradcam"] = pd.Series(maps, dtype=object)
    return predictions


def raw_inputs(dataset: "Dataset", split: str) -> pd.DataFrame:
    """The image files that the examples of the test split were read from."""
    return pd.DataFrame({"image": dataset.raw(dataset.rows(split))})


def read_input(file: Path) -> pd.DataFrame:
    """Read one image file named on the command line."""
    return pd.DataFrame({"image": [file.read_bytes()]})
