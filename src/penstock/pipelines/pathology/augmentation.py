"""Augmentation of batches of colour images, on the device they are on.

Every image of a batch is changed on its own, but the whole batch in a few operations. Images are
float or uint8 from 0 to 255, shape (batch, height, width, 3); float comes out.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F

# Optical density of haematoxylin, eosin and the rest in red, green and blue (Ruifrok and Johnston
# 2001, Quantification of histochemical staining by color deconvolution), rows of unit length.
STAINS = ((0.65, 0.70, 0.29), (0.07, 0.99, 0.11), (0.27, 0.57, 0.78))


class RandomAffine(nn.Module):
    """Rotates by up to `rotation` degrees, shifts by up to a share of the side, mirrors.

    One affine grid per batch; what comes in from outside is the mirror image of the border.
    """

    def __init__(self, rotation: float, shift: float, flips: str) -> None:
        super().__init__()
        self.rotation = math.radians(rotation)
        self.shift = shift
        self.flips = flips

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Change each image of a batch by its own random amounts."""
        planes = images.permute(0, 3, 1, 2).float()
        moves = self.draw(len(images), images.device)
        grid = _grid(moves, *planes.shape[2:])
        moved = F.grid_sample(planes, grid, padding_mode="reflection", align_corners=False)
        return moved.permute(0, 2, 3, 1)

    def draw(self, batch: int, device: torch.device) -> torch.Tensor:
        """Random affine maps from new to old coordinates (-1 to 1), shape (batch, 2, 3)."""
        angle = _uniform(batch, self.rotation, device)
        cosine, sine = torch.cos(angle), torch.sin(angle)
        one = torch.ones(batch, device=device)
        mirror_x = _signs(batch, device) if self.flips in ("horizontal", "both") else one
        mirror_y = _signs(batch, device) if self.flips == "both" else one
        shift_x, shift_y = (_uniform(batch, 2 * self.shift, device) for _ in range(2))
        across = (cosine * mirror_x, -sine * mirror_y, shift_x)
        down = (sine * mirror_x, cosine * mirror_y, shift_y)
        return torch.stack((*across, *down), 1).view(batch, 2, 3)


class StainJitter(nn.Module):
    """Changes the strength of each stain and the brightness, as laboratories and scanners do."""

    stains: torch.Tensor
    unmix: torch.Tensor

    def __init__(self, stain: float, brightness: float) -> None:
        super().__init__()
        self.stain = stain
        self.brightness = brightness
        stains = F.normalize(torch.tensor(STAINS), dim=1)
        self.register_buffer("stains", stains, persistent=False)
        self.register_buffer("unmix", torch.linalg.inv(stains), persistent=False)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Change each image of a batch by its own random amounts.

        Densities, -log(light / 256), add up, and stains mix linearly in them: scaling stains is one
        3x3 matrix for each image, scaling its light one summand.
        """
        if not self.stain and not self.brightness:
            return images
        batch, device = len(images), images.device
        strength = 1 + _uniform(3 * batch, self.stain, device).view(batch, 3, 1)
        mix = (self.unmix @ (strength * self.stains)).transpose(1, 2)
        light = torch.log1p(_uniform(batch, self.brightness, device)).view(batch, 1, 1)
        offset = light + math.log(256) * (1 - mix.sum(2, keepdim=True))
        planes = images.permute(0, 3, 1, 2).float()
        logs = planes.log1p().reshape(batch, 3, -1)  # plane by plane: three long rows an image
        mixed = torch.baddbmm(offset, mix, logs).exp_().sub_(1).clamp_(0, 255)
        return mixed.view(planes.shape).permute(0, 2, 3, 1)


def _grid(moves: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Old coordinates of each pixel: what F.affine_grid answers, as an outer sum.

    That one multiplies matrices of three columns, which took longer than the sampling. Here each
    coordinate is a plane, which the sampling reads faster than pairs.
    """
    across, down = (
        (torch.arange(size, device=moves.device) * 2 + 1) / size - 1 for size in (width, height)
    )
    x = moves[:, :, 0, None, None] * across
    y = moves[:, :, 1, None] * down + moves[:, :, 2, None]
    return (x + y[..., None]).permute(0, 2, 3, 1)


def _uniform(count: int, limit: float, device: torch.device) -> torch.Tensor:
    return (2 * torch.rand(count, device=device) - 1) * limit


def _signs(count: int, device: torch.device) -> torch.Tensor:
    return torch.randint(0, 2, (count,), device=device) * 2.0 - 1
