"""From image files in class folders to examples."""

import hashlib
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage
from tqdm import tqdm

from ...datasets.class_folders import list_class_folders, usable_classes
from ...datasets.collector import Collector
from ...datasets.dataset import DatasetWriter
from ...datasets.groups import read_groups
from ...datasets.parallel import in_order
from ...datasets.splits import group_splitter
from .decode import open_image
from .params import Data, Params

GROUPS = "groups.csv"
BYTES_PER_PIXEL = 8  # RGBA of 16 bits; a larger file cannot be an image of max_pixels
GREY = np.array([0.299, 0.587, 0.114], np.float32) / 255  # ITU-R BT.601, to a scale of 0 to 1
TYPES = {
    "label": np.int16,
    **dict.fromkeys(("width", "height"), np.int32),
    **dict.fromkeys(("red", "green", "blue", "brightness", "sharpness"), np.float32),
}


@dataclass(frozen=True)
class Example:
    """A decoded image with its columns of the index."""

    image: np.ndarray
    columns: dict[str, Any]


def ingest(source: Path, writer: DatasetWriter, params: Params) -> None:
    """Decode every file of every class folder; split by group.

    A group is what groups.csv says, else an image's own content. An image that was seen before
    is rejected, whatever its group.

    Raises:
        PenstockError: fewer than two class folders with images, or a groups.csv that is damaged.
    """
    data = params.data
    found = list_class_folders(source, ignored=(GROUPS,))
    groups = read_groups(source / GROUPS)
    _reject_missing(writer, groups, {name for name, _ in found.rejected}, found.files)
    classes = usable_classes(source, found, lambda file: _is_image(file, data), "image")
    for name, reason in found.rejected:
        writer.reject(name, reason)
    files = sorted(file for part in found.files.values() for file in part)
    # Before anything is decoded, a file that is in no group stands for its own content.
    named = [groups.get(file, file) for file in files]
    split = group_splitter(data.split, data.test_share, data.validation_share, files, named)
    collector = Collector(writer, "images", "image", TYPES, split)
    Image.init()  # Pillow finds its readers once, before threads do
    results = in_order(partial(_read, data=data), [source / file for file in files])
    bar = tqdm(
        results, total=len(files), unit="image", disable=not sys.stderr.isatty(), leave=False
    )
    for file, result in zip(files, bar, strict=True):
        if isinstance(result, str):
            writer.reject(file, result)
            continue
        label = classes.index(file.split("/")[0])
        group = groups.get(file, result.columns["sha256"])
        collector.take({"id": file, "label": label, "group": group, **result.columns}, result.image)
    collector.flush()
    writer.info = {"classes": classes, **_settings(data)}


def _read(path: Path, data: Data) -> Example | str:
    """Decode one file and describe it, or say why not."""
    try:
        if path.stat().st_size > BYTES_PER_PIXEL * data.max_pixels + 2**20:
            return f"too large a file for an image of {data.max_pixels:,} pixels"
        content = path.read_bytes()
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    try:
        opened = open_image(content, data.image_size, data.fit, data.min_side, data.max_pixels)
    except ValueError as error:
        return str(error)
    image = opened.image
    red, green, blue = image.mean((0, 1)) / 255
    grey = image @ GREY
    columns = {
        "sha256": hashlib.sha256(image.tobytes()).hexdigest(),
        **{"width": opened.width, "height": opened.height},
        **{"mode": opened.mode, "format": opened.format},
        **{"red": red, "green": green, "blue": blue},
        "brightness": grey.mean(),
        "sharpness": ndimage.laplace(grey).var(),
    }
    return Example(image, columns)


def _is_image(path: Path, data: Data) -> bool:
    return isinstance(_read(path, data), Example)


def _reject_missing(
    writer: DatasetWriter, groups: dict[str, str], refused: set[str], files: dict[str, list[str]]
) -> None:
    there = refused.union(*files.values())
    for name in sorted(groups.keys() - there):
        writer.reject(name, f"listed in {GROUPS}, not there")


def _settings(data: Data) -> dict[str, Any]:
    """What predict needs to decode as ingest did."""
    return {
        "image_size": [data.image_size, data.image_size],
        **{"fit": data.fit, "min_side": data.min_side, "max_pixels": data.max_pixels},
    }
