"""What a person looks at to judge a model: pictures, tables, texts, sounds, in an order."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from . import figures
from .gif import gif

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

DPI = 130


@dataclass(frozen=True)
class Picture:
    """A picture, moving or not, with a sound beside it if there is one.

    Attributes:
        title: what it shows.
        content: the file; empty if there is only a sound.
        suffix: what kind of file: `.png`, `.gif` or `.svg`.
        note: a sentence on how to read it.
        sound: a WAV file.
    """

    title: str
    content: bytes
    suffix: str = ".png"
    note: str = ""
    sound: bytes = b""


@dataclass(frozen=True)
class Table:
    """A table: numbers, names, texts."""

    title: str
    rows: "pd.DataFrame"
    note: str = ""


@dataclass(frozen=True)
class Text:
    """A text as it stands, line by line: what a model wrote, say."""

    title: str
    text: str
    note: str = ""


Exhibit = Picture | Table | Text


def figure(title: str, drawn: "Figure", note: str = "", sound: bytes = b"") -> Picture:
    """A figure drawn by matplotlib; the same figure gives the same bytes."""
    buffer = io.BytesIO()
    drawn.savefig(buffer, format="png", dpi=DPI, metadata={"Software": None})
    return Picture(title, buffer.getvalue(), note=note, sound=sound)


def gallery(
    title: str, images: np.ndarray, captions: Sequence[str], marked: Sequence[bool], note: str = ""
) -> Picture:
    """A sheet of images, shape (images, height, width[, 3]), uint8, with a caption for each."""
    return figure(title, figures.gallery(images, captions, marked), note)


def sound(title: str, wav: bytes, note: str = "") -> Picture:
    """A sound to play, without a picture."""
    return Picture(title, b"", note=note, sound=wav)


def animation(title: str, frames: np.ndarray, milliseconds: int, note: str = "") -> Picture:
    """Frames, shape (frames, height, width[, 3]), uint8, shown in a circle."""
    return Picture(title, gif(frames, milliseconds), ".gif", note)


def board(title: str, svg: str, note: str = "") -> Picture:
    """A drawing in SVG: a position of a game, say. Scripts in it do not run: it is an image."""
    return Picture(title, svg.encode(), ".svg", note)
