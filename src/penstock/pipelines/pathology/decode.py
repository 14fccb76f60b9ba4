"""From the bytes of one image file to the square RGB image the network sees, and back."""

import io
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP")
BLANK = 1.0  # standard deviation of the liveliest channel, of 255, below which nothing is seen

Fit = Literal["resize", "crop"]


@dataclass(frozen=True)
class Decoded:
    """An image as the network sees it, and what its file said.

    Attributes:
        image: uint8, shape (size, size, 3).
        width: of the file, in pixels, before any turning.
        height: likewise.
        mode: Pillow's name of the file's colours, `CMYK` say.
        format: Pillow's name of the file format.
    """

    image: np.ndarray
    width: int
    height: int
    mode: str
    format: str


def decode(content: bytes, size: int, fit: Fit, min_side: int, max_pixels: int) -> np.ndarray:
    """Decode one image file; an RGB image that has the size already keeps its pixels.

    Args:
        content: JPEG, PNG, TIFF, BMP or WebP.
        size: side of the square.
        fit: `resize` squeezes the whole image into it, `crop` cuts out the middle.
        min_side: least shorter side of the image; one of the size itself always passes.
        max_pixels: most pixels of the image, checked before they are decoded.

    Returns:
        uint8, shape (size, size, 3).

    Raises:
        ValueError: not an image, damaged, too large, too small, or blank.
    """
    return open_image(content, size, fit, min_side, max_pixels).image


def open_image(content: bytes, size: int, fit: Fit, min_side: int, max_pixels: int) -> Decoded:
    """Decode as `decode` does, and say what the file's header says."""
    try:
        opened = Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:
        raise ValueError(f"not an image file; expected {', '.join(FORMATS)}") from None
    except Image.DecompressionBombError:
        raise ValueError(f"too large: above {max_pixels:,} pixels or Pillow's limit") from None
    except Exception as error:  # a damaged header makes Pillow's readers raise anything
        raise ValueError(f"damaged image file: {type(error).__name__}") from None
    with opened:
        width, height, mode, kind = *opened.size, opened.mode, opened.format or ""
        _check_size(width, height, min(min_side, size), max_pixels)
        image = _load(opened, size)
    image = _as_rgb(image)
    if image.size != (size, size):
        image = _fit(image, size, fit)
    pixels = np.asarray(image)
    if pixels.std((0, 1)).max() < BLANK:
        raise ValueError("blank: one colour throughout")
    return Decoded(pixels, width, height, mode, kind)


def encode(image: np.ndarray) -> bytes:
    """Encode a uint8 RGB image as a PNG file that decodes to the same pixels."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _check_size(width: int, height: int, least: int, most: int) -> None:
    if width * height > most:
        raise ValueError(f"too large: {width}x{height}; at most {most:,} pixels")
    if min(width, height) < least:
        raise ValueError(f"too small: {width}x{height}; at least {least} pixels on each side")


def _load(opened: Image.Image, size: int) -> Image.Image:
    """Decode the pixels and turn them as the camera was held."""
    try:
        # JPEG can be decoded at 1/2, 1/4 or 1/8; twice the size leaves enough to scale down from.
        opened.draft(opened.mode, (2 * size, 2 * size))
        return ImageOps.exif_transpose(opened)
    except Exception as error:  # see above
        how = "truncated" if "truncated" in str(error).lower() else "damaged"
        raise ValueError(f"{how} {opened.format} file") from None


def _as_rgb(image: Image.Image) -> Image.Image:
    """Bring any colours to 8-bit RGB; what is transparent becomes white."""
    if image.mode.startswith("I;16"):
        deep = np.asarray(image).astype(np.uint32)
        image = Image.fromarray(((deep + 128) // 257).astype(np.uint8))  # 65535 becomes 255
    if image.mode in ("I", "F"):
        raise ValueError("32-bit values, of which none is known to be white; save it with 8 or 16")
    try:
        if image.has_transparency_data:
            white = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(white, image.convert("RGBA"))
        return image.convert("RGB")
    except ValueError:
        raise ValueError(f"colours in {image.mode}; save it as RGB") from None


def _fit(image: Image.Image, size: int, fit: Fit) -> Image.Image:
    if fit == "crop":
        return ImageOps.fit(image, (size, size), Image.Resampling.BICUBIC)
    return image.resize((size, size), Image.Resampling.BICUBIC)
