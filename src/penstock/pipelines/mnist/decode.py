"""From the bytes of one image file, or a grey image, to the square the network sees."""

from typing import Literal

import numpy as np
from PIL import Image

from ...kinds.images.decode import as_eight_bits, on_white, read_image

BOX = 20 / 28  # MNIST fits each digit into a box of this share, then centres its mass
FAINT = 0.15  # of the strongest ink: less is taken for paper
CONTRAST = 16  # of 255: less tells no digit from the paper
MAX_PIXELS = 50_000_000

Fit = Literal["digit", "resize"]


def decode(content: bytes, side: int, fit: Fit) -> np.ndarray:
    """Decode one image file of any colours, and fit it.

    Returns:
        uint8, shape (side, side): 0 is background.

    Raises:
        ValueError: not an image, too large, or blank.
    """
    image, _ = read_image(content, MAX_PIXELS)
    grey = on_white(as_eight_bits(image)).convert("L")
    return fit_image(np.asarray(grey), side, fit)


def fit_image(grey: np.ndarray, side: int, fit: Fit) -> np.ndarray:
    """Bring a grey image into the square that the network sees.

    One that has the size is taken as it is. With `digit` any other is brought into MNIST's form:
    white on black, cropped to the digit, fitted into 20x20 of 28x28 and centred by mass (LeCun et
    al. 1998). With `resize` it is squeezed into the square.

    Args:
        grey: uint8, shape (height, width).
        side: of the square.
        fit: how.

    Raises:
        ValueError: blank.
    """
    if grey.shape == (side, side):
        return grey
    if fit == "resize":
        image = Image.fromarray(grey)
        return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC))
    return _as_digit(grey, side)


def _as_digit(grey: np.ndarray, side: int) -> np.ndarray:
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    paper = float(np.median(border))
    ink = np.abs(grey.astype(np.float32) - paper)
    if ink.max() < CONTRAST:
        raise ValueError("blank: no digit stands out from the background")
    ink = np.where(ink < FAINT * ink.max(), 0, ink) * (255 / ink.max())
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    digit = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = round(BOX * side) / max(digit.shape)
    size = (max(1, round(digit.shape[1] * scale)), max(1, round(digit.shape[0] * scale)))
    small = np.asarray(Image.fromarray(digit).resize(size, Image.Resampling.BOX))
    weights = small / small.sum()
    middle = (weights.sum(1) @ np.arange(size[1]), weights.sum(0) @ np.arange(size[0]))
    canvas = np.zeros((side, side), np.uint8)
    top, left = (
        int(np.clip(round((side - 1) / 2 - centre), 0, side - length))
        for centre, length in zip(middle, small.shape, strict=True)
    )
    canvas[top : top + size[1], left : left + size[0]] = small.round().astype(np.uint8)
    return canvas
