"""Boxes drawn over an image."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

# Colours that the colour-blind tell apart (Okabe and Ito 2008).
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#f0e442")
LINE, TEXT = 320, 30  # a line is a pixel wide for so many of the longer side; a letter high


def colour_of(label: int) -> str:
    """The colour of a class."""
    return COLOURS[label % len(COLOURS)]


def draw_boxes(
    image: Image.Image, boxes: np.ndarray, colours: Sequence[str], captions: Sequence[str]
) -> np.ndarray:
    """Draw boxes, each with a caption above it or, at the upper edge, in it.

    Args:
        image: in RGB.
        boxes: left, top, right, bottom in pixels, shape (n, 4).
        colours: of each.
        captions: of each; may be empty.

    Returns:
        uint8, shape (height, width, 3).
    """
    drawn = image.copy()
    pen = ImageDraw.Draw(drawn)
    longer = max(image.size)
    line, height = max(1, round(longer / LINE)), max(9, longer // TEXT)
    font = ImageFont.load_default(height)
    for box, colour, caption in zip(boxes.tolist(), colours, captions, strict=True):
        left, top, right, bottom = box
        pen.rectangle((left, top, max(left, right - 1), max(top, bottom - 1)), None, colour, line)
        if caption:
            place = (left, top - height - 2 * line if top > 2 * height else top + line)
            pen.rectangle(pen.textbbox(place, caption, font), fill=colour)
            pen.text(place, caption, fill="white", font=font)
    return np.asarray(drawn)
