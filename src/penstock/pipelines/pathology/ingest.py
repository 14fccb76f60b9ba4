"""From image files in class folders to examples."""

import hashlib
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image
from scipy import ndimage
from tqdm import tqdm

from ...datasets.class_folders import list_class_folders
from ...datasets.dataset import DatasetWriter
from ...datasets.groups import read_groups
from ...datasets.splits import hash_splits, ranked_splits
from ...errors import PenstockError
from .decode import open_image
from .params import Data, Params

GROUPS = "groups.csv"
CHUNK, CHUNK_BYTES = 256, 2**26  # examples written at a time: so many, and no more bytes
AHEAD = 4  # files read ahead for each worker, so that memory stays flat
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
    for name, reason in found.rejected:
        writer.reject(name, reason)
    groups = read_groups(source / GROUPS)
    _reject_missing(writer, groups, {name for name, _ in found.rejected}, found.files)
    classes = [name for name, files in found.files.items() if _has_image(source, files, data)]
    for name in sorted(found.files.keys() - set(classes)):
        writer.reject(name, "class folder with no image")
    if len(classes) < 2:
        raise PenstockError(
            f"{source}: {len(classes)} folders with images ({', '.join(classes) or 'none'}); "
            "expected at least two, one per class; sort the images into a folder per class, or "
            "set `source` in params.yaml to the folder that has those"
        )
    files = sorted(file for part in found.files.values() for file in part)
    collector = Collector(writer, classes, groups, _splitter(data, files, groups), data.image_size)
    results = _in_order(lambda file: _read(source / file, data), files)
    bar = tqdm(
        results, total=len(files), unit="image", disable=not sys.stderr.isatty(), leave=False
    )
    for file, result in zip(files, bar, strict=True):
        collector.take(file, result)
    collector.flush()
    writer.info = {"classes": classes, **_settings(data)}


@dataclass
class Collector:
    """Takes results in the order of the files; writes examples in chunks, rejects the others."""

    writer: DatasetWriter
    classes: list[str]
    groups: dict[str, str]
    split: Callable[[pd.DataFrame], np.ndarray]
    size: int
    seen: dict[str, str] = field(default_factory=dict)
    chunk: list[tuple[dict[str, Any], Example]] = field(default_factory=list)

    def take(self, file: str, result: Example | str) -> None:
        """Keep an example, or reject the file for the reason given or as seen before."""
        if isinstance(result, str):
            self.writer.reject(file, result)
            return
        content = result.columns["sha256"]
        if (first := self.seen.setdefault(content, file)) != file:
            self.writer.reject(file, f"the same image as {first}")
            return
        label = self.classes.index(file.split("/")[0])
        group = self.groups.get(file, content)
        row = {"id": file, "split": "", "label": label, "group": group, **result.columns}
        self.chunk.append((row, result))
        if len(self.chunk) >= max(1, min(CHUNK, CHUNK_BYTES // (3 * self.size**2))):
            self.flush()

    def flush(self) -> None:
        """Write what is kept."""
        if not self.chunk:
            return
        rows = pd.DataFrame([row for row, _ in self.chunk]).astype(TYPES)
        rows["split"] = self.split(rows)
        self.writer.add(rows, {"images": np.stack([example.image for _, example in self.chunk])})
        self.chunk.clear()


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


def _in_order(
    work: Callable[[str], Example | str], files: Iterable[str]
) -> Iterator[Example | str]:
    """Work on files in parallel threads, a few ahead; answer in their order."""
    workers = os.cpu_count() or 1
    Image.init()  # Pillow finds its readers once, before threads do
    pending: deque[Future[Example | str]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for file in files:
            pending.append(pool.submit(work, file))
            if len(pending) > AHEAD * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _has_image(source: Path, files: list[str], data: Data) -> bool:
    """Whether one file at least can be decoded; labels are numbered before all are."""
    return any(isinstance(_read(source / file, data), Example) for file in files)


def _reject_missing(
    writer: DatasetWriter, groups: dict[str, str], refused: set[str], files: dict[str, list[str]]
) -> None:
    there = refused.union(*files.values())
    for name in sorted(groups.keys() - there):
        writer.reject(name, f"listed in {GROUPS}, not there")


def _splitter(
    data: Data, files: list[str], groups: dict[str, str]
) -> Callable[[pd.DataFrame], np.ndarray]:
    """How rows of the index get their split."""
    held_out = {"test": data.test_share, "validation": data.validation_share}
    shares = {**held_out, "train": 1 - sum(held_out.values())}
    if data.split == "hash":
        return lambda rows: hash_splits(
            (hashlib.sha256(group.encode()).hexdigest() for group in rows["group"]), shares
        )
    # Dealt out before anything is decoded: a file that is not listed stands for its own content.
    dealt = ranked_splits([groups.get(file, file) for file in files], shares)
    split_of = dict(zip(files, dealt, strict=True))
    return lambda rows: np.array([split_of[name] for name in rows["id"]])


def _settings(data: Data) -> dict[str, Any]:
    """What predict needs to decode as ingest did."""
    return {
        "image_size": [data.image_size, data.image_size],
        **{"fit": data.fit, "min_side": data.min_side, "max_pixels": data.max_pixels},
    }
