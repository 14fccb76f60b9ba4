"""Synthetic blood smears: three kinds of cells that overlap, on uneven ground, with specks."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

HEIGHT, WIDTH = 96, 128
IMAGES = 260
CLASSES = ("platelet", "red cell", "white cell")
GROUND = np.array([0.90, 0.86, 0.83])  # of white light, in red, green and blue
RED = np.array([0.16, 0.42, 0.40])  # what a layer absorbs
PURPLE = np.array([0.55, 0.85, 0.30])
VISIBLE = 0.4  # share of a cell within the image, below which nobody would mark it
Drawn = tuple[int, tuple[float, float, float, float]]  # class, and corners in pixels


def sample(folder: Path) -> None:
    """Write 260 JPEG files of 128x96 pixels, and their boxes as COCO has them.

    Specks of stain and cells cut off by the edge are there to be mistaken; some images are empty.
    """
    (folder / "images").mkdir()
    images: list[dict[str, Any]] = []
    boxes: list[dict[str, Any]] = []
    for number in range(1, IMAGES + 1):
        pixels, drawn = _smear(np.random.default_rng([2026, number]))
        name = f"smear-{number:03}.jpg"
        Image.fromarray(pixels).save(folder / "images" / name, quality=90)
        images.append({"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT})
        for label, (left, top, right, bottom) in drawn:
            width, height = round(right - left, 2), round(bottom - top, 2)
            boxes.append(
                {
                    "id": len(boxes) + 1,
                    "image_id": number,
                    "category_id": label + 1,
                    "bbox": [left, top, width, height],
                    "area": round(width * height, 2),
                    "iscrowd": 0,
                }
            )
    categories = [{"id": number, "name": name} for number, name in enumerate(CLASSES, 1)]
    content = {"images": images, "annotations": boxes, "categories": categories}
    (folder / "annotations.json").write_text(json.dumps(content) + "\n")


def _smear(chance: np.random.Generator) -> tuple[np.ndarray, list[Drawn]]:
    """One image, uint8 of shape (height, width, 3), and its cells."""
    absorbed = np.zeros((HEIGHT, WIDTH, 3))
    drawn: list[Drawn] = []
    empty = chance.random() < 0.05
    counts = [int(chance.poisson(2)), int(chance.integers(4, 14)), int(chance.poisson(1))]
    for label in (1, 2, 0):  # platelets lie on top
        for _ in range(0 if empty else counts[label]):
            draw = (_platelet, _red_cell, _white_cell)[label]
            middle = chance.uniform([0, 0], [HEIGHT, WIDTH])
            stain, inside = draw(chance, middle)
            absorbed = np.maximum(absorbed, stain) if label else absorbed + stain
            if (box := _box(inside, chance)) is not None:
                drawn.append((label, box))
    for _ in range(chance.poisson(3)):
        absorbed += _speck(chance)
    uneven = 0.05 * _noise(chance, 20)[..., None] + 0.02 * _noise(chance, 1)[..., None]
    light = (GROUND + chance.normal(0, 0.03, 3)) * np.exp(-absorbed) + uneven
    blurred = ndimage.gaussian_filter(light, (*[chance.uniform(0.3, 1.1)] * 2, 0))
    noisy = blurred + chance.normal(0, 0.015, blurred.shape)
    return (noisy.clip(0, 1) * 255).round().astype(np.uint8), drawn


def _ellipse(
    chance: np.random.Generator, middle: np.ndarray, radius: float, longer: float
) -> np.ndarray:
    """Distance from the middle, 1 on the edge of an ellipse of this mean radius in pixels."""
    turn, aspect = chance.uniform(0, np.pi), np.sqrt(chance.uniform(1, longer))
    y, x = np.ogrid[:HEIGHT, :WIDTH]
    y, x = y + 0.5 - middle[0], x + 0.5 - middle[1]
    along = (x * np.cos(turn) + y * np.sin(turn)) / aspect
    across = (y * np.cos(turn) - x * np.sin(turn)) * aspect
    distance: np.ndarray = np.hypot(along, across) / radius
    return distance


def _red_cell(chance: np.random.Generator, middle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A disc that is thinner in the middle: what it absorbs, and where it is."""
    distance = _ellipse(chance, middle, chance.uniform(9, 12), 1.3)
    thickness = (1 - chance.uniform(0.2, 0.7) * np.exp(-6 * distance**2)) * (distance < 1)
    return thickness[..., None] * RED * chance.uniform(0.6, 1.1), distance < 1


def _white_cell(chance: np.random.Generator, middle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A large pale cell with a dark nucleus of some lobes."""
    radius = chance.uniform(14, 19)
    body = _ellipse(chance, middle, radius, 1.2) < 1
    nucleus = np.zeros((HEIGHT, WIDTH), bool)
    for _ in range(chance.integers(1, 5)):
        lobe = middle + chance.normal(0, radius / 4, 2)
        nucleus |= _ellipse(chance, lobe, radius * chance.uniform(0.35, 0.55), 1.4) < 1
    dark = chance.uniform(0.7, 1.2) * (nucleus & body)
    return (0.2 * body + dark)[..., None] * PURPLE, body


def _platelet(chance: np.random.Generator, middle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A small purple grain."""
    distance = _ellipse(chance, middle, chance.uniform(3, 5), 1.6)
    grain = np.exp(-((distance / 0.8) ** 4))
    return grain[..., None] * PURPLE * chance.uniform(0.5, 0.9), distance < 1


def _speck(chance: np.random.Generator) -> np.ndarray:
    """Dirt of the colour of a platelet, thin or blurred."""
    middle = chance.uniform([0, 0], [HEIGHT, WIDTH])
    distance = _ellipse(chance, middle, chance.uniform(1.2, 3.5), 6)
    grain = np.exp(-(distance ** chance.uniform(1, 3)))
    return grain[..., None] * PURPLE * chance.uniform(0.2, 0.7)


def _noise(chance: np.random.Generator, scale: float) -> np.ndarray:
    """Smooth noise of standard deviation 1, with grains of a scale in pixels."""
    smooth = ndimage.gaussian_filter(chance.normal(size=(HEIGHT, WIDTH)), scale, mode="wrap")
    return (smooth - smooth.mean()) / smooth.std()


def _box(
    inside: np.ndarray, chance: np.random.Generator
) -> tuple[float, float, float, float] | None:
    """The box that a person would draw, a pixel off at times; none of a cell hardly in view."""
    rows, columns = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
    if not len(rows):
        return None
    left, right, top, bottom = columns[0], columns[-1] + 1, rows[0], rows[-1] + 1
    if inside.sum() < VISIBLE * np.pi / 4 * max(right - left, bottom - top) ** 2:
        return None
    off = chance.normal(0, 0.4, 4).round(1)
    return (
        float(max(0, left + off[0])),
        float(max(0, top + off[1])),
        float(min(WIDTH, right + off[2])),
        float(min(HEIGHT, bottom + off[3])),
    )
