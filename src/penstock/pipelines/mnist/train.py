"""What training adds to the network: the loss, small shifts, and which arrays it learns from."""

from typing import TYPE_CHECKING

import numpy as np
from torch import nn

from ...datasets.dataset import Dataset
from ...learning.classifier import Classifier
from .augmentation import RandomShift

if TYPE_CHECKING:
    from .params import Params


def learner(network: nn.Module, params: "Params", dataset: Dataset) -> Classifier:
    """Wrap the network: cross-entropy on images that are shifted anew in each epoch."""
    return Classifier(network, params.train, augment=RandomShift(params.train.max_shift))


def arrays(dataset: Dataset) -> dict[str, np.ndarray]:
    """A batch is `inputs`, uint8 (batch, 28, 28), and `label`, (batch,)."""
    return {"inputs": dataset.array("images"), "label": dataset.index["label"].to_numpy()}
