"""From MNIST's four IDX files to examples."""

import hashlib
import itertools
from pathlib import Path

import numpy as np
import pandas as pd

from ...datasets.dataset import DatasetWriter
from ...datasets.splits import hash_splits
from ...messages.errors import PenstockError
from .decode import SIDE
from .idx import find_idx, read_idx
from .params import Params

FILES = {"test": "t10k", "train": "train"}  # the test split first: an image in both stays there


def ingest(source: Path, writer: DatasetWriter, params: Params) -> None:
    """Read the official train and test files; hold out a validation split by content.

    An image that was seen before, in the test split above all, is rejected: identical content
    never sits on both sides of a split.
    """
    writer.info = {"classes": params.data.classes, "image_size": [SIDE, SIDE]}
    held_out = params.data.validation_share
    seen: dict[str, str] = {}
    for split, prefix in FILES.items():
        images, labels = read_pair(source, prefix, len(params.data.classes))
        rows = _describe(split, images, labels)
        if split == "train":
            shares = {"validation": held_out, "train": 1 - held_out}
            rows["split"] = hash_splits(rows["sha256"], shares)
        pairs = list(zip(rows["sha256"], rows["id"], strict=True))
        taken = np.array([seen.setdefault(content, name) == name for content, name in pairs])
        for content, name in itertools.compress(pairs, ~taken):
            writer.reject(name, f"the same image as {seen[content]}")
        writer.add(rows[taken], {"images": images[taken]})


def read_pair(source: Path, prefix: str, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Read the images and labels of one split.

    Returns:
        uint8 images, shape (examples, 28, 28), and uint8 labels, shape (examples,).

    Raises:
        PenstockError: the files do not fit each other or the classes.
    """
    image_file = find_idx(source, f"{prefix}-images-idx3-ubyte")
    label_file = find_idx(source, f"{prefix}-labels-idx1-ubyte")
    images, labels = read_idx(image_file, 3), read_idx(label_file, 1)
    if images.shape[1:] != (SIDE, SIDE):
        found = "x".join(map(str, images.shape[1:]))
        raise PenstockError(f"{image_file}: images of {found}; expected {SIDE}x{SIDE}; resize them")
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


def _describe(split: str, images: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    """A row of the index per image; brightness runs from 0 (black) to 1 (white)."""
    flat = images.reshape(len(images), -1)
    total = flat.sum(1, dtype=np.uint32)
    return pd.DataFrame(
        {
            "id": [f"{split}/{position:05d}" for position in range(len(images))],
            "split": split,
            "label": labels.astype(np.int16),
            "sha256": [hashlib.sha256(image.tobytes()).hexdigest() for image in flat],
            "width": np.int16(images.shape[2]),
            "height": np.int16(images.shape[1]),
            "mean": (total / (255 * flat.shape[1])).astype(np.float32),
            "blank": flat.min(1) == flat.max(1),
        }
    )
