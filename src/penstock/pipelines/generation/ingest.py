"""From IDX files, or images in class folders, to examples; and the ruler they are measured by."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ...datasets.dataset import DatasetWriter
from ...kinds.folders.by_content import collect_by_content
from ...kinds.folders.class_folders import usable_classes
from ...kinds.folders.examples import read_example
from ...kinds.folders.labels import LABELS, find_classes
from ...kinds.folders.layout import unwrap
from ...kinds.images.idx import find_idx
from ...kinds.images.idx_examples import has_idx, ingest_idx
from ...kinds.images.measured import TYPES, measure_one
from .decode import decode, fit_grey
from .params import Data, Params
from .pixels import image_shape
from .ruler import ARRAY
from .ruler_training import train_ruler

LARGEST = 2**28  # bytes of an image file
RULER_STEPS = 100
DIGITS = [str(digit) for digit in range(10)]


def ingest(source: Path, writer: DatasetWriter, params: Params) -> None:
    """Read IDX files, where there are any, else class folders; train the ruler.

    Raises:
        PenstockError: neither is there, or they are damaged.
    """
    data = params.data
    side = data.image_size
    settings: dict[str, Any] = {"colour": data.colour, "fit": data.fit}
    writer.info = {"image_size": [side, side], **settings}
    source = unwrap(source, (LABELS,))
    if has_idx(source):
        classes = data.classes or DIGITS
        fit = partial(fit_grey, side=side, **settings)
        told = f" (data.fit: {data.fit})" if data.fit != "none" else ""
        shape, held_out = image_shape(side, data.colour), data.validation_share
        index = ingest_idx(source, writer, len(classes), shape, fit, held_out, told)
    else:
        read = partial(read_example, decode=partial(_decode, data=data), largest=LARGEST)
        found = find_classes(source, ignored=())
        if not found.files:
            find_idx(source, "train-images-idx3-ubyte")  # says what is expected
        classes = usable_classes(source, found, read, "image")
        shares = data.test_share, data.validation_share
        index = collect_by_content(source, writer, found, classes, read, TYPES, shares)
    writer.info["classes"] = classes
    print("  a classifier learns the classes: its features will measure what is drawn")
    ruler = train_ruler(writer.so_far("images"), index, len(classes), RULER_STEPS)
    writer.array(ARRAY, np.frombuffer(ruler.to_bytes(), np.uint8))


def _decode(content: bytes, data: Data) -> tuple[np.ndarray, dict[str, Any]]:
    """Decode one file; what the index says of it."""
    image = decode(content, data.image_size, data.colour, data.fit)
    return image, measure_one(image)
