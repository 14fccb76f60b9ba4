"""From the bytes of an image file to pixels: bounded before they are decoded."""

import io
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

Fit = Literal["resize", "crop"]
FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP")  # not GIF, which may move


@dataclass(frozen=True)
class Header:
    """What an image file says of itself.

    Attributes:
        width: in pixels, before any turning.
        height: likewise.
        mode: Pillow's name of the file's colours, `CMYK` say.
        format: Pillow's name of the file format.
    """

    width: int
    height: int
    mode: str
    format: str


def read_image(
    content: bytes, max_pixels: int, min_side: int = 1, draft: int | None = None
) -> tuple[Image.Image, Header]:
    """Decode one image file, turned as the camera was held; of several images the first.

    Args:
        content: JPEG, PNG, TIFF, BMP or WebP.
        max_pixels: most pixels, checked before they are decoded.
        min_side: least pixels on each side.
        draft: pixels on each side that are enough: a larger JPEG may be decoded at a half, a
            quarter or an eighth of its size.

    Raises:
        ValueError: not an image, damaged, too large or too small; with the reason.
    """
    try:
        opened = Image.open(io.BytesIO(content), formats=FORMATS)
    except UnidentifiedImageError:
        raise ValueError(f"not an image file; expected {', '.join(FORMATS)}") from None
    except Image.DecompressionBombError:
        raise ValueError(f"too large: above {max_pixels:,} pixels or Pillow's limit") from None
    except Exception as error:  # a damaged header makes Pillow's readers raise anything
        raise ValueError(f"damaged image file: {type(error).__name__}") from None
    with opened:
        header = Header(*opened.size, opened.mode, opened.format or "")
        _check_size(header, min_side, max_pixels)
        try:
            if draft:
                opened.draft(opened.mode, (draft, draft))
            return ImageOps.exif_transpose(opened), header
        except Exception as error:  # see above
            how = "truncated" if "truncated" in str(error).lower() else "damaged"
            raise ValueError(f"{how} {header.format} file") from None


def _check_size(header: Header, least: int, most: int) -> None:
    shown = f"{header.width}x{header.height}"
    if header.width * header.height > most:
        raise ValueError(f"too large: {shown}; at most {most:,} pixels")
    if min(header.width, header.height) < least:
        raise ValueError(f"too small: {shown}; at least {least} pixels on each side")


def as_eight_bits(image: Image.Image, depth: int = 16) -> Image.Image:
    """Bring grey values of 16 bits to 8; other images stay as they are.

    Args:
        image: of any mode.
        depth: bits that are used: what they can hold at most becomes white, and so does more.
    """
    if not image.mode.startswith("I;16"):
        return image
    most = 2**depth - 1
    deep = np.minimum(np.asarray(image), most).astype(np.uint32)
    return Image.fromarray(((deep * 255 + most // 2) // most).astype(np.uint8))


def on_white(image: Image.Image) -> Image.Image:
    """Make white what is transparent."""
    if not image.has_transparency_data:
        return image
    white = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(white, image.convert("RGBA"))


def as_rgb(image: Image.Image) -> Image.Image:
    """Bring any colours to 8-bit RGB; what is transparent becomes white.

    Raises:
        ValueError: colours that have no such form.
    """
    if image.mode in ("I", "F"):
        raise ValueError("32-bit values, of which none is known to be white; save it with 8 or 16")
    try:
        return on_white(image).convert("RGB")
    except ValueError:
        raise ValueError(f"colours in {image.mode}; save it as RGB") from None


def fit_square(image: Image.Image, side: int, fit: Fit) -> Image.Image:
    """Squeeze an image into a square, or scale its shorter side and cut out the middle."""
    if fit == "crop":
        return ImageOps.fit(image, (side, side), Image.Resampling.BICUBIC)
    return image.resize((side, side), Image.Resampling.BICUBIC)


def encode(image: np.ndarray) -> bytes:
    """Encode a uint8 image, grey or RGB, as a PNG file that decodes to the same pixels."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
