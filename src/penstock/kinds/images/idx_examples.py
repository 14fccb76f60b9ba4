"""From the four IDX files of MNIST, or of a set like it, to examples."""

import hashlib
import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from ...datasets.dataset import DatasetWriter
from ...datasets.splits import hash_splits
from ...messages.errors import PenstockError
from .idx import find_idx, read_idx
from .measured import measure

FILES = {"test": "t10k", "train": "train"}  # the test split first: an image in both stays there

Fit = Callable[[np.ndarray], np.ndarray]  # a grey image -> one of the size that is learned from


def has_idx(source: Path) -> bool:
    """Whether a source has IDX files, or nothing else that could be read."""
    return not source.is_dir() or any(source.glob("*ubyte*"))


def ingest_idx(
    source: Path,
    writer: DatasetWriter,
    classes: int,
    shape: tuple[int, ...],
    fit: Fit,
    held_out: float,
    named: str = "",
) -> pd.DataFrame:
    """Read the official train and test files; hold out a validation split by content.

    An image that was seen before, in the test split above all, is rejected: identical content
    never sits on both sides of a split.

    Args:
        source: the folder of the files.
        writer: of the dataset: ids, labels and the array `images`.
        classes: how many labels there are.
        shape: of the images that are learned from, (height, width[, 3]).
        fit: makes that of an image of another shape; raises ValueError with the reason.
        held_out: share of the training files that becomes the validation split.
        named: how fitting is told: the setting that says how.

    Returns:
        The `split` and `label` of each example, in order.

    Raises:
        PenstockError: the files are missing, damaged or do not fit each other.
    """
    seen: dict[str, str] = {}
    parts = []
    for split, prefix in FILES.items():
        images, labels = read_pair(source, prefix, classes)
        images, usable = _fit_all(split, images, shape, fit, writer, named)
        rows = _describe(split, images, labels, usable)
        if split == "train":
            shares = {"validation": held_out, "train": 1 - held_out}
            rows["split"] = hash_splits(rows["sha256"], shares)
        pairs = list(zip(rows["sha256"], rows["id"], strict=True))
        taken = np.array([seen.setdefault(content, name) == name for content, name in pairs])
        for content, name in itertools.compress(pairs, ~taken):
            writer.reject(name, f"the same image as {seen[content]}")
        writer.add(rows[taken], {"images": images[taken]})
        parts.append(rows.loc[taken, ["split", "label"]])
    return pd.concat(parts, ignore_index=True)


def _fit_all(
    split: str,
    images: np.ndarray,
    shape: tuple[int, ...],
    fit: Fit,
    writer: DatasetWriter,
    named: str,
) -> tuple[np.ndarray, np.ndarray]:
    """Fit images of another shape, and reject those that cannot be.

    Returns:
        The images that could be fitted, and their positions.
    """
    positions = np.arange(len(images))
    if images.shape[1:] == shape:
        return images, positions
    found, wanted = ("x".join(map(str, it[:2])) for it in (images.shape[1:], shape))
    print(f"  images of {found} are fitted into {wanted}{named}")
    fitted, usable = np.zeros((len(images), *shape), np.uint8), np.ones(len(images), bool)
    for position, image in enumerate(tqdm(images, unit="image", disable=None, leave=False)):
        try:
            fitted[position] = fit(image)
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
    """A row of the index per image."""
    return pd.DataFrame(
        {
            "id": [_name(split, position) for position in positions],
            "split": split,
            "label": labels[positions].astype(np.int16),
            "sha256": [hashlib.sha256(image.tobytes()).hexdigest() for image in images],
            **measure(images),
        }
    )
