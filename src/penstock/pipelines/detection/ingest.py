"""From image files and their boxes to examples."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from ...datasets.dataset import DatasetWriter
from ...datasets.splits import group_splitter
from ...kinds.folders.collector import Collector
from ...kinds.folders.examples import Example, read_example
from ...kinds.folders.groups import GROUPS, check_complete, read_groups
from ...kinds.folders.layout import published_splitter
from ...messages.errors import PenstockError
from .annotations import Annotations
from .decode import decode
from .formats import read_annotations
from .params import Data, Params
from .taken import take_boxes

BYTES_PER_PIXEL = 8  # RGBA of 16 bits; a larger file cannot be an image of max_pixels
TYPES = {
    **dict.fromkeys(("width", "height", "boxes", "crowd", "clipped"), np.int32),
    **dict.fromkeys(("start", "stop"), np.int64),
}


def ingest(source: Path, writer: DatasetWriter, params: Params) -> None:
    """Decode every annotated image into its letterbox; take its boxes in pixels of the original.

    Raises:
        PenstockError: no annotations, or damaged ones; no boxes; a groups.csv that lacks images.
    """
    data = params.data
    found = read_annotations(source, data.format, data.classes)
    classes = sorted(set(data.classes)) or _classes(found, source)
    for name, reason in sorted(found.rejected):
        writer.reject(name, reason)
    files = sorted(found.boxes)
    if found.splits:
        writer.reject_all(
            (it for it in files if it not in found.splits), "in none of the publisher's splits"
        )
        files = [it for it in files if it in found.splits]
    groups = read_groups(source / GROUPS)
    check_complete(source, groups, files)
    read = partial(
        read_example,
        decode=partial(_decode, data=data),
        largest=BYTES_PER_PIXEL * data.max_pixels + 2**20,
    )
    Image.init()  # Pillow finds its readers once, before threads do
    place = Placing(writer, found, classes, groups, data.min_box)
    shares = data.test_share, data.validation_share
    split = group_splitter(data.split, *shares, files, [groups.get(it, it) for it in files])
    if found.splits:
        split = published_splitter(found.splits, *shares)
    Collector(source, writer, "images", "image", TYPES, split).collect(files, read, place)
    place.tell()
    writer.info = {
        "classes": classes,
        "image_size": [data.height, data.width],
        "max_pixels": data.max_pixels,
    }


def _classes(found: Annotations, source: Path) -> list[str]:
    """The names that boxes have, sorted: the same whatever the format.

    Raises:
        PenstockError: there are none.
    """
    names = sorted({box.name for boxes in found.boxes.values() for box in boxes if box.name})
    if not names:
        raise PenstockError(f"{source}: no boxes in {len(found.boxes):,} images; add some")
    return names


class Placing:
    """Says where an image belongs: its group, and its boxes in arrays of their own."""

    def __init__(
        self,
        writer: DatasetWriter,
        found: Annotations,
        classes: list[str],
        groups: dict[str, str],
        min_box: float,
    ) -> None:
        """Take over what was annotated."""
        self.writer = writer
        self.found = found
        self.classes = classes
        self.groups = groups
        self.min_box = min_box
        self.clipped: list[str] = []
        self._seen: dict[str, str] = {}

    def __call__(self, file: str, example: Example) -> dict[str, Any] | str:
        """Columns of the index, or why the image is not taken."""
        width, height = example.columns["width"], example.columns["height"]
        annotated = self.found.sizes.get(file, (width, height))
        if annotated != (width, height):
            return (
                f"annotated at {annotated[0]}x{annotated[1]} pixels, and is {width}x{height} as it "
                "is seen; its boxes are of another image, or of one not turned"
            )
        digest = example.columns["sha256"]
        if (first := self._seen.setdefault(digest, file)) != file:
            return f"the same image as {first}"
        boxes = self.found.boxes[file]
        taken = take_boxes(boxes, width, height, self.classes, self.min_box)
        for name, reason in taken.rejected:
            self.writer.reject(f"{file}: {name}", reason)
        if taken.clipped:
            self.clipped.append(file)
        places = [self.writer.array(name, rows) for name, rows in taken.arrays().items()]
        start, stop = places[0]
        return {
            "group": self.groups.get(file, digest),
            "boxes": stop - start,
            "crowd": sum(taken.crowd),
            "clipped": taken.clipped,
            "start": start,
            "stop": stop,
        }

    def tell(self) -> None:
        """Say which images have boxes that reached over the edge."""
        if self.clipped:
            print(
                f"  boxes of {len(self.clipped):,} images reached over the edge and were clipped, "
                f"of {self.clipped[0]} the first"
            )


def _decode(content: bytes, data: Data) -> tuple[np.ndarray, dict[str, Any]]:
    """Decode one file; what the index says of it."""
    image = decode(content, data.height, data.width, data.max_pixels)
    about = {"width": image.width, "height": image.height, "format": image.format}
    return image.pixels, about | {"blank": bool(np.ptp(image.pixels) == 0)}
