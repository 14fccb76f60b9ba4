"""CSV: a row for each box."""

import csv
import io
from pathlib import PurePosixPath

from ...kinds.folders.layout import SPLITS
from ...messages.errors import PenstockError
from .annotations import Annotations, Box, Files, numbers

# What is read -> names of its column, in small letters.
COLUMNS = {
    "file": ("file", "filename", "file_name", "image", "image_path", "image_id"),
    "label": ("label", "class", "class_name", "category", "name"),
    "xmin": ("xmin", "x_min", "x1", "left"),
    "ymin": ("ymin", "y_min", "y1", "top"),
    "xmax": ("xmax", "x_max", "x2", "right"),
    "ymax": ("ymax", "y_max", "y2", "bottom"),
}
CORNERS = ("xmin", "ymin", "xmax", "ymax")
SPLIT = "split"


def find_tables(files: Files) -> list[str]:
    """The CSV files whose header has all columns."""
    return [it for it in files.ending(".csv") if _columns(_header(files, it))]


def read_tables(files: Files) -> Annotations:
    """Read every table; a row without corners says that its image has no boxes.

    Raises:
        PenstockError: a file is no CSV, or a split is none.
    """
    found = Annotations()
    for path in find_tables(files):
        folder = PurePosixPath(path).parent.as_posix()
        reader = csv.DictReader(io.StringIO(files.text(path), newline=""), strict=True)
        columns = _columns(list(reader.fieldnames or ()))
        try:
            for row in reader:
                values = {key: (row[name] or "").strip() for key, name in columns.items()}
                where = f"{path}: line {reader.line_num}"
                image = files.named(values["file"], folder)
                if image is None:
                    found.reject(where, f"{values['file']} is not there, or in several folders")
                    continue
                _add(values, image, where, found)
        except csv.Error as error:
            raise PenstockError(
                f"{files.source / path}: line {reader.line_num}: {error}; expected CSV; mend it"
            ) from None
    return found


def _add(values: dict[str, str], image: str, where: str, found: Annotations) -> None:
    boxes = found.boxes[image]
    if split := values.get(SPLIT, "").lower():
        if split not in SPLITS:
            raise PenstockError(
                f"{where}: split is {split}; expected one of {', '.join(SPLITS)}; mend it"
            )
        if found.splits.setdefault(image, SPLITS[split]) != SPLITS[split]:
            raise PenstockError(
                f"{where}: {image} is in {split}, and in {found.splits[image]} above; expected "
                "one split for each image; mend it"
            )
    if not any(values[it] for it in CORNERS):
        return
    try:
        left, top, right, bottom = numbers(values[it] for it in CORNERS)
    except ValueError as error:
        found.reject(where, f"a corner is {error}")
        return
    boxes.append(Box(values["label"], (left, top, right, bottom)))


def _header(files: Files, path: str) -> list[str]:
    first = files.text(path).partition("\n")[0]
    return next(csv.reader([first.strip()]), [])


def _columns(header: list[str]) -> dict[str, str]:
    """What is read -> the name of its column; nothing if one is missing."""
    given = {name.strip().lower(): name for name in header}
    chosen = {
        key: given[name]
        for key, names in COLUMNS.items()
        if (name := next((it for it in names if it in given), None)) is not None
    }
    if len(chosen) < len(COLUMNS):
        return {}
    return chosen | ({SPLIT: given[SPLIT]} if SPLIT in given else {})
