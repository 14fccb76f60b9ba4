"""From what the network answers to the objects in an image, in its own pixels."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from .boxes import suppress
from .decode import scales

LEAST = 0.01  # confidence below which nothing is looked at
CANDIDATES = 1000  # of an image, the surest, before non-maximum suppression
MOST = 300  # objects of an image, the surest
OVERLAP = 0.5  # IoU with a surer box of the class, above which a box is dropped


@dataclass(frozen=True)
class Found:
    """The objects found in an image, the surest first.

    Attributes:
        boxes: left, top, right, bottom in pixels, float64, shape (n, 4).
        labels: class of each, int64.
        confidence: of each, from 0 to 1, float64.
    """

    boxes: np.ndarray
    labels: np.ndarray
    confidence: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    def above(self, confidence: float) -> "Found":
        """Those at least so sure."""
        kept = self.confidence >= confidence
        return Found(self.boxes[kept], self.labels[kept], self.confidence[kept])


def detect(network: nn.Module, pixels: np.ndarray, width: int, height: int) -> Found:
    """Find the objects in one image.

    One at a time: rounding differs with the size of a batch, and may decide whether a box is kept.

    Args:
        network: ready to evaluate.
        pixels: its letterbox, uint8, shape (rows, columns, 3).
        width: of the image in pixels.
        height: likewise.
    """
    device = next(network.parameters()).device
    with torch.inference_mode():
        logits, boxes = network(torch.from_numpy(np.array(pixels))[None].to(device))
        confidence = logits[0].sigmoid().double().flatten()
        order = torch.argsort(confidence, descending=True, stable=True)[:CANDIDATES]
        order = order[confidence[order] >= LEAST]
        classes = logits.shape[2]
        boxes, labels = boxes[0].double()[order // classes], order % classes
        confidence = confidence[order]
        kept = suppress(boxes, confidence, labels, OVERLAP)[:MOST]
        found = [it[kept].cpu().numpy() for it in (boxes, labels, confidence)]
    factors = scales(np.array([width]), np.array([height]), *pixels.shape[:2])
    most = np.array([width, height] * 2, np.float64)
    return Found((found[0] / factors).clip(0, most), found[1], found[2])
