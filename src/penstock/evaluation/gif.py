"""Pictures in motion, without anything that draws figures."""

import io

import numpy as np
from PIL import Image


def gif(frames: np.ndarray, milliseconds: int) -> bytes:
    """Frames, shape (frames, height, width[, 3]), uint8, shown in a circle, as a GIF file."""
    first, *rest = (Image.fromarray(frame) for frame in frames)
    buffer = io.BytesIO()
    first.save(buffer, "GIF", save_all=True, append_images=rest, duration=milliseconds, loop=0)
    return buffer.getvalue()
