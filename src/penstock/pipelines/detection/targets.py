"""The objects of a batch of images, padded to as many for each."""

from dataclasses import dataclass

import torch
from torch.nn import functional as F

from ...learning.sources import Batch


@dataclass(frozen=True)
class Targets:
    """Objects, shape (batch, most), of which `there` says which are padding.

    Attributes:
        boxes: left, top, right, bottom in pixels of the letterbox, shape (batch, most, 4).
        labels: class of each.
        crowd: whether each is neither learned nor held against the network.
        there: whether each is an object.
    """

    boxes: torch.Tensor
    labels: torch.Tensor
    crowd: torch.Tensor
    there: torch.Tensor

    def __getitem__(self, rows: torch.Tensor) -> "Targets":
        """Those of some images."""
        return Targets(self.boxes[rows], self.labels[rows], self.crowd[rows], self.there[rows])

    def trimmed(self) -> "Targets":
        """The same objects with as little padding as there can be; at least one place."""
        most = max(1, int(self.there.sum(1).max()))
        order = torch.argsort(self.there.int(), stable=True, dim=1, descending=True)[:, :most]
        return Targets(
            self.boxes.gather(1, order[..., None].expand(-1, -1, 4)),
            *(it.gather(1, order) for it in (self.labels, self.crowd, self.there)),
        )


def targets_of(batch: Batch) -> Targets:
    """The objects of a batch as its source answers, with at least one place for them."""
    longest = max(1, batch["boxes"].shape[1])
    short = longest - batch["boxes"].shape[1]  # no image of the batch has an object
    number = torch.arange(longest, device=batch["boxes"].device)
    return Targets(
        F.pad(batch["boxes"].float(), (0, 0, 0, short)),
        F.pad(batch["labels"].long(), (0, short)),
        F.pad(batch["crowd"].bool(), (0, short)),
        number < batch["lengths"][:, None],
    )
