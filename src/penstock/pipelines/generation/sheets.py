"""Sheets of pictures, drawn from the same seeds in the course of a training."""

import numpy as np
import torch

from .drawing import draw, shown_labels
from .network import FRAMES, SHOWN, Drawing

COLUMNS = 10


def keep_sheet(network: Drawing, epoch: int, epochs: int) -> np.ndarray | None:
    """Draw a sheet if one is due after an epoch, counted from 0; answer it as one picture.

    It is kept in the network, so that its report shows how it learned to draw.
    """
    if epoch * FRAMES // epochs == (epoch + 1) * FRAMES // epochs:
        return None
    images = draw(network, np.arange(SHOWN), shown_labels(SHOWN, network.classes))
    network.sheets[int(network.filled)] = torch.from_numpy(images)
    network.filled += 1
    return tile(images)


def tile(images: np.ndarray, columns: int = COLUMNS) -> np.ndarray:
    """Images, shape (images, height, width[, 3]), as one picture of so many columns."""
    rows = -(-len(images) // columns)
    padded = np.zeros((rows * columns, *images.shape[1:]), np.uint8)
    padded[: len(images)] = images
    height, width, *rest = images.shape[1:]
    placed = padded.reshape(rows, columns, height, width, *rest).swapaxes(1, 2)
    return placed.reshape(rows * height, columns * width, *rest)


def enlarge(picture: np.ndarray, times: int = 2) -> np.ndarray:
    """Make each pixel of a picture, shape (height, width[, 3]), a square of pixels."""
    return picture.repeat(times, 0).repeat(times, 1)
