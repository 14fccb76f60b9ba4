"""Augmentation of batches of images with boxes, on the device they are on.

Every image of a batch is changed on its own, but the whole batch in a few operations. Images are
uint8 from 0 to 255, shape (batch, height, width, 3); float comes out.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from .boxes import areas
from .decode import GREY
from .targets import Targets

SPARSE = 8  # of so many rows and columns of pixels one, to know the colours of an image by
VISIBLE = 0.25  # share of a box still in view, below which it is neither asked for nor forbidden


@dataclass(frozen=True)
class View:
    """How each image is looked at: scaled, turned by a right angle or not, mirrored, moved.

    A point of the image goes to `zoom * mirror * turn(point - centre) + middle of the view`.

    Attributes:
        centre: the point of the image in the middle of the view, x and y, shape (batch, 2).
        zoom: scale, shape (batch, 1).
        mirror: 1 or -1 for each axis of the view, shape (batch, 2).
        turned: whether x and y change places first, shape (batch, 1).
        size: height and width of the view.
    """

    centre: torch.Tensor
    zoom: torch.Tensor
    mirror: torch.Tensor
    turned: torch.Tensor
    size: tuple[int, int]

    @property
    def middle(self) -> torch.Tensor:
        """Of the view, x and y."""
        return self.centre.new_tensor([self.size[1] / 2, self.size[0] / 2])

    def pixels(self, images: torch.Tensor) -> torch.Tensor:
        """What is seen, float, shape (batch, *size, 3); grey outside the image."""
        height, width = images.shape[1:3]
        planes = images.permute(0, 3, 1, 2).float() - GREY
        seen = F.grid_sample(planes, self._grid(height, width), align_corners=False) + GREY
        return seen.permute(0, 2, 3, 1)

    def _grid(self, height: int, width: int) -> torch.Tensor:
        """Where in the image each pixel of the view comes from, from -1 to 1."""
        rows, columns = self.size
        x, y = ((torch.arange(it, device=self.zoom.device) + 0.5) for it in (columns, rows))
        steps = self.mirror / self.zoom
        across = (x - columns / 2) * steps[:, :1]  # (batch, columns)
        down = (y - rows / 2) * steps[:, 1:]
        swap = self.turned[..., None]  # (batch, 1, 1)
        across, down = across[:, None], down[:, :, None]
        at_x = torch.where(swap, down, across) + self.centre[:, :1, None]
        at_y = torch.where(swap, across, down) + self.centre[:, 1:, None]
        return torch.stack([at_x * (2 / width) - 1, at_y * (2 / height) - 1], -1)

    def corners(self, boxes: torch.Tensor) -> torch.Tensor:
        """Where boxes, shape (batch, most, 4), are in the view; may reach out of it."""
        points = boxes.unflatten(2, (2, 2)) - self.centre[:, None, None]
        points = torch.where(self.turned[:, None, None], points.flip(3), points)
        points = points * (self.mirror * self.zoom)[:, None, None] + self.middle
        return torch.cat([points.amin(2), points.amax(2)], -1)

    def look(self, images: torch.Tensor, targets: Targets) -> tuple[torch.Tensor, Targets]:
        """What is seen of images and their objects.

        Those that are hardly in view become crowds, those that are not in view are gone.
        """
        whole = self.corners(targets.boxes)
        rows, columns = self.size
        most = whole.new_tensor([columns, rows, columns, rows])
        boxes = torch.minimum(whole.clamp(min=0), most)
        seen = areas(boxes) / areas(whole).clamp(min=1e-6)
        there = targets.there & (areas(boxes) > 1)
        crowd = targets.crowd | (seen < VISIBLE)
        return self.pixels(images), Targets(boxes, targets.labels, crowd, there)


class Augmentation(nn.Module):
    """Changes images at random, and their boxes with them."""

    def __init__(self, zoom: tuple[float, float], turns: str, colour: float, mosaic: float) -> None:
        """Set the limits: see the settings of the same names."""
        super().__init__()
        self.zoom = zoom
        self.turns = turns
        self.colour = colour
        self.mosaic = mosaic

    def forward(
        self, images: torch.Tensor, targets: Targets, inside: torch.Tensor
    ) -> tuple[torch.Tensor, Targets]:
        """Change each image of a batch by its own random amounts.

        Args:
            images: uint8, shape (batch, height, width, 3); even sides.
            targets: their objects.
            inside: width and height of each image within its letterbox, shape (batch, 2).
        """
        height, width = images.shape[1:3]
        quartered = torch.rand(len(images), device=images.device) < self.mosaic
        rows = (~quartered).nonzero()[:, 0]
        view = self.draw(inside[rows], (height, width))
        whole, theirs = view.look(images[rows], targets[rows])
        rows = quartered.nonzero()[:, 0]
        sheets, others = self._quarters(images, targets, inside, rows)
        # The order of a batch's images means nothing: what is whole comes first.
        seen = self._recolour(torch.cat([whole, sheets]))
        return seen, _join([theirs, others]).trimmed()

    def draw(self, inside: torch.Tensor, size: tuple[int, int]) -> View:
        """A random view of each image, of a size, that is filled with it as far as it goes."""
        batch, device = len(inside), inside.device
        low, high = map(math.log, self.zoom)
        zoom = (low + (high - low) * torch.rand(batch, 1, device=device)).exp()
        mirror = torch.ones(batch, 2, device=device)
        turned = torch.zeros(batch, 1, dtype=torch.bool, device=device)
        if self.turns != "none":
            mirror[:, 0] = _signs(batch, device)
        if self.turns == "any":
            mirror[:, 1] = _signs(batch, device)
            turned = torch.rand(batch, 1, device=device) < 0.5
        window = inside.new_tensor([size[1], size[0]]) / (2 * zoom)  # half of what is seen
        window = torch.where(turned, window.flip(1), window)
        first, last = torch.minimum(window, inside - window), torch.maximum(window, inside - window)
        centre = first + (last - first) * torch.rand(batch, 2, device=device)
        return View(centre, zoom, mirror, turned, size)

    def _quarters(
        self, images: torch.Tensor, targets: Targets, inside: torch.Tensor, rows: torch.Tensor
    ) -> tuple[torch.Tensor, Targets]:
        """Each of these images beside parts of three others (mosaic, Bochkovskiy et al. 2020)."""
        height, width = images.shape[1] // 2, images.shape[2] // 2
        others = torch.randint(len(images), (len(rows), 3), device=rows.device)
        chosen = torch.cat([rows[:, None], others], 1).flatten()
        view = self.draw(inside[chosen], (height, width))
        seen, found = view.look(images[chosen], targets[chosen])
        sheet = seen.view(len(rows), 2, 2, height, width, 3).transpose(2, 3)
        offset = torch.tensor(
            [[0, 0], [width, 0], [0, height], [width, height]], device=rows.device
        )
        moved = found.boxes.unflatten(0, (-1, 4)) + offset.repeat(1, 2)[:, None]
        flags = (
            it.unflatten(0, (-1, 4)).flatten(1) for it in (found.labels, found.crowd, found.there)
        )
        return sheet.reshape(len(rows), 2 * height, 2 * width, 3), Targets(
            moved.flatten(1, 2), *flags
        )

    def _recolour(self, images: torch.Tensor) -> torch.Tensor:
        """Change contrast, and each channel, by random amounts."""
        if not self.colour:
            return images
        shape = len(images), 1, 1
        contrast = 1 + self.colour * (2 * torch.rand(*shape, 1, device=images.device) - 1)
        shift = self.colour * (2 * torch.rand(*shape, 3, device=images.device) - 1)
        few = images[:, ::SPARSE, ::SPARSE]
        mean, spread = few.mean((1, 2), keepdim=True), few.std((1, 2), keepdim=True)
        return torch.addcmul(mean * (1 - contrast) + shift * spread, images, contrast)


def _join(parts: Sequence[Targets]) -> Targets:
    """Targets of several groups of images one after the other, padded to as many objects."""
    most = max(it.there.shape[1] for it in parts)

    def padded(name: str) -> torch.Tensor:
        rows = [getattr(it, name) for it in parts]
        wide = [(0, 0) * (it.dim() - 2) + (0, most - it.shape[1]) for it in rows]
        return torch.cat([F.pad(it, pad) for it, pad in zip(rows, wide, strict=True)])

    return Targets(*map(padded, ("boxes", "labels", "crowd", "there")))


def _signs(count: int, device: torch.device) -> torch.Tensor:
    return torch.randint(0, 2, (count,), device=device) * 2.0 - 1
