"""What is wrong with the detections of an image, and the images with most mistakes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from ...datasets.dataset import Dataset
from ...evaluation import exhibits
from ...kinds.images.decode import encode
from .average_precision import FALSE, RIGHT, Truth, match
from .boxes import iou
from .decode import fitted, scales
from .detections import Found
from .drawing import draw_boxes
from .params import Evaluate

RIGHT_COLOUR, MISSED, WRONG, NEAR = "#009e73", "#0072b2", "#d55e00", "#cc79a7"
LEAST_NEAR = 0.1  # IoU with a missed object of its class, from which a box is only badly placed
SHOWN = 640  # pixels of width that a picture has at least


@dataclass(frozen=True)
class Mistakes:
    """What is wrong with the detections of an image.

    Attributes:
        missed: whether each object is.
        false: whether each detection is: no object of its class is anywhere near.
        near: whether each detection is badly placed: near an object that is missed.
    """

    missed: np.ndarray
    false: np.ndarray
    near: np.ndarray

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self.missed.sum() + self.false.sum() + self.near.sum())


def find_mistakes(truth: Truth, found: Found) -> Mistakes:
    """Compare the detections of an image with the truth."""
    taken = match(truth, found, [RIGHT])[0]
    missed = ~truth.crowd
    missed[taken[taken >= 0]] = False
    fit = iou(torch.from_numpy(found.boxes)[:, None], torch.from_numpy(truth.boxes)).numpy()
    of_class = found.labels[:, None] == truth.labels
    near = (of_class & missed & (fit >= LEAST_NEAR)).any(1) & (taken == FALSE)
    return Mistakes(missed, (taken == FALSE) & ~near, near)


def worst_images(
    dataset: Dataset, truths: Sequence[Truth], found: Sequence[Found], settings: Evaluate
) -> list[exhibits.Picture]:
    """Draw the test images with most mistakes, each as a picture of its own."""
    sure = [it.above(settings.confidence) for it in found]
    mistakes = [find_mistakes(*pair) for pair in zip(truths, sure, strict=True)]
    counts = np.array([it.count for it in mistakes])
    order = np.argsort(-counts, kind="stable")[: settings.gallery]
    names = dataset.examples("test")["id"]
    return [
        exhibits.Picture(
            f"Worst image {place}",
            encode(_draw(dataset, row, truths[row], sure[row], mistakes[row])),
            note=f"{names[row]}: {mistakes[row].missed.sum()} missed (blue), "
            f"{mistakes[row].false.sum()} false (orange), {mistakes[row].near.sum()} badly placed "
            "(pink); right ones are green.",
        )
        for place, row in enumerate(order, 1)
        if counts[row]
    ]


def _draw(dataset: Dataset, row: int, truth: Truth, found: Found, mistakes: Mistakes) -> np.ndarray:
    colours = np.where(mistakes.false, WRONG, np.where(mistakes.near, NEAR, RIGHT_COLOUR)).tolist()
    wrong = [*(mistakes.false | mistakes.near), *[True] * int(mistakes.missed.sum())]
    labels = [*found.labels, *truth.labels[mistakes.missed]]
    classes = dataset.info["classes"]
    picture, factors = show_image(dataset, row)
    return draw_boxes(
        picture,
        np.concatenate([found.boxes, truth.boxes[mistakes.missed]]) * factors,
        [*colours, *[MISSED] * int(mistakes.missed.sum())],
        [classes[it] if bad else "" for it, bad in zip(labels, wrong, strict=True)],
    )


def show_image(dataset: Dataset, row: int) -> tuple[Image.Image, np.ndarray]:
    """An image of the test split, enlarged, and what corners in its pixels are multiplied by."""
    example, most = dataset.examples("test").iloc[row], dataset.info["image_size"]
    width, height = fitted(example["width"], example["height"], *most)
    pixels = dataset.array("images")[dataset.rows("test")[row]][:height, :width]
    sides = [np.array([example[it]]) for it in ("width", "height")]
    times = max(1, round(SHOWN / width))
    picture = Image.fromarray(pixels).resize((width * times, height * times))
    return picture, scales(sides[0], sides[1], most[0], most[1]) * times
