"""From image files in class folders to examples."""

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

from ...datasets.dataset import DatasetWriter
from ...datasets.splits import group_splitter
from ...kinds.folders.class_folders import usable_classes
from ...kinds.folders.collector import Collector
from ...kinds.folders.examples import Example, Read, read_example
from ...kinds.folders.groups import (
    GROUPS,
    check_complete,
    not_there,
    read_groups,
    suggest_groups,
)
from ...kinds.folders.labels import LABELS, find_classes
from ...kinds.folders.layout import published_splitter, unwrap
from ...kinds.folders.marked import collect_marked
from ...messages.printable import printable
from .decode import open_image
from .params import Data, Params

BYTES_PER_PIXEL = 8  # RGBA of 16 bits; a larger file cannot be an image of max_pixels
GREY = np.array([0.299, 0.587, 0.114], np.float32) / 255  # ITU-R BT.601, to a scale of 0 to 1
TYPES = {
    "label": np.int16,
    **dict.fromkeys(("width", "height"), np.int32),
    **dict.fromkeys(("red", "green", "blue", "brightness", "sharpness", "peak"), np.float32),
}


def ingest(source: Path, writer: DatasetWriter, params: Params) -> None:
    """Decode every file of every class; split by group.

    A group is what groups.csv says, else an image's own content. An image that was seen before
    is rejected, whatever its group.

    Raises:
        PenstockError: fewer than two classes with images, or a list that is damaged.
    """
    data = params.data
    read = _reader(data)
    source = unwrap(source, (GROUPS, LABELS))
    Image.init()  # Pillow finds its readers once, before threads do
    found = find_classes(source, ignored=(GROUPS,))
    groups = read_groups(source / GROUPS) or found.groups
    missing = list(not_there(groups, found))
    classes = usable_classes(source, found, read, "image")
    for name, reason in found.rejected + missing:
        writer.reject(name, reason)
    files, class_of = found.all_files(), found.classes_of_files()
    if data.ungrouped == "refuse":
        check_complete(source, groups, files)
    if not groups and (hint := suggest_groups(files)):
        print(printable(hint))
    # Before anything is decoded, a file that is in no group stands for its own content.
    named = [groups.get(file, file) for file in files]
    shares = data.test_share, data.validation_share
    split = group_splitter(data.split, *shares, files, named)
    if found.splits:
        split = published_splitter(found.splits, *shares)

    def place(file: str, example: Example) -> dict[str, Any]:
        group = groups.get(file, example.columns["sha256"])
        return {"label": classes.index(class_of[file]), "group": group}

    Collector(source, writer, "images", "image", TYPES, split).collect(files, read, place)
    writer.info = {"classes": classes, **_settings(data)}


def ingest_feedback(folder: Path, writer: DatasetWriter, params: Params) -> None:
    """Add images that people sorted where a model was wrong.

    Where the source's images have groups, each needs one too, in raw/groups.csv, unless
    `data.ungrouped` says that it may stand alone.
    """
    known = writer.remembered
    grouped = params.data.ungrouped == "refuse" and bool((known["group"] != known["sha256"]).any())

    def describe(_: str, group: str | None, example: Example) -> dict[str, Any] | str:
        if group is None and grouped:
            return f"in no group; list it in raw/{GROUPS}, or set data.ungrouped: alone"
        return {"group": group or example.columns["sha256"]}

    collect_marked(folder, writer, "images", "image", TYPES, _reader(params.data), describe)


def _reader(data: Data) -> Read:
    return partial(
        read_example,
        decode=partial(_decode, data=data),
        largest=BYTES_PER_PIXEL * data.max_pixels + 2**20,
    )


def _decode(content: bytes, data: Data) -> tuple[np.ndarray, dict[str, Any]]:
    """Decode one file; what the index says of it."""
    image, header = open_image(
        content, data.image_size, data.fit, data.min_side, data.max_pixels, data.depth
    )
    red, green, blue = image.mean((0, 1)) / 255
    grey = image @ GREY
    return image, {
        **asdict(header),
        **{"red": red, "green": green, "blue": blue},
        "brightness": grey.mean(),
        "sharpness": ndimage.laplace(grey).var(),
        "peak": image.max() / 255,
    }


def _settings(data: Data) -> dict[str, Any]:
    """What predict needs to decode as ingest did."""
    return {
        "image_size": [data.image_size, data.image_size],
        **{name: getattr(data, name) for name in ("fit", "min_side", "max_pixels", "depth")},
    }
