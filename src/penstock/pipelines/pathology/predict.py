"""What is served: image files -> classes of tissue, and where the network saw them."""

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from torch import nn

from ...evaluation.inference import class_probabilities
from ...evaluation.predictions import ACCURACY, CLASS_OUTPUTS, as_predictions, decode_all
from ...evaluation.predictions import outcome as outcome
from ...kinds.images.decode import encode
from ...pipeline import Interface
from .decode import decode
from .gradcam import gradcam, overlay

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset

CHUNK_BYTES = 2**26  # of decoded images held at a time


def interface(info: dict[str, Any], model: dict[str, Any]) -> Interface:
    """The bytes of an image file -> a class of tissue; if asked, where the network saw it."""
    outputs = {**CLASS_OUTPUTS, "gradcam": "binary"}
    return Interface({"image": "binary"}, outputs, ACCURACY, {"gradcam": False})


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
    settings = {key: info[key] for key in ("fit", "min_side", "max_pixels", "depth")}
    read = partial(decode, size=size, **settings)
    images, errors = decode_all(contents, read, (size, size, 3), np.uint8)
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


def exam(dataset: "Dataset", split: str) -> pd.DataFrame:
    """The examples of the test split with the image files they were read from."""
    examples = dataset.examples(split)
    return examples.assign(image=dataset.raw(examples["id"]))
