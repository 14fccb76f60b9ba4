"""How rulers are trained: by Lightning, and apart from `ruler`, for no served model does so."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

from ...learning.classifier import Classifier
from ...learning.sources import Rows
from ...learning.training import fit, seed
from ...messages.errors import PenstockError
from ...settings.sections import ClassifierParams
from .ruler import Ruler


def train_ruler(images: np.ndarray, index: pd.DataFrame, classes: int, steps: int) -> Ruler:
    """Train one on the training split; on the CPU, by the same settings for every dataset.

    Args:
        images: uint8, shape (images, height, width[, 3]); may be memory-mapped.
        index: `split` and `label` of each.
        classes: how many there are.
        steps: least training steps.

    Raises:
        PenstockError: there is nothing to learn from.
    """
    params = ClassifierParams(
        accelerator="cpu",
        batch_size=128,
        learning_rate=0.004,
        max_epochs=2,
        min_steps=steps,
        workers=0,
    )
    seed(params)
    rows = np.flatnonzero(index["split"] == "train")
    if len(rows) < 2:
        raise PenstockError(
            f"{len(rows)} of {len(index)} images are in the train split; expected two at least; "
            "add images, or change data.test_share and data.validation_share"
        )
    ruler = Ruler(images.shape[1:], classes)
    arrays = {"inputs": images, "label": index["label"].to_numpy()}
    with tempfile.TemporaryDirectory() as folder:
        fit(
            Classifier(ruler, params),
            Rows(arrays, rows),
            None,
            params,
            Path(folder),
            lambda *_: None,
            psutil.virtual_memory().available,
        )
    return ruler.eval()
