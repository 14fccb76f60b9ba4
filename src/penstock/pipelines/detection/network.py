"""The detector: from uint8 pixels to classes and boxes at the places of a map."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from .boxes import from_edges, places

if TYPE_CHECKING:
    from .params import Detector

MOMENTUM = 0.03  # of batch norm: batches are small
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

    def __init__(self, model: "Detector", classes: int) -> None:
        """Build for a number of classes."""
        super().__init__()
        channels, features = model.channels, model.features
        self.stride = model.stride
        self.register_buffer("mean", torch.zeros(3))
        self.register_buffer("std", torch.ones(3))
        self.stem = _convolution(3, channels[0], stride=2)
        self.stages = nn.ModuleList(
            nn.Sequential(_convolution(before, after, stride=2), Stage(after, blocks))
            for before, after, blocks in zip(channels, channels[1:], model.blocks, strict=False)
        )
        self.context = Context(channels[-1])
        levels = channels[-1 : -4 if model.stride == 8 else -5 : -1]  # the coarsest first
        self.lateral = nn.ModuleList(_convolution(it, features, kernel=1) for it in levels)
        self.merge = nn.ModuleList(Stage(features, 1) for _ in levels[1:])
        self.classes = nn.Sequential(
            _convolution(features, features), nn.Conv2d(features, classes, 1)
        )
        self.edges = nn.Sequential(_convolution(features, features), nn.Conv2d(features, 4, 1))
        nn.init.constant_(self.classes[-1].bias, -math.log(1 / RARE - 1))  # type: ignore[arg-type]
        nn.init.normal_(self.edges[-1].weight, 0.0, 0.01)  # type: ignore[arg-type]
        nn.init.constant_(self.edges[-1].bias, math.log(USUAL))  # type: ignore[arg-type]
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def measure(self, images: np.ndarray) -> None:
        """Take mean and standard deviation of each channel from uint8 images, (n, h, w, 3)."""
        self.mean.copy_(torch.from_numpy(images.mean((0, 1, 2))))
        self.std.copy_(torch.from_numpy(images.std((0, 1, 2)).clip(1)))

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
        maps = [self.stem(scaled)]
        for stage in self.stages:
            maps.append(stage(maps[-1]))
        top = self.lateral[0](self.context(maps[-1]))
        for level, (lateral, merge) in enumerate(
            zip(self.lateral[1:], self.merge, strict=True), start=2
        ):
            finer = lateral(maps[-level])
            top = merge(finer + F.interpolate(top, finer.shape[2:]))
        return top


class Stage(nn.Module):
    """Residual blocks on half of the channels, of which each result is kept.

    After CSPNet (Wang et al. 2019): as deep as blocks on all channels, for less.
    """

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        half = channels // 2
        self.enter = _convolution(channels, 2 * half, kernel=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(_convolution(half, half), _convolution(half, half)) for _ in range(blocks)
        )
        self.leave = _convolution((2 + blocks) * half, channels, kernel=1)

    def forward(self, shown: torch.Tensor) -> torch.Tensor:
        """Of the shape that is given."""
        parts = list(self.enter(shown).chunk(2, 1))
        for block in self.blocks:
            parts.append(parts[-1] + block(parts[-1]))
        out: torch.Tensor = self.leave(torch.cat(parts, 1))
        return out


class Context(nn.Module):
    """Adds to each cell the strongest of windows around it (pooling by He et al. 2014)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.enter = _convolution(channels, channels // 2, kernel=1)
        self.leave = _convolution(4 * (channels // 2), channels, kernel=1)

    def forward(self, shown: torch.Tensor) -> torch.Tensor:
        """Of the shape that is given."""
        parts = [self.enter(shown)]
        for _ in range(3):
            parts.append(F.max_pool2d(parts[-1], 5, 1, 2))
        out: torch.Tensor = self.leave(torch.cat(parts, 1))
        return out


def network(model: "Detector", info: dict[str, Any]) -> FCOS:
    """Build the network for a dataset's classes; images may have any size."""
    return FCOS(model, len(info["classes"]))


def _convolution(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs, momentum=MOMENTUM),
        nn.ReLU(inplace=True),
    )
