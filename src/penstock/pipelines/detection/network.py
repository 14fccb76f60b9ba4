"""The detector: from uint8 pixels to classes and boxes at the places of a map."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from .backbones import EfficientNetLite0, Residual, Stage, convolution
from .boxes import from_edges, places

if TYPE_CHECKING:
    from .params import Pretrained, Scratch

    Model = Scratch | Pretrained

RARE = 0.01  # probability of each class at the start: most places have nothing (Lin et al. 2017)
USUAL = 3.0  # strides from a place to the edges at the start
RANGE = (-3.0, 5.0)  # of the logarithm of these distances: to 148 strides


class FCOS(nn.Module):
    """Says at each place which class of object it is in, and how far its four edges are.

    After FCOS (Tian et al. 2019), at one resolution, to which coarser ones are added from the top
    down (Lin et al. 2017).

    Attributes:
        stride: pixels from one place to the next.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(
        self, model: "Model", backbone: Residual | EfficientNetLite0, classes: int
    ) -> None:
        """Build upon a backbone, for a number of classes."""
        super().__init__()
        channels, features = backbone.channels, model.features
        self.stride = model.stride
        self.register_buffer("mean", torch.zeros(3))
        self.register_buffer("std", torch.ones(3))
        self.backbone = backbone
        self.context = Context(channels[-1])
        levels = channels[: 0 if model.stride == 8 else None : -1]  # the coarsest first
        self.lateral = nn.ModuleList(convolution(it, features, kernel=1) for it in levels)
        self.merge = nn.ModuleList(Stage(features, 1) for _ in levels[1:])
        self.classes = nn.Sequential(
            convolution(features, features), nn.Conv2d(features, classes, 1)
        )
        self.edges = nn.Sequential(convolution(features, features), nn.Conv2d(features, 4, 1))
        nn.init.constant_(self.classes[-1].bias, -math.log(1 / RARE - 1))  # type: ignore[arg-type]
        nn.init.normal_(self.edges[-1].weight, 0.0, 0.01)  # type: ignore[arg-type]
        nn.init.constant_(self.edges[-1].bias, math.log(USUAL))  # type: ignore[arg-type]
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def scale(self, mean: np.ndarray | float, std: np.ndarray | float) -> None:
        """Take over mean and standard deviation of pixels, of each channel or of all."""
        self.mean.copy_(torch.as_tensor(mean))
        self.std.copy_(torch.as_tensor(std))

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Answer for each place, row by row.

        Args:
            images: from 0 to 255, shape (batch, height, width, 3).

        Returns:
            Logits, shape (batch, places, classes), and boxes in pixels, (batch, places, 4).
        """
        scaled = ((images.float() - self.mean) / self.std).permute(0, 3, 1, 2)
        shown = self._map(scaled)
        logits, edges = self.classes(shown).float(), self.edges(shown).float()
        rows, columns = shown.shape[2:]
        around = places(rows, columns, self.stride, shown.device)
        logits, edges = (it.flatten(2).transpose(1, 2) for it in (logits, edges))
        return logits, from_edges(edges.clamp(*RANGE), around, self.stride)

    def _map(self, scaled: torch.Tensor) -> torch.Tensor:
        """Features at each place, with what coarser maps know of its surroundings."""
        maps = self.backbone(scaled)
        top = self.lateral[0](self.context(maps[-1]))
        for level, (lateral, merge) in enumerate(
            zip(self.lateral[1:], self.merge, strict=True), start=2
        ):
            finer = lateral(maps[-level])
            top = merge(finer + F.interpolate(top, finer.shape[2:]))
        return top


class Context(nn.Module):
    """Adds to each cell the strongest of windows around it (pooling by He et al. 2014)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.enter = convolution(channels, channels // 2, kernel=1)
        self.leave = convolution(4 * (channels // 2), channels, kernel=1)

    def forward(self, shown: torch.Tensor) -> torch.Tensor:
        """Of the shape that is given."""
        parts = [self.enter(shown)]
        for _ in range(3):
            parts.append(F.max_pool2d(parts[-1], 5, 1, 2))
        out: torch.Tensor = self.leave(torch.cat(parts, 1))
        return out


def network(model: "Model", info: dict[str, Any]) -> FCOS:
    """Build the network for a dataset's classes; images may have any size."""
    if model.kind == "residual":
        backbone: Residual | EfficientNetLite0 = Residual(model.channels, model.blocks)
    else:
        backbone = EfficientNetLite0()
    return FCOS(model, backbone, len(info["classes"]))
