"""Images as they are stored, and pictures as networks see and make them."""

import torch


def image_shape(side: int, colour: str) -> tuple[int, ...]:
    """Shape of a stored image: (side, side) if grey, (side, side, 3) if rgb."""
    return (side, side) if colour == "grey" else (side, side, 3)


def picture_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Shape of the picture of an image: (height, width[, 3]) -> (colours, height, width)."""
    height, width, *colours = shape
    return (colours[0] if colours else 1, height, width)


def channels_first(images: torch.Tensor) -> torch.Tensor:
    """Images, (batch, height, width[, 3]) -> pictures, (batch, colours, height, width).

    They lie in the order of `channels_last`, in which convolutions on a CPU are faster.
    """
    ordered = images[:, None] if images.ndim == 3 else images.movedim(3, 1)
    return ordered.contiguous(memory_format=torch.channels_last)


def scale(images: torch.Tensor) -> torch.Tensor:
    """uint8 images -> pictures from 0 to 1."""
    return channels_first(images.float().div(255))


def as_images(pictures: torch.Tensor) -> torch.Tensor:
    """Pictures from 0 to 1 -> uint8 images."""
    values = pictures.mul(255).round().clamp(0, 255).to(torch.uint8)
    return values[:, 0] if values.shape[1] == 1 else values.movedim(1, 3)


def binary(pictures: torch.Tensor) -> torch.Tensor:
    """Black and white: pixels above the middle are 1, others 0."""
    return (pictures > 0.5).to(pictures.dtype)
