"""Arithmetic of boxes: left, top, right, bottom in the last dimension, right and bottom outside."""

import torch

TINY = 1e-7  # square pixels: keeps boxes without area from dividing by 0


def areas(boxes: torch.Tensor) -> torch.Tensor:
    """Area of each box, shape (...)."""
    return (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(-1)


def overlaps(ours: torch.Tensor, theirs: torch.Tensor) -> torch.Tensor:
    """Area that each box shares with its partner; shapes broadcast."""
    low = torch.maximum(ours[..., :2], theirs[..., :2])
    high = torch.minimum(ours[..., 2:], theirs[..., 2:])
    return (high - low).clamp(min=0).prod(-1)


def iou(ours: torch.Tensor, theirs: torch.Tensor) -> torch.Tensor:
    """Intersection over union of each box and its partner; shapes broadcast.

    Of all pairs: `iou(ours[:, None], theirs)`.
    """
    shared = overlaps(ours, theirs)
    return shared / (areas(ours) + areas(theirs) - shared).clamp(min=TINY)


def generalised_iou(ours: torch.Tensor, theirs: torch.Tensor) -> torch.Tensor:
    """IoU less the share of the smallest box around both that neither fills: from -1 to 1.

    It has a gradient also where boxes do not meet (Rezatofighi et al. 2019).
    """
    shared = overlaps(ours, theirs)
    union = areas(ours) + areas(theirs) - shared
    low = torch.minimum(ours[..., :2], theirs[..., :2])
    high = torch.maximum(ours[..., 2:], theirs[..., 2:])
    around = (high - low).prod(-1).clamp(min=TINY)
    return shared / union.clamp(min=TINY) - (around - union) / around


def suppress(
    boxes: torch.Tensor, confidence: torch.Tensor, labels: torch.Tensor, most_overlap: float
) -> torch.Tensor:
    """Non-maximum suppression, class by class: of boxes that overlap, the surest is kept.

    Args:
        boxes: shape (n, 4).
        confidence: shape (n,).
        labels: class of each, shape (n,).
        most_overlap: IoU with a surer box that is kept, above which one is not.

    Returns:
        Positions of what is kept, the surest first; of equally sure ones the first comes first.
    """
    order = torch.argsort(confidence, descending=True, stable=True)
    boxes, labels = boxes[order], labels[order]
    rivals = (iou(boxes[:, None], boxes) > most_overlap) & (labels[:, None] == labels)
    beaten_by = rivals.cpu().numpy()
    kept = torch.ones(len(order), dtype=torch.bool).numpy()
    for place in range(len(kept)):
        if kept[place]:
            kept[place + 1 :] &= ~beaten_by[place, place + 1 :]
    return order[torch.from_numpy(kept).to(order.device)]


def places(height: int, width: int, stride: int, device: torch.device | str) -> torch.Tensor:
    """The middle of each cell of a map, row by row, shape (height * width, 2): x, y in pixels.

    Args:
        height: cells of the map.
        width: likewise.
        stride: pixels of a cell.
        device: where to.
    """
    x, y = ((torch.arange(it, device=device) + 0.5) * stride for it in (width, height))
    return torch.stack(torch.broadcast_tensors(x, y[:, None]), -1).reshape(-1, 2)


def to_edges(boxes: torch.Tensor, around: torch.Tensor, stride: int) -> torch.Tensor:
    """How far the four edges are from places, as the network answers: logarithms of strides.

    Args:
        boxes: shape (..., 4), each around its place.
        around: the places, shape (..., 2).
        stride: pixels of a cell.
    """
    distances = torch.cat([around - boxes[..., :2], boxes[..., 2:] - around], -1)
    return (distances / stride).log()


def from_edges(edges: torch.Tensor, around: torch.Tensor, stride: int) -> torch.Tensor:
    """The boxes of what `to_edges` answers."""
    distances = edges.exp() * stride
    return torch.cat([around - distances[..., :2], around + distances[..., 2:]], -1)
