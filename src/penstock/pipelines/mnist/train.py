"""What training adds to the network: the loss, small shifts, and which arrays it learns from."""

from typing import TYPE_CHECKING

from torch import nn

from ...datasets.dataset import Dataset
from ...learning.classifier import Classifier
from ...learning.sources import Rows, labelled_rows
from .augmentation import RandomShift

if TYPE_CHECKING:
    from .params import Params


def learner(network: nn.Module, params: "Params", dataset: Dataset) -> Classifier:
    """Wrap the network: cross-entropy on images that are shifted anew in each epoch."""
    return Classifier(network, params.train, augment=RandomShift(params.train.max_shift))


def source(dataset: Dataset, splits: tuple[str, ...], params: "Params") -> Rows:
    """A batch is `inputs`, uint8 (batch, 28, 28), and `label`, (batch,)."""
    return labelled_rows(dataset, "images", splits)
