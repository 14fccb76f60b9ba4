"""The tissue classifier: from uint8 pixels to logits."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from ...learning.convolution import conv_blocks
from ...messages.errors import PenstockError

if TYPE_CHECKING:
    from .params import CNN, Dense, Residual


class TileNetwork(nn.Module):
    """Scales pixels by the training images' channel statistics, then applies `body`.

    The statistics are part of the weights: training measures them, and serving loads them.

    Attributes:
        cam_layer: name of the module whose activations Grad-CAM looks at.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, body: nn.Module, cam_layer: str) -> None:
        super().__init__()
        self.body = body
        self.cam_layer = cam_layer
        self.register_buffer("mean", torch.zeros(3))
        self.register_buffer("std", torch.ones(3))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def measure(self, images: np.ndarray) -> None:
        """Take mean and standard deviation of each channel from uint8 images, (n, h, w, 3)."""
        self.mean.copy_(torch.from_numpy(images.mean((0, 1, 2))))
        self.std.copy_(torch.from_numpy(images.std((0, 1, 2)).clip(1)))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images from 0 to 255, shape (batch, height, width, 3) -> logits, (batch, classes)."""
        scaled = (images.float() - self.mean) / self.std
        logits: torch.Tensor = self.body(scaled.permute(0, 3, 1, 2))
        return logits


def network(model: "CNN | Residual | Dense", info: dict[str, Any]) -> TileNetwork:
    """Build the network for a dataset's image size and classes.

    Raises:
        PenstockError: the convolutions leave nothing of the image.
    """
    classes = len(info["classes"])
    if model.kind == "cnn":
        return TileNetwork(_cnn(model, info["image_size"][0], classes), "body.0")
    from monai.networks.nets import DenseNet121, resnet18  # slow to import

    if model.kind == "resnet18":
        residual = resnet18(spatial_dims=2, n_input_channels=3, num_classes=classes)
        return TileNetwork(residual, "body.layer4")
    dense = DenseNet121(spatial_dims=2, in_channels=3, out_channels=classes)
    return TileNetwork(dense, "body.class_layers.relu")


def _cnn(model: "CNN", size: int, classes: int) -> nn.Sequential:
    """3x3 convolutions 32, 64, 128 with 2x2 max pooling, dense 128, dropout 0.5.

    After the recipe of many tutorials on these tiles, with batch norm and average pooling unless
    the parameters say otherwise.
    """
    side = size >> len(model.channels)
    if side < 1:
        raise PenstockError(
            f"params.yaml: pipelines.pathology.model.channels: {len(model.channels)} poolings "
            f"leave nothing of {size}x{size} pixels; use fewer channels or larger images"
        )
    blocks = conv_blocks([3, *model.channels], 3, "same", batch_norm=model.batch_norm)
    positions = side * side if model.pool == "flatten" else 1
    pool = nn.Flatten() if model.pool == "flatten" else _average()
    return nn.Sequential(
        nn.Sequential(*blocks),
        pool,
        nn.Linear(positions * model.channels[-1], model.dense),
        *([nn.BatchNorm1d(model.dense)] if model.batch_norm else []),
        nn.ReLU(),
        nn.Dropout(model.dropout),
        nn.Linear(model.dense, classes),
    )


def _average() -> nn.Sequential:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
