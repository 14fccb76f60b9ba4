"""Two networks that work against each other: one draws, one judges (Goodfellow et al. 2014)."""

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import spectral_norm

from ...messages.errors import PenstockError

if TYPE_CHECKING:
    from .params import DCGAN, GAN

SLOPE = 0.2  # of the leaky ReLU of dense networks below zero


class Generator(nn.Module):
    """Random numbers, and a class if there are some -> pictures from -1 to 1."""

    def __init__(self, layers: nn.Module, shape: tuple[int, ...], classes: int) -> None:
        """Take over layers that are given the numbers, and as many more as there are classes."""
        super().__init__()
        self.layers = layers
        self.shape = shape  # of a picture: (colours, height, width)
        self.classes = classes

    def forward(self, noise: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Draw: (batch, latent) and (batch,) -> (batch, colours, height, width)."""
        if self.classes:
            noise = torch.cat([noise, F.one_hot(labels, self.classes).to(noise.dtype)], 1)
        drawn: torch.Tensor = self.layers(noise)
        return drawn.view(-1, *self.shape)


class Discriminator(nn.Module):
    """Pictures, and their classes if it is told -> how real they look, more being more."""

    def __init__(self, layers: nn.Module, units: int, classes: int, normalised: bool) -> None:
        """Take over layers that give so many features of a picture."""
        super().__init__()
        self.layers = layers
        self.real = _normalise(nn.Linear(units, 1), normalised)
        self.of_class = _normalise(nn.Embedding(classes, units), normalised) if classes else None

    def forward(self, pictures: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Judge: (batch, colours, height, width) from -1 to 1 -> (batch,)."""
        features = self.layers(pictures)
        judged: torch.Tensor = self.real(features)[:, 0]
        if self.of_class is not None:  # projection (Miyato and Koyama 2018)
            judged = judged + (self.of_class(labels) * features).sum(1)
        return judged


def dense_pair(model: "GAN", shape: tuple[int, ...]) -> tuple[Generator, Discriminator]:
    """Both networks of dense layers, for pictures of a shape, (colours, height, width)."""
    pixels = shape[0] * shape[1] * shape[2]
    hidden = [model.latent, *model.generator]
    draws = [
        layer
        for inputs, outputs in pairwise(hidden)
        for layer in (nn.Linear(inputs, outputs), nn.LeakyReLU(SLOPE))
    ]
    output = nn.Tanh() if model.output == "tanh" else Signed()
    judges = [
        layer
        for inputs, outputs in pairwise([pixels, *model.discriminator])
        for layer in (nn.Linear(inputs, outputs), nn.LeakyReLU(SLOPE), nn.Dropout(model.dropout))
    ]
    return (
        Generator(nn.Sequential(*draws, nn.Linear(hidden[-1], pixels), output), shape, 0),
        Discriminator(nn.Sequential(nn.Flatten(), *judges), model.discriminator[-1], 0, False),
    )


class Signed(nn.Module):
    """A sigmoid that runs from -1 to 1."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Values of any shape."""
        return 2 * values.sigmoid() - 1


def convolutional_pair(
    model: "DCGAN", shape: tuple[int, ...], classes: int
) -> tuple[Generator, Discriminator]:
    """Both networks of convolutions, for pictures of a shape, (colours, height, width).

    Raises:
        PenstockError: the strides do not make pictures of this size.
    """
    side = shape[1]
    for stride in model.strides:
        if side % stride:
            raise PenstockError(
                f"params.yaml: pipelines.generation.model.strides: {model.strides} do not come to "
                f"{shape[1]} pixels; expected a product that divides it"
            )
        side //= stride
    draws = nn.Sequential(*_draw(model, shape[0], side, model.latent + classes))
    judges = nn.Sequential(*_judge(model, shape[0]), nn.Flatten())
    with torch.no_grad():
        units = judges(torch.zeros(1, *shape)).shape[1]
    pair = (
        Generator(draws, shape, classes),
        Discriminator(judges, units, classes, model.spectral_norm),
    )
    for network in pair:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return pair


def _draw(model: "DCGAN", colours: int, side: int, inputs: int) -> Iterator[nn.Module]:
    """Layers from random numbers to a picture; batch norm after all but the last."""
    first = model.channels[0]
    yield nn.Linear(inputs, side * side * first, bias=False)
    yield nn.Unflatten(1, (first, side, side))
    steps = list(zip(pairwise([*model.channels, colours]), model.strides, strict=True))
    for (before, after), stride in steps:
        yield nn.BatchNorm2d(before)
        yield nn.LeakyReLU(model.slope, inplace=True)
        yield _enlarge(before, after, model.kernel, stride)
    yield nn.Tanh()


def _enlarge(before: int, after: int, kernel: int, stride: int) -> nn.Module:
    """A transposed convolution that makes the picture `stride` times as large, exactly."""
    if stride == 1:
        kernel -= 1 - kernel % 2
    return nn.ConvTranspose2d(
        before,
        after,
        kernel,
        stride,
        (kernel - 1) // 2,
        output_padding=(stride - 1) * (kernel % 2),
        bias=False,
    )


def _judge(model: "DCGAN", colours: int) -> Iterator[nn.Module]:
    """Layers from a picture to features, each at half the size."""
    for before, after in pairwise([colours, *model.discriminator]):
        layer = nn.Conv2d(before, after, model.kernel, 2, (model.kernel - 1) // 2)
        yield _normalise(layer, model.spectral_norm)
        yield nn.LeakyReLU(model.slope, inplace=True)
        yield nn.Dropout(model.dropout)


def _normalise(layer: nn.Module, normalised: bool) -> nn.Module:
    return spectral_norm(layer) if normalised else layer
