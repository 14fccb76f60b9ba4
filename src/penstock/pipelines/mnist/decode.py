"""From the bytes of one image file to the 28x28 grey image the network sees."""

import numpy as np
from PIL import Image

from ...kinds.images.decode import on_white, read_image

SIDE = 28
BOX = 20  # MNIST fits each digit into a box of this side, then centres its mass in 28x28
MAX_PIXELS = 50_000_000


def decode(content: bytes) -> np.ndarray:
    """Decode one image file.

    A 28x28 grey image is taken as it is. Any other is brought into MNIST's form: grey, white on
    black, cropped to the digit, fitted into 20x20 and centred by mass (LeCun et al. 1998).

    Returns:
        uint8, shape (28, 28): 0 is background.

    Raises:
        ValueError: not an image, too large, or blank.
    """
    image, _ = read_image(content, MAX_PIXELS)
    if image.mode == "L" and image.size == (SIDE, SIDE):
        return np.asarray(image)
    grey = np.asarray(on_white(image).convert("L"))
    return _normalise(grey)


def _normalise(grey: np.ndarray) -> np.ndarray:
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    paper = float(np.median(border))
    ink = np.abs(grey.astype(np.float32) - paper)
    if ink.max() < 16:
        raise ValueError("blank: no digit stands out from the background")
    ink = np.where(ink < 0.15 * ink.max(), 0, ink) * (255 / ink.max())
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    digit = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = BOX / max(digit.shape)
    size = (max(1, round(digit.shape[1] * scale)), max(1, round(digit.shape[0] * scale)))
    small = np.asarray(Image.fromarray(digit).resize(size, Image.Resampling.BOX))
    weights = small / small.sum()
    middle = (weights.sum(1) @ np.arange(size[1]), weights.sum(0) @ np.arange(size[0]))
    canvas = np.zeros((SIDE, SIDE), np.uint8)
    top, left = (
        int(np.clip(round((SIDE - 1) / 2 - centre), 0, SIDE - length))
        for centre, length in zip(middle, small.shape, strict=True)
    )
    canvas[top : top + size[1], left : left + size[0]] = small.round().astype(np.uint8)
    return canvas
