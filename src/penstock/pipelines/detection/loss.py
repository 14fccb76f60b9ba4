"""What the detector is trained by: which place answers for which object, and how well it does.

Places are chosen by what the network says of them (TOOD, Feng et al. 2021): for an object those
within it whose class and box are best already. A class is to be as sure as its box is good, by a
focal loss, which weighs places without an object by how wrong they are (Zhang et al. 2021,
VarifocalNet); a box learns by its generalised IoU.
"""

from dataclasses import dataclass

import torch
from torch.nn import functional as F

from .boxes import generalised_iou, iou, places
from .targets import Targets

CHOSEN = 9  # places that answer for an object, at most
SURE, PRECISE = 0.5, 4.0  # exponents of class and IoU when places are chosen
EASY = 0.75  # weight of places without an object
BOX = 2.0  # weight of the boxes' loss
LEAST = 1e-9


@dataclass(frozen=True)
class Assignment:
    """What each place is asked for, shape (batch, places).

    Attributes:
        quality: how sure the class should be; 0 where there is nothing.
        row: the object, a position in the targets; any where there is nothing.
        ignored: whether nothing that is said there counts.
    """

    quality: torch.Tensor
    row: torch.Tensor
    ignored: torch.Tensor


def detection_loss(
    logits: torch.Tensor,
    boxes: torch.Tensor,
    targets: Targets,
    around: torch.Tensor,
    focus: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss of the classes and of the boxes, over the sum of what is asked for.

    Args:
        logits: shape (batch, places, classes).
        boxes: in pixels, shape (batch, places, 4).
        targets: the objects; at least one place for them.
        around: the places, shape (places, 2).
        focus: exponent of how wrong a place without an object is, in its weight.
    """
    asked = assign(logits.detach(), boxes.detach(), targets, around)
    label = targets.labels.gather(1, asked.row)
    wanted = torch.zeros_like(logits).scatter_(2, label[..., None], asked.quality[..., None])
    wrong = logits.detach().sigmoid() ** focus * EASY
    weight = torch.where(wanted > 0, wanted, wrong) * ~asked.ignored[..., None]
    of_class = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none") * weight
    there = asked.quality > 0
    box = targets.boxes.gather(1, asked.row[..., None].expand(-1, -1, 4))
    of_box = (1 - generalised_iou(boxes[there], box[there])) * asked.quality[there]
    total = asked.quality.sum().clamp(min=1)
    return of_class.sum() / total, BOX * of_box.sum() / total


def assign(
    logits: torch.Tensor, boxes: torch.Tensor, targets: Targets, around: torch.Tensor
) -> Assignment:
    """Choose the places that answer for each object; of two objects at a place, the nearer fit."""
    within = _within(around, targets)  # (batch, places, objects)
    good = within & ~targets.crowd[:, None]
    label = targets.labels[:, None].expand(-1, logits.shape[1], -1)
    fit = iou(boxes[:, :, None], targets.boxes[:, None])
    metric = logits.sigmoid().gather(2, label) ** SURE * fit**PRECISE + LEAST
    metric = metric * good
    best, at = metric.topk(min(CHOSEN, metric.shape[1]), 1)
    chosen = torch.zeros_like(good).scatter_(1, at, best > 0)
    row = (fit + LEAST).mul(chosen).argmax(2)
    own = F.one_hot(row, good.shape[2]).bool() & chosen
    # The best place of an object is asked to be as sure as the best of its boxes is good.
    metric, fit = metric * own, fit * own
    scale = fit.amax(1, keepdim=True) / metric.amax(1, keepdim=True).clamp(min=LEAST)
    quality = (metric * scale).amax(2)
    crowded = (within & targets.crowd[:, None]).any(2)
    return Assignment(quality, row, crowded & (quality == 0))


def _within(around: torch.Tensor, targets: Targets) -> torch.Tensor:
    """Whether each place lies in each object, shape (batch, places, objects)."""
    place, box = around[None, :, None], targets.boxes[:, None]
    inside = ((place > box[..., :2]) & (place < box[..., 2:])).all(-1)
    return inside & targets.there[:, None]


def places_of(images: torch.Tensor, stride: int) -> torch.Tensor:
    """The places of a map of images, shape (batch, height, width, 3)."""
    height, width = (-(-side // stride) for side in images.shape[1:3])
    return places(height, width, stride, images.device)
