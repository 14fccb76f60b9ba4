"""From the bytes of one image file to the square RGB image the network sees."""

import numpy as np

from ...kinds.images.decode import Fit, Header, as_eight_bits, as_rgb, fit_square, read_image

BLANK = 1.0  # standard deviation of the liveliest channel, of 255, below which nothing is seen


def decode(
    content: bytes, size: int, fit: Fit, min_side: int, max_pixels: int, depth: int = 16
) -> np.ndarray:
    """Decode one image file; an RGB image that has the size already keeps its pixels.

    Args:
        content: JPEG, PNG, TIFF, BMP or WebP.
        size: side of the square.
        fit: `resize` squeezes the whole image into it, `crop` cuts out the middle.
        min_side: least shorter side of the image; one of the size itself always passes.
        max_pixels: most pixels of the image, checked before they are decoded.
        depth: bits that are used of a file with 16.

    Returns:
        uint8, shape (size, size, 3).

    Raises:
        ValueError: not an image, damaged, too large, too small, or blank.
    """
    return open_image(content, size, fit, min_side, max_pixels, depth)[0]


def open_image(
    content: bytes, size: int, fit: Fit, min_side: int, max_pixels: int, depth: int = 16
) -> tuple[np.ndarray, Header]:
    """Decode as `decode` does, and say what the file's header says."""
    # Of a JPEG, twice the size leaves enough to scale down from.
    image, header = read_image(content, max_pixels, min(min_side, size), 2 * size)
    image = as_rgb(as_eight_bits(image, depth))
    if image.size != (size, size):
        image = fit_square(image, size, fit)
    pixels = np.asarray(image)
    if pixels.std((0, 1)).max() < BLANK:
        raise ValueError("blank: one colour throughout")
    return pixels, header
