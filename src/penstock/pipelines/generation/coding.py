"""Autoencoders: a network that compresses an image into a code, and one that makes it again."""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from .params import VAE, Autoencoder


class Crop(nn.Module):
    """Cuts a picture to a side: what was rounded up when it was halved is taken off again."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Pictures, shape (batch, channels, height, width)."""
        return pictures[:, :, : self.side, : self.side]


def sides(side: int, layers: int) -> list[int]:
    """The side of the picture before each layer that halves it, and after the last."""
    return [math.ceil(side / 2**layer) for layer in range(layers + 1)]


def coder(
    model: "Autoencoder | VAE", shape: tuple[int, ...], codes: int | None, decoded: int | None
) -> tuple[nn.Sequential, nn.Sequential]:
    """An encoder and the decoder that mirrors it; the decoder gives logits of pixels.

    Args:
        model: channels, and how pictures are halved.
        shape: of a picture, (colours, height, width).
        codes: numbers that the encoder gives by a dense layer; None for its last feature map.
        decoded: numbers that the decoder is given.
    """
    strided = getattr(model, "pooling", "stride") == "stride"
    colours, side, _ = shape
    at = sides(side, len(model.channels))
    steps = list(pairwise([colours, *model.channels]))
    encoder = [
        layer
        for before, after in steps
        for layer in (_halve(before, after) if strided else _pool(before, after))
    ]
    decoder = [
        layer
        for number in reversed(range(len(steps)))
        for layer in _double(steps[number][1], steps[number][0], at[number], strided, not number)
    ]
    if codes is not None and decoded is not None:
        last, cells = model.channels[-1], model.channels[-1] * at[-1] ** 2
        encoder += [nn.Flatten(), nn.Linear(cells, codes)]
        grow = [nn.Linear(decoded, cells), nn.ReLU(), nn.Unflatten(1, (last, at[-1], at[-1]))]
        decoder = [*grow, *decoder]
    return nn.Sequential(*encoder), nn.Sequential(*decoder)


def _halve(before: int, after: int) -> Iterator[nn.Module]:
    # An odd side is rounded up, as max pooling below does.
    yield nn.Conv2d(before, after, 3, 2, 1, bias=False)
    yield nn.BatchNorm2d(after)
    yield nn.ReLU(inplace=True)


def _pool(before: int, after: int) -> Iterator[nn.Module]:
    yield nn.Conv2d(before, after, 3, padding=1)
    yield nn.ReLU(inplace=True)
    yield nn.MaxPool2d(2, ceil_mode=True)


def _double(before: int, after: int, side: int, strided: bool, last: bool) -> Iterator[nn.Module]:
    """Layers that make a picture of a side twice as small as large as that."""
    if strided:
        yield nn.ConvTranspose2d(before, before if last else after, 4, 2, 1, bias=False)
        yield Crop(side)
        yield nn.BatchNorm2d(before if last else after)
        yield nn.ReLU(inplace=True)
        if last:
            yield nn.Conv2d(before, after, 3, padding=1)
        return
    yield nn.Conv2d(before, before, 3, padding=1)
    yield nn.ReLU(inplace=True)
    yield nn.Upsample(scale_factor=2)
    yield Crop(side)
    if last:
        yield nn.Conv2d(before, after, 3, padding=1)
    elif before != after:
        yield nn.Conv2d(before, after, 3, padding=1)
        yield nn.ReLU(inplace=True)
