"""What is served: image files -> digits. Plain torch; runs wherever the model is loaded."""

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

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset


def interface(info: dict[str, Any], model: dict[str, Any]) -> Interface:
    """The bytes of an image file -> a digit."""
    return Interface({"image": "binary"}, CLASS_OUTPUTS, ACCURACY)


def predict(
    network: nn.Module, inputs: pd.DataFrame, info: dict[str, Any], options: dict[str, Any]
) -> pd.DataFrame:
    """Decode and classify image files, a row each.

    Returns:
        label, confidence, probabilities (a list in the order of the classes) and error: what was
        wrong with a file that could not be decoded, whose other columns are empty.
    """
    height, width = info["image_size"]
    read = partial(decode, side=height, fit=info["fit"])
    images, errors = decode_all(inputs["image"], read, (height, width), np.uint8)
    return as_predictions(class_probabilities(network, images), info["classes"], errors)


def exam(dataset: "Dataset", split: str) -> pd.DataFrame:
    """The examples of a split with the image files they were read from.

    IDX has no such files: then with those they would arrive as.
    """
    examples = dataset.examples(split)
    if dataset.has_raw:
        return examples.assign(image=dataset.raw(examples["id"]))
    images = dataset.array("images")
    return examples.assign(image=[encode(images[row]) for row in dataset.rows(split)])
