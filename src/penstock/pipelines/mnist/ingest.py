"""From MNIST's four IDX files, or grey images in class folders, to examples."""

import hashlib
import itertools
import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from ...datasets.dataset import DatasetWriter
from ...datasets.splits import Splitter, hash_splits
from ...kinds.folders.class_folders import usable_classes
from ...kinds.folders.collector import Collector
from ...kinds.folders.examples import Example, read_example
from ...kinds.folders.labels import LABELS, find_classes
from ...kinds.folders.layout import published_splitter, unwrap
from ...messages.errors import PenstockError
from .decode import decode, fit_image
from .idx import find_idx, read_idx
from .params import Data, Params

LARGEST = 2**28  # bytes of an image file
TYPES = {
    **dict.fromkeys(("label", "width", "height"), np.int16),
    "mean": np.float32,
}
FILES = {"test": "t10k", "train": "train"}  # the test split first: an image in both stays there


def ingest(source: Path, writer: DatasetWriter, params: Params) -> None:
    """Read IDX files, where there are any, else class folders.

    An image that was seen before, in the test split above all, is rejected: identical content
    never sits on both sides of a split.

    Raises:
        PenstockError: neither is there, or they are damaged or do not fit `data.classes`.
    """
    side, fit = params.data.image_size, params.data.fit
    writer.info = {"classes": params.data.classes, "image_size": [side, side], "fit": fit}
    source = unwrap(source, (LABELS,))
    if not source.is_dir() or any(source.glob("*ubyte*")):
        _ingest_idx(source, writer, params)
    else:
        _ingest_folders(source, writer, params.data)


def _ingest_folders(source: Path, writer: DatasetWriter, data: Data) -> None:
    """Decode every file of every class; split as the publisher did, or by content."""
    read = partial(read_example, decode=partial(_decode, data=data), largest=LARGEST)
    found = find_classes(source, ignored=())
    if not found.files:
        find_idx(source, "train-images-idx3-ubyte")  # says what is expected
    classes = usable_classes(source, found, read, "image")
    if set(classes) != set(data.classes):
        raise PenstockError(
            f"{source}: the classes are {', '.join(classes)}; expected {', '.join(data.classes)}, "
            f"as data.classes says; set data.classes: {json.dumps(classes)}"
        )
    for name, reason in found.rejected:
        writer.reject(name, reason)
    shares = {"test": data.test_share, "validation": data.validation_share}
    shares["train"] = 1.0 - sum(shares.values())
    split: Splitter = lambda rows: hash_splits(rows["sha256"], shares)  # noqa: E731
    if found.splits:
        split = published_splitter(found.splits, data.test_share, data.validation_share, "sha256")
    class_of = found.classes_of_files()

    def place(file: str, example: Example) -> dict[str, Any]:
        return {"label": data.classes.index(class_of[file])}

    collector = Collector(source, writer, "images", "image", TYPES, split)
    collector.collect(found.all_files(), read, place)


def _decode(content: bytes, data: Data) -> tuple[np.ndarray, dict[str, Any]]:
    """Decode one file; what the index says of it."""
    image = decode(content, data.image_size, data.fit)
    return image, {name: values[0] for name, values in _measure(image[np.newaxis]).items()}


def _ingest_idx(source: Path, writer: DatasetWriter, params: Params) -> None:
    """Read the official train and test files; hold out a validation split by content."""
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
    return pd.DataFrame(
        {
            "id": [_name(split, position) for position in positions],
            "split": split,
            "label": labels[positions].astype(np.int16),
            "sha256": [hashlib.sha256(image.tobytes()).hexdigest() for image in images],
            **_measure(images),
        }
    )


def _measure(images: np.ndarray) -> dict[str, np.ndarray]:
    """What the index says of the pixels of each image."""
    flat = images.reshape(len(images), -1)
    total = flat.sum(1, dtype=np.uint32)
    return {
        "width": np.full(len(images), images.shape[2], np.int16),
        "height": np.full(len(images), images.shape[1], np.int16),
        "mean": (total / (255 * flat.shape[1])).astype(np.float32),
        "blank": flat.min(1) == flat.max(1),
    }
