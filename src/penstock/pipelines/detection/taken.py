"""Which annotated boxes are taken, and which not, with the reason."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from .annotations import Box

DIGITS = 2  # of a pixel's coordinate that count: those that all formats keep


@dataclass
class Taken:
    """The boxes of one image.

    Attributes:
        corners: left, top, right, bottom in pixels, in the order of place and class.
        labels: position of the class of each.
        crowd: whether each is neither learned nor counted.
        clipped: how many reached over the edge.
        rejected: what a box is, and why it is not taken.
    """

    corners: list[tuple[float, ...]] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    crowd: list[bool] = field(default_factory=list)
    clipped: int = 0
    rejected: list[tuple[str, str]] = field(default_factory=list)

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays of the dataset, a row for each box."""
        return {
            "boxes": np.array(self.corners, np.float32).reshape(-1, 4),
            "labels": np.array(self.labels, np.int16),
            "crowd": np.array(self.crowd, np.uint8),
        }


def take_boxes(
    boxes: Sequence[Box], width: int, height: int, classes: Sequence[str], min_side: float
) -> Taken:
    """Clip boxes to the image; reject what is none, or of no known class, or there twice.

    Args:
        boxes: as they are annotated.
        width: of the image in pixels.
        height: likewise.
        classes: names, in the order of labels.
        min_side: least width and height of a box in pixels, after clipping.
    """
    taken = Taken()
    seen: set[tuple[float, ...]] = set()
    found = sorted((_in_pixels(box, width, height), box.name, box.crowd) for box in boxes)
    for corners, name, crowd in found:
        clipped = _clip(corners, width, height)
        reason = _complain(corners, clipped, width, height, min_side)
        label = classes.index(name) if name in classes else -1
        if label < 0:
            reason = f"unknown class; there is: {', '.join(classes)}"
        elif not reason and (*clipped, label) in seen:
            reason = "a second box of this class at this place"
        if reason:
            shown = ", ".join(f"{it:g}" for it in corners)
            taken.rejected.append((f"{name or 'no class'} at {shown}", reason))
            continue
        seen.add((*clipped, label))
        taken.clipped += clipped != corners
        taken.corners.append(clipped)
        taken.labels.append(label)
        taken.crowd.append(crowd)
    return taken


def _in_pixels(box: Box, width: int, height: int) -> tuple[float, ...]:
    sides = (width, height) * 2 if box.relative else (1, 1, 1, 1)
    # What rounds to -0.0 becomes 0.0, which is another number in a file.
    return tuple(
        round(it * side, DIGITS) + 0.0 for it, side in zip(box.corners, sides, strict=True)
    )


def _clip(corners: tuple[float, ...], width: int, height: int) -> tuple[float, ...]:
    return tuple(
        min(max(it, 0.0), float(side))
        for it, side in zip(corners, (width, height) * 2, strict=True)
    )


def _complain(
    corners: tuple[float, ...],
    clipped: tuple[float, ...],
    width: int,
    height: int,
    min_side: float,
) -> str:
    """What is wrong with a box, or nothing."""
    left, top, right, bottom = corners
    if right < left or bottom < top:
        return "inverted: right of its right edge or below its lower one"
    if right == left or bottom == top:
        return "empty: no width or no height"
    if right <= 0 or bottom <= 0 or left >= width or top >= height:
        return f"outside the image of {width}x{height}"
    sides = clipped[2] - clipped[0], clipped[3] - clipped[1]
    if min(sides) < min_side:
        return f"{sides[0]:g}x{sides[1]:g} pixels in the image; at least {min_side:g}"
    return ""
