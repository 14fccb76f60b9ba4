"""What training adds to the network: the loss, and how images are changed."""

from typing import TYPE_CHECKING

import numpy as np

from ...datasets.dataset import Dataset
from ...learning.sources import Joined, Ragged, Rows
from .augmentation import Augmentation
from .backbones import EfficientNetLite0
from .decode import scales
from .learner import DetectionLearner
from .network import FCOS

if TYPE_CHECKING:
    from .params import Params

MEASURED = 2**24  # bytes of training images that are enough to know their mean colour by


def learner(network: FCOS, params: "Params", dataset: Dataset) -> DetectionLearner:
    """Wrap the network, scaled by the colours of the training images, or as ImageNet's were."""
    train, rows, images = params.train, dataset.rows("train"), dataset.array("images")
    if isinstance(network.backbone, EfficientNetLite0):
        network.backbone.load_imagenet()
        network.scale(EfficientNetLite0.MEAN, EfficientNetLite0.STD)
    else:
        count = min(len(rows), max(1, MEASURED // images[0].nbytes))
        few = images[rows[np.linspace(0, len(rows) - 1, count).astype(int)]]
        network.scale(few.mean((0, 1, 2)), few.std((0, 1, 2)).clip(1))
    augment = Augmentation(train.zoom, train.turns, train.colour, train.mosaic)
    return DetectionLearner(network, train, augment)


def source(dataset: Dataset, splits: tuple[str, ...], params: "Params") -> Joined | None:
    """A batch is `inputs`, `inside`, and ragged `boxes`, `labels`, `crowd` with `lengths`.

    Boxes are in pixels of the letterbox. Nothing is measured on validation images that are learned
    from: it would say nothing, and take time.
    """
    if splits == ("validation",) and params.train.on_validation_too:
        return None
    rows, index = dataset.rows(*splits), dataset.index
    factors = scales(
        index["width"].to_numpy(), index["height"].to_numpy(), *dataset.info["image_size"]
    )
    sizes = index[["width", "height"]].to_numpy() * factors[:, :2]
    boxes = dataset.array("boxes") * np.repeat(factors, index["boxes"].to_numpy(), axis=0)
    ragged = {
        "boxes": boxes.astype(np.float32),
        "labels": dataset.array("labels"),
        "crowd": dataset.array("crowd"),
    }
    starts, stops = (index[name].to_numpy()[rows] for name in ("start", "stop"))
    images = {"inputs": dataset.array("images"), "inside": sizes.astype(np.float32)}
    return Joined(Rows(images, rows), Ragged(ragged, starts, stops))
