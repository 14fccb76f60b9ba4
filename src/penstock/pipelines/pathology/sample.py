"""Synthetic tissue, stained like H&E, whose classes differ in their nuclei and not in colour."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

SIDE = 128
MARGIN = 8  # copies of an origin are cut out up to this far from its middle
ORIGINS, COPIES = 120, 3  # as published sets of augmented tiles have them
CLASSES = ("benign", "malignant")
ABSORBED = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])  # red, green, blue; Ruifrok 2001


def sample(folder: Path) -> None:
    """Write 360 tiles of 128x128 in two class folders, and groups.csv with each one's origin.

    Benign nuclei are few, round and alike; malignant ones many, irregular and of many sizes. Mean
    and spread of each channel come from one distribution for both.
    """
    rows = [("file", "label", "group")]
    for number in range(ORIGINS):
        label = CLASSES[number % 2]
        (folder / label).mkdir(exist_ok=True)
        chance = np.random.default_rng([2026, number])
        tissue = _tissue(chance, label == "malignant")
        mean = np.array([0.74, 0.58, 0.72]) + chance.normal(0, 0.03) + chance.normal(0, 0.015, 3)
        spread = np.array([0.11, 0.13, 0.09]) * chance.uniform(0.85, 1.15, 3)
        for copy in range(COPIES):
            tile = _normalise(_augment(chance, tissue), mean + chance.normal(0, 0.015), spread)
            name = f"{label}/origin-{number:03}-{copy + 1}.jpg"
            pixels = (tile * 255).round().astype(np.uint8)
            Image.fromarray(pixels).save(folder / name, quality=92)
            rows.append((name, label, f"origin-{number:03}"))
    with (folder / "groups.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def _tissue(chance: np.random.Generator, malignant: bool) -> np.ndarray:
    """Stroma with nuclei: what is left of white light, shape (side, side, 3)."""
    side = SIDE + 2 * MARGIN
    nuclei = np.zeros((side, side))
    for _ in range(chance.integers(42, 64) if malignant else chance.integers(22, 40)):
        _draw_nucleus(chance, nuclei, malignant)
    chromatin = 1 + 0.25 * _noise(chance, side, 1.2)
    eosin = 0.35 + 0.06 * _noise(chance, side, 10) + 0.05 * _noise(chance, side, 2.5)
    stains = np.stack([0.06 + 0.75 * nuclei * chromatin, eosin * (1 - 0.5 * nuclei)], axis=-1)
    return np.exp(-(stains.clip(0) @ ABSORBED))


def _noise(chance: np.random.Generator, side: int, scale: float) -> np.ndarray:
    """Smooth noise of mean 0 and standard deviation 1, with grains of a scale in pixels."""
    smooth = ndimage.gaussian_filter(chance.normal(size=(side, side)), scale, mode="wrap")
    return (smooth - smooth.mean()) / smooth.std()


def _draw_nucleus(chance: np.random.Generator, nuclei: np.ndarray, malignant: bool) -> None:
    """Add an ellipse with soft edges; malignant ones vary in size, are longer and lobed."""
    size = chance.lognormal(np.log(5.2), 0.28 if malignant else 0.08)
    aspect = chance.uniform(1.1, 1.9) if malignant else chance.uniform(1.0, 1.25)
    lobes = chance.uniform(0.04, 0.13) if malignant else 0.02
    turn, phase = chance.uniform(0, 2 * np.pi, 2)
    count, density = chance.integers(3, 6), chance.uniform(0.8, 1.1)
    middle = chance.uniform(0, len(nuclei), 2)
    reach = int(2 * size) + 3
    top, left = np.maximum(middle.astype(int) - reach, 0)
    patch = nuclei[top : top + 2 * reach + 1, left : left + 2 * reach + 1]
    y, x = np.ogrid[: patch.shape[0], : patch.shape[1]]
    y, x = y + top - middle[0], x + left - middle[1]
    along = (x * np.cos(turn) + y * np.sin(turn)) / np.sqrt(aspect)
    across = (y * np.cos(turn) - x * np.sin(turn)) * np.sqrt(aspect)
    edge = size * (1 + lobes * np.sin(count * np.arctan2(across, along) + phase))
    inside = (edge - np.hypot(along, across) + 0.5).clip(0, 1)
    np.maximum(patch, density * inside, out=patch)


def _augment(chance: np.random.Generator, tissue: np.ndarray) -> np.ndarray:
    """One of the eight ways to lay a tile, cut out near the middle."""
    top, left = chance.integers(0, 2 * MARGIN + 1, 2)
    tile = np.rot90(tissue[top : top + SIDE, left : left + SIDE], int(chance.integers(4)))
    return tile[:, ::-1] if chance.integers(2) else tile


def _normalise(tile: np.ndarray, mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Give each channel a mean and a standard deviation; again, since clipping moves them."""
    for _ in range(4):
        scaled = (tile - tile.mean((0, 1))) / tile.std((0, 1)) * spread + mean
        tile = scaled.clip(0, 1)
    return tile
