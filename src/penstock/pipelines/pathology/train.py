"""What training adds to the network: the loss, its weights, and how images are changed."""

from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from ...datasets.dataset import Dataset
from ...learning.classifier import Classifier
from ...learning.sources import Rows, labelled_rows
from .augmentation import RandomAffine, StainJitter

if TYPE_CHECKING:
    from .network import TileNetwork
    from .params import Params

MEASURED = 2**22  # bytes of training images that are enough to know their mean colour by


def learner(network: "TileNetwork", params: "Params", dataset: Dataset) -> Classifier:
    """Wrap the network: weighted cross-entropy on images that are changed anew in each epoch."""
    train, rows, images = params.train, dataset.rows("train"), dataset.array("images")
    count = min(len(rows), max(1, MEASURED // images[0].nbytes))
    network.measure(images[rows[np.linspace(0, len(rows) - 1, count).astype(int)]])
    augment = nn.Sequential(
        RandomAffine(train.rotation, train.shift, train.flips),
        StainJitter(train.stain, train.brightness),
    )
    weights = _class_weights(dataset, rows) if train.class_weights else None
    return Classifier(network, train, augment=augment, class_weights=weights)


def _class_weights(dataset: Dataset, rows: np.ndarray) -> list[float]:
    """The inverse of each class's share of the training images; 1 where all are as frequent."""
    labels = dataset.index["label"].to_numpy()[rows]
    counts = np.bincount(labels, minlength=len(dataset.info["classes"]))
    weights: list[float] = (len(labels) / (len(counts) * np.maximum(counts, 1))).tolist()
    return weights


def source(dataset: Dataset, splits: tuple[str, ...], params: "Params") -> Rows:
    """A batch is `inputs`, uint8 (batch, side, side, 3), and `label`, (batch,)."""
    return labelled_rows(dataset, "images", splits)
