"""From MNIST's four IDX files to examples."""

import hashlib
import itertools
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from ...datasets.dataset import DatasetWriter
from ...datasets.splits import hash_splits
from ...messages.errors import PenstockError
from .decode import fit_image
from .idx import find_idx, read_idx
from .params import Params

FILES = {"test": "t10k", "train": "train"}  # the test split first: an image in both stays there


def ingest(source: Path, writer: DatasetWriter, params: Params) -> None:
    """Read the official train and test files; hold out a validation split by content.

    An image that was seen before, in the test split above all, is rejected: identical content
    never sits on both sides of a split.
    """
    side, fit = params.data.image_size, params.data.fit
    writer.info = {"classes": params.data.classes, "image_size": [side, side], "fit": fit}
    held_out = params.data.validation_share
    seen: dict[str, str] = {}
    for split, prefix in FILES.items():
        images, labels = read_pair(source, prefix, len(params.data.classes))
        images, usable = _fit_all(split, images, params, writer)
        rows = _describe(split, images, labels, usable)
        if split == "train":
            shares = {"validation": held_out, "train": 1 - held_out}
            rows["split"] = hash_splits(rows["sha256"], shares)
        pairs = list(zip(rows["sha256"], rows["id"], strict=True))
        taken = np.array([seen.setdefault(content, name) == name for content, name in pairs])
        for content, name in itertools.compress(pairs, ~taken):
            writer.reject(name, f"the same image as {seen[content]}")
        writer.add(rows[taken], {"images": images[taken]})


def _fit_all(
    split: str, images: np.ndarray, params: Params, writer: DatasetWriter
) -> tuple[np.ndarray, np.ndarray]:
    """Fit images of another size into the square, and reject those that cannot be.

    Returns:
        The images that could be fitted, and their positions.
    """
    side, fit = params.data.image_size, params.data.fit
    positions = np.arange(len(images))
    if images.shape[1:] == (side, side):
        return images, positions
    found = "x".join(map(str, images.shape[1:]))
    print(f"  images of {found} are fitted into {side}x{side} (data.fit: {fit})")
    fitted, usable = np.zeros((len(images), side, side), np.uint8), np.ones(len(images), bool)
    for position, image in enumerate(tqdm(images, unit="image", disable=None, leave=False)):
        try:
            fitted[position] = fit_image(image, side, fit)
        except ValueError as error:
            writer.reject(_name(split, position), str(error))
            usable[position] = False
    return fitted[usable], positions[usable]


def read_pair(source: Path, prefix: str, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Read the images and labels of one split.

    Returns:
        uint8 images, shape (examples, height, width), and uint8 labels, shape (examples,).

    Raises:
        PenstockError: the files do not fit each other or the classes.
    """
    image_file = find_idx(source, f"{prefix}-images-idx3-ubyte")
    label_file = find_idx(source, f"{prefix}-labels-idx1-ubyte")
    images, labels = read_idx(image_file, 3), read_idx(label_file, 1)
    if len(images) != len(labels):
        raise PenstockError(
            f"{label_file}: {len(labels)} labels for the {len(images)} images of "
            f"{image_file.name}; expected as many; are both files of one dataset?"
        )
    if not len(images):
        raise PenstockError(f"{image_file}: no images; expected at least one; fetch it again")
    if labels.max() >= classes:
        first = int(np.flatnonzero(labels >= classes)[0])
        raise PenstockError(
            f"{label_file}: label {labels[first]} at position {first}; expected 0 to "
            f"{classes - 1}; name every class in data.classes, or mend the file"
        )
    return images, labels


def _name(split: str, position: int) -> str:
    return f"{split}/{position:05d}"


def _describe(
    split: str, images: np.ndarray, labels: np.ndarray, positions: np.ndarray
) -> pd.DataFrame:
    """A row of the index per image; brightness runs from 0 (black) to 1 (white)."""
    flat = images.reshape(len(images), -1)
    total = flat.sum(1, dtype=np.uint32)
    return pd.DataFrame(
        {
            "id": [_name(split, position) for position in positions],
            "split": split,
            "label": labels[positions].astype(np.int16),
            "sha256": [hashlib.sha256(image.tobytes()).hexdigest() for image in flat],
            "width": np.int16(images.shape[2]),
            "height": np.int16(images.shape[1]),
            "mean": (total / (255 * flat.shape[1])).astype(np.float32),
            "blank": flat.min(1) == flat.max(1),
        }
    )
