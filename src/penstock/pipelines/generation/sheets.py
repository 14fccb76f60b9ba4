"""Sheets of pictures, drawn from the same seeds in the course of a training."""

from typing import TYPE_CHECKING

import numpy as np
import torch

from .drawing import draw, shown_labels
from .network import FRAMES, SHOWN, Drawing
from .ruler import ARRAY, read_ruler

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset

COLUMNS = 10


class Sheets:
    """Draws sheets, and keeps them in the network: its report shows how it learned to draw."""

    def __init__(self, network: Drawing, dataset: "Dataset") -> None:
        self.network = network
        shape = dataset.array("images").shape[1:]
        self.ruler = read_ruler(dataset.array(ARRAY).tobytes(), shape)

    def keep(self, epoch: int, epochs: int) -> np.ndarray | None:
        """Draw a sheet if one is due after an epoch, counted from 0; answer it as one picture."""
        if epoch * FRAMES // epochs == (epoch + 1) * FRAMES // epochs and epoch + 1 < epochs:
            return None
        frame = min(int(self.network.filled), FRAMES - 1)
        labels = shown_labels(SHOWN, self.network.classes)
        images = draw(self.network, np.arange(SHOWN), labels)
        self.network.sheets[frame] = torch.from_numpy(images)
        self.network.filled.fill_(frame + 1)
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
