"""What the index says of the pixels of images."""

from typing import Any

import numpy as np

TYPES = {
    **dict.fromkeys(("label", "width", "height"), np.int16),
    "mean": np.float32,
}


def measure(images: np.ndarray) -> dict[str, np.ndarray]:
    """Width and height in pixels, mean brightness from 0 (black) to 1 (white), whether blank.

    Args:
        images: uint8, shape (images, height, width[, 3]).
    """
    flat = images.reshape(len(images), -1)
    total = flat.sum(1, dtype=np.uint64)
    return {
        "width": np.full(len(images), images.shape[2], np.int16),
        "height": np.full(len(images), images.shape[1], np.int16),
        "mean": (total / (255 * flat.shape[1])).astype(np.float32),
        "blank": flat.min(1) == flat.max(1),
    }


def measure_one(image: np.ndarray) -> dict[str, Any]:
    """The same of one image, uint8, shape (height, width[, 3])."""
    return {name: values[0] for name, values in measure(image[np.newaxis]).items()}
