"""Augmentation of whole batches, on the device they are on."""

import torch
from torch import nn
from torch.nn import functional as F


class RandomShift(nn.Module):
    """Moves each image of a batch by up to `limit` pixels both ways; what comes in is zero."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Shift images, shape (batch, height, width), each by its own random offset."""
        if self.limit == 0:
            return images
        batch, height, width = images.shape
        padded = F.pad(images, (self.limit,) * 4)
        offsets = torch.randint(0, 2 * self.limit + 1, (2, batch, 1, 1), device=images.device)
        rows = offsets[0] + torch.arange(height, device=images.device)[:, None]
        columns = offsets[1] + torch.arange(width, device=images.device)
        flat = rows * padded.shape[2] + columns
        return padded.flatten(1).gather(1, flat.flatten(1)).view(batch, height, width)


def shift_sideways(images: torch.Tensor, pixels: int) -> torch.Tensor:
    """Move images, shape (batch, height, width), right by `pixels` (left if negative)."""
    moved = torch.zeros_like(images)
    width = images.shape[2]
    if pixels >= 0:
        moved[:, :, pixels:] = images[:, :, : width - pixels]
    else:
        moved[:, :, :pixels] = images[:, :, -pixels:]
    return moved
