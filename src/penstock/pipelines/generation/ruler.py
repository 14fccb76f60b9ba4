"""The ruler: a classifier by whose features pictures are measured, the same for all models.

It belongs to the dataset: ingest trains it on the training split, and keeps its weights. So two
models of a dataset are measured alike, and the exam of another dataset has another ruler.
"""

from typing import TYPE_CHECKING

import numpy as np
import torch
from safetensors.torch import load, save
from torch import nn

from ...learning.convolution import conv_blocks
from .pixels import picture_shape, scale

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset

FEATURES = 64
CHANNELS = [16, 32]
ARRAY = "ruler"  # of the dataset: its weights, as the bytes of a safetensors file
BATCH = 1024


class Ruler(nn.Module):
    """Convolutions, a dense layer whose 64 outputs are the features, and the classes."""

    def __init__(self, shape: tuple[int, ...], classes: int) -> None:
        """Build it for images of a shape, (height, width[, 3])."""
        super().__init__()
        colours, height, width = picture_shape(shape)
        cells = (height // 4) * (width // 4)
        blocks = conv_blocks([colours, *CHANNELS], 3, "same", batch_norm=True)
        self.layers = nn.Sequential(
            *blocks, nn.Flatten(), nn.Linear(cells * CHANNELS[-1], FEATURES), nn.ReLU()
        )
        self.classes = nn.Linear(FEATURES, classes)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 images, shape (batch, height, width[, 3]) -> features, shape (batch, 64)."""
        features: torch.Tensor = self.layers(scale(images))
        return features

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 images -> logits, shape (batch, classes)."""
        logits: torch.Tensor = self.classes(self.features(images))
        return logits

    def measure(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Features and most likely class of images, as many at a time as fit.

        Args:
            images: uint8, shape (images, height, width[, 3]); may be memory-mapped.

        Returns:
            float32, shape (images, 64), and int64, shape (images,).
        """
        features, classes = [np.zeros((0, FEATURES), np.float32)], [np.zeros(0, np.int64)]
        with torch.inference_mode():
            for start in range(0, len(images), BATCH):
                found = self.features(torch.from_numpy(np.array(images[start : start + BATCH])))
                features.append(found.numpy())
                classes.append(self.classes(found).argmax(1).numpy())
        return np.concatenate(features), np.concatenate(classes)

    def to_bytes(self) -> bytes:
        """Its weights, as the bytes of a safetensors file."""
        return save({name: it.contiguous() for name, it in self.state_dict().items()})


def ruler_of(dataset: "Dataset") -> Ruler:
    """The ruler that ingest trained for a dataset."""
    return read_ruler(dataset.array(ARRAY).tobytes(), dataset.array("images").shape[1:])


def read_ruler(content: bytes, shape: tuple[int, ...]) -> Ruler:
    """A ruler from its weights, for images of a shape, (height, width[, 3])."""
    weights = load(content)
    ruler = Ruler(shape, len(weights["classes.bias"]))
    ruler.load_state_dict(weights)
    return ruler.eval()
