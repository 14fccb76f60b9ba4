"""The networks: pairs that work against each other, and autoencoders. Pixels in, pixels out."""

import copy
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional as F

from .adversarial import convolutional_pair, dense_pair
from .coding import coder
from .pixels import image_shape, picture_shape

if TYPE_CHECKING:
    from .params import DCGAN, GAN, VAE, Autoencoder

FRAMES, SHOWN = 20, 40  # sheets that are kept of a training, and pictures on each


class Drawing(nn.Module):
    """A network that draws pictures from random numbers.

    Attributes:
        latent: how many random numbers.
        classes: how many classes it can be asked for; 0 if it cannot.
        sheets: what it drew of the same numbers in the course of its training, uint8, shape
            (frames, pictures, height, width[, 3]); as many as `filled` says are there.
    """

    sheets: torch.Tensor
    filled: torch.Tensor

    def __init__(self, latent: int, shape: tuple[int, ...], classes: int) -> None:
        super().__init__()
        self.latent = latent
        self.classes = classes
        self.register_buffer("sheets", torch.zeros(FRAMES, SHOWN, *shape, dtype=torch.uint8))
        self.register_buffer("filled", torch.zeros((), dtype=torch.int64))

    def draw(self, noise: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """(batch, latent) and (batch,) -> pictures from 0 to 1, (batch, colours, height, width)."""
        raise NotImplementedError


class Adversarial(Drawing):
    """A generator, a discriminator, and the average of the generator's weights, which draws."""

    def __init__(self, model: "GAN | DCGAN", shape: tuple[int, ...], classes: int) -> None:
        """Build them for images of a shape, (height, width[, 3])."""
        super().__init__(model.latent, shape, classes)
        pictures = picture_shape(shape)
        if model.kind == "gan":
            self.generator, self.discriminator = dense_pair(model, pictures)
        else:
            self.generator, self.discriminator = convolutional_pair(model, pictures, classes)
        self.average = copy.deepcopy(self.generator).requires_grad_(False)

    def draw(self, noise: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """By the average of the weights."""
        drawn: torch.Tensor = self.average(noise, labels)
        return (drawn + 1) / 2


class Coding(nn.Module):
    """An autoencoder: images to a code and back."""

    def __init__(self, model: "Autoencoder", shape: tuple[int, ...]) -> None:
        """Build it for images of a shape, (height, width[, 3])."""
        super().__init__()
        pictures = picture_shape(shape)
        self.encoder, self.decoder = coder(model, pictures, model.code, model.code)
        for part in (self.encoder, self.decoder):
            part.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Pictures from 0 to 1, (batch, colours, height, width) -> logits of the same shape."""
        logits: torch.Tensor = self.decoder(self.code(pictures))
        return logits

    def code(self, pictures: torch.Tensor) -> torch.Tensor:
        """Pictures -> codes, (batch, numbers), or (batch, channels, height, width)."""
        codes: torch.Tensor = self.encoder(pictures)
        return codes


class Variational(Drawing):
    """An autoencoder whose code is a normal distribution, kept near the standard one."""

    def __init__(self, model: "VAE", shape: tuple[int, ...]) -> None:
        """Build it for images of a shape, (height, width[, 3])."""
        super().__init__(model.latent, shape, 0)
        pictures = picture_shape(shape)
        self.encoder, self.decoder = coder(model, pictures, 2 * model.latent, model.latent)
        for part in (self.encoder, self.decoder):
            part.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def encode(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and logarithm of the variance of the codes, each (batch, latent)."""
        mean, log_variance = self.encoder(pictures).chunk(2, 1)
        return mean, log_variance

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """Pictures -> logits by the most likely code."""
        logits: torch.Tensor = self.decoder(self.code(pictures))
        return logits

    def code(self, pictures: torch.Tensor) -> torch.Tensor:
        """Pictures -> the most likely code, (batch, latent)."""
        return self.encode(pictures)[0]

    def bound(self, pictures: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        """Nats that black and white pictures cost at most: the negative evidence bound.

        Args:
            pictures: of zeros and ones, (batch, colours, height, width).
            noise: standard normal, (batch, latent).

        Returns:
            Shape (batch,): Kullback-Leibler divergence of the code and cross-entropy of all pixels.
        """
        mean, log_variance = self.encode(pictures)
        logits = self.decoder(mean + noise * (log_variance / 2).exp())
        divergence = (mean.square() + log_variance.exp() - 1 - log_variance).sum(1) / 2
        costs = F.binary_cross_entropy_with_logits(logits, pictures, reduction="none")
        total: torch.Tensor = divergence + costs.flatten(1).sum(1)
        return total

    def draw(self, noise: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """From the standard normal distribution."""
        drawn: torch.Tensor = self.decoder(noise)
        return drawn.sigmoid()


Network = Adversarial | Coding | Variational


def network(model: "GAN | DCGAN | Autoencoder | VAE", info: dict[str, Any]) -> Network:
    """Build the network for a dataset's images and classes.

    Raises:
        PenstockError: the layers do not make pictures of this size.
    """
    shape = image_shape(info["image_size"][0], info["colour"])
    if model.kind == "autoencoder":
        return Coding(model, shape)
    if model.kind == "vae":
        return Variational(model, shape)
    classes = len(info["classes"]) if model.kind == "conditional" else 0
    return Adversarial(model, shape, classes)
