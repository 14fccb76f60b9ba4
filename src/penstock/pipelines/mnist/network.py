"""The digit classifier: from uint8 pixels to logits."""

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ...learning.convolution import conv_blocks, dense_blocks
from ...messages.errors import PenstockError

if TYPE_CHECKING:
    from .params import CNN, MLP

MEAN, STD = 0.1307, 0.3081  # of MNIST's training pixels on a scale of 0 to 1


class DigitNetwork(nn.Module):
    """Scales pixels, then applies `layers`."""

    def __init__(self, layers: nn.Sequential) -> None:
        super().__init__()
        self.layers = layers
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # faster on a CPU

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 images, shape (batch, height, width) -> logits, shape (batch, classes)."""
        scaled = images.float().div_(255).sub_(MEAN).div_(STD)
        logits: torch.Tensor = self.layers(scaled[:, None])
        return logits


def network(model: "CNN | MLP", info: dict[str, Any]) -> DigitNetwork:
    """Build the network for a dataset's image size and classes.

    Raises:
        PenstockError: the convolutions leave nothing of the image.
    """
    build = _cnn if model.kind == "cnn" else _mlp
    return DigitNetwork(build(model, info["image_size"], len(info["classes"])))  # type: ignore[arg-type]


def _cnn(model: "CNN", size: list[int], classes: int) -> nn.Sequential:
    height, width = size
    for _ in model.channels:
        lost = model.kernel - 1 if model.padding == "valid" else 0
        height, width = (height - lost) // 2, (width - lost) // 2
    if height < 1 or width < 1:
        raise PenstockError(
            f"params.yaml: pipelines.mnist.model: {len(model.channels)} convolutions of kernel "
            f"{model.kernel}, padding {model.padding}, leave nothing of {size[0]}x{size[1]} "
            "pixels; use fewer, a smaller kernel or padding same"
        )
    units = [height * width * model.channels[-1], *([model.dense] if model.dense else [])]
    return nn.Sequential(
        *conv_blocks(
            [1, *model.channels], model.kernel, model.padding, batch_norm=model.batch_norm
        ),
        nn.Flatten(),
        *dense_blocks(units, batch_norm=model.batch_norm, dropout=model.dropout),
        nn.Dropout(model.dropout),
        nn.Linear(units[-1], classes),
    )


def _mlp(model: "MLP", size: list[int], classes: int) -> nn.Sequential:
    units = [size[0] * size[1], *model.hidden]
    return nn.Sequential(
        nn.Flatten(),
        *dense_blocks(units, batch_norm=model.batch_norm, dropout=model.dropout),
        nn.Dropout(model.dropout),
        nn.Linear(units[-1], classes),
    )
