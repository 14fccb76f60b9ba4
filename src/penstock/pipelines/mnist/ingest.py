"""From MNIST's four IDX files, or grey images in class folders, to examples."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...datasets.dataset import DatasetWriter
from ...kinds.folders.by_content import collect_by_content
from ...kinds.folders.class_folders import usable_classes
from ...kinds.folders.examples import Read, read_example
from ...kinds.folders.labels import LABELS, find_classes
from ...kinds.folders.layout import unwrap
from ...kinds.folders.marked import collect_marked
from ...kinds.images.idx import find_idx
from ...kinds.images.idx_examples import has_idx, ingest_idx
from ...kinds.images.measured import TYPES, measure_one
from ...messages.errors import PenstockError
from .decode import decode, fit_image
from .params import Data, Params

LARGEST = 2**28  # bytes of an image file


def ingest(source: Path, writer: DatasetWriter, params: Params) -> None:
    """Read IDX files, where there are any, else class folders.

    Raises:
        PenstockError: neither is there, or they are damaged or do not fit `data.classes`.
    """
    data = params.data
    side = data.image_size
    writer.info = {"classes": data.classes, "image_size": [side, side], "fit": data.fit}
    source = unwrap(source, (LABELS,))
    if has_idx(source):
        fit = partial(fit_image, side=side, fit=data.fit)
        told = f" (data.fit: {data.fit})"
        ingest_idx(
            source, writer, len(data.classes), (side, side), fit, data.validation_share, told
        )
    else:
        _ingest_folders(source, writer, data)


def ingest_feedback(folder: Path, writer: DatasetWriter, params: Params) -> None:
    """Add digits that people named where a model was wrong."""
    collect_marked(folder, writer, "images", "image", TYPES, _reader(params.data))


def _ingest_folders(source: Path, writer: DatasetWriter, data: Data) -> None:
    """Decode every file of every class; split as the publisher did, or by content."""
    read = _reader(data)
    found = find_classes(source, ignored=())
    if not found.files:
        find_idx(source, "train-images-idx3-ubyte")  # says what is expected
    classes = usable_classes(source, found, read, "image")
    if set(classes) != set(data.classes):
        raise PenstockError(
            f"{source}: the classes are {', '.join(classes)}; expected {', '.join(data.classes)}, "
            f"as data.classes says; set data.classes: {json.dumps(classes)}"
        )
    shares = data.test_share, data.validation_share
    collect_by_content(source, writer, found, data.classes, read, TYPES, shares)


def _reader(data: Data) -> Read:
    return partial(read_example, decode=partial(_decode, data=data), largest=LARGEST)


def _decode(content: bytes, data: Data) -> tuple[np.ndarray, dict[str, Any]]:
    """Decode one file; what the index says of it."""
    image = decode(content, data.image_size, data.fit)
    return image, measure_one(image)
