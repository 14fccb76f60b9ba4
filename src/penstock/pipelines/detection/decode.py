"""From the bytes of one image file to the letterbox the network sees, and back to its pixels."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from ...kinds.images.decode import as_eight_bits, as_rgb, read_image

GREY = 114  # of the border that fills a letterbox, about the mean of photographs
MIN_SIDE = 8  # pixels


@dataclass(frozen=True)
class Letterbox:
    """An image scaled to fit, its proportions kept, with grey on the right or below.

    Attributes:
        pixels: uint8, shape (height, width, 3).
        width: of the image as it is seen, turned as the camera was held, in pixels.
        height: likewise.
        format: Pillow's name of the file format.
    """

    pixels: np.ndarray
    width: int
    height: int
    format: str


def decode(content: bytes, height: int, width: int, max_pixels: int) -> Letterbox:
    """Decode one image file.

    Args:
        content: JPEG, PNG, TIFF, BMP or WebP.
        height: of the letterbox.
        width: likewise.
        max_pixels: most pixels of the image, checked before they are decoded.

    Raises:
        ValueError: not an image, damaged, too large or too small; with the reason.
    """
    image, header = read_image(content, max_pixels, MIN_SIDE)
    image = as_rgb(as_eight_bits(image))
    size = fitted(image.width, image.height, height, width)
    pixels = np.full((height, width, 3), GREY, np.uint8)
    scaled = image.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    pixels[: size[1], : size[0]] = np.asarray(scaled)
    return Letterbox(pixels, image.width, image.height, header.format)


def fitted(width: int, height: int, most_height: int, most_width: int) -> tuple[int, int]:
    """Width and height of an image of this size in a letterbox."""
    scale = min(most_width / width, most_height / height)
    return max(1, round(width * scale)), max(1, round(height * scale))


def scales(
    widths: np.ndarray, heights: np.ndarray, most_height: int, most_width: int
) -> np.ndarray:
    """What corners of boxes in pixels are multiplied by to lie in the letterbox, shape (n, 4)."""
    sizes = [(widths[it], heights[it]) for it in range(len(widths))]
    inside = np.array([fitted(*it, most_height, most_width) for it in sizes]).reshape(-1, 2)
    factors = inside / np.array(sizes, np.float64).reshape(-1, 2)
    return np.concatenate([factors, factors], 1)
