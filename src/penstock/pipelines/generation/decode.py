"""From the bytes of one image file, or a grey image, to the square the network sees."""

from typing import Literal

import numpy as np
from PIL import Image

from ...kinds.images.decode import (
    as_eight_bits,
    as_rgb,
    fit_square,
    on_white,
    read_image,
)

MAX_PIXELS = 50_000_000

Colour = Literal["grey", "rgb"]
Fit = Literal["none", "resize", "crop"]


def decode(content: bytes, side: int, colour: Colour, fit: Fit) -> np.ndarray:
    """Decode one image file.

    Args:
        content: JPEG, PNG, TIFF, BMP or WebP.
        side: of the square.
        colour: whether colours are kept.
        fit: what becomes of an image of another size.

    Returns:
        uint8, shape (side, side) or (side, side, 3).

    Raises:
        ValueError: not an image, damaged, too large, or of another size and not to be fitted.
    """
    image, _ = read_image(content, MAX_PIXELS)
    image = as_eight_bits(image)
    image = as_rgb(image) if colour == "rgb" else on_white(image).convert("L")
    return np.asarray(_fit(image, side, fit))


def fit_grey(grey: np.ndarray, side: int, colour: Colour, fit: Fit) -> np.ndarray:
    """Bring a grey image, uint8 of shape (height, width), into the form that `decode` gives.

    Raises:
        ValueError: it is of another size, and not to be fitted.
    """
    image = _fit(Image.fromarray(grey), side, fit)
    return np.asarray(image.convert("RGB") if colour == "rgb" else image)


def _fit(image: Image.Image, side: int, fit: Fit) -> Image.Image:
    if image.size == (side, side):
        return image
    if fit == "none":
        width, height = image.size
        raise ValueError(
            f"{width}x{height} pixels; expected {side}x{side}, as data.image_size says; resize it, "
            "or set data.fit"
        )
    return fit_square(image, side, fit)
