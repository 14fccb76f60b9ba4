"""A text file for each image: YOLO's, KITTI's, and that of Penn-Fudan."""

import re
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

from ...kinds.folders.yaml_text import parse_yaml
from ...messages.errors import PenstockError
from .annotations import Annotations, Box, Corners, Files, numbers

KITTI_VALUES = (15, 16)  # of a line: with a score in results
PENN_FUDAN = re.compile(
    r'Bounding box for object \d+ "(\w+)".*: \((\d+), (\d+)\) - \((\d+), (\d+)\)'
)
YOLO_NAMES = ("data.yaml", "dataset.yaml", "classes.txt", "obj.names", "_darknet.labels")

# A line -> a box, or nothing if it has none; raises ValueError with the reason.
Parse = Callable[[str], Box | None]


def paired(files: Files) -> list[str]:
    """The text files that are named as an image is."""
    lists = {*YOLO_NAMES}
    return [
        it
        for it in files.ending(".txt")
        if PurePosixPath(it).name not in lists and files.beside(it) is not None
    ]


def kind_of(files: Files) -> str:
    """`yolo`, `kitti` or `pennfudan`, by the first file that has a line; or nothing."""
    named = any(PurePosixPath(it).name in YOLO_NAMES for it in files.paths)
    for path in paired(files):
        text = files.text(path)
        if PENN_FUDAN.search(text):
            return "pennfudan"
        if words := text.split():
            return "yolo" if words[0].replace(".", "", 1).isdigit() else "kitti"
    return "yolo" if named else ""


def read_yolo(files: Files, classes: Sequence[str]) -> Annotations:
    """Read YOLO's files: class number, middle, width and height as shares; or a polygon.

    An image without a file has no boxes.

    Args:
        files: of the source.
        classes: names, if no file of the source has them.

    Raises:
        PenstockError: there are no names.
    """
    names = _yolo_names(files) or list(classes)
    if not names:
        raise PenstockError(
            f"{files.source}: no names for YOLO's class numbers; expected one of "
            f"{', '.join(YOLO_NAMES)}; add one, or set data.classes"
        )

    def parse(line: str) -> Box:
        return _yolo_box(line, names)

    found = _read(files, parse)
    for image in files.images:
        found.boxes.setdefault(image, [])
    return found


def read_kitti(files: Files) -> Annotations:
    """Read KITTI's files: type, truncation, occlusion, angle, four corners in pixels, more.

    DontCare marks regions without labels, and is no object.
    """
    return _read(files, _kitti_box)


def read_pennfudan(files: Files) -> Annotations:
    """Read the files of Penn-Fudan, in version 1.00 of Pascal's format."""
    return _read(files, _pennfudan_box)


def _read(files: Files, parse: Parse) -> Annotations:
    found = Annotations()
    for path in paired(files):
        image = str(files.beside(path))
        if image in found.boxes:
            found.reject(path, f"a second annotation of {image}")
            continue
        boxes = found.boxes[image]
        for number, line in enumerate(files.text(path).splitlines(), 1):
            try:
                box = parse(line) if line.strip() else None
            except ValueError as error:
                found.reject(f"{path}: line {number}", str(error))
                continue
            if box is not None:
                boxes.append(box)
    return found


def _yolo_box(line: str, names: list[str]) -> Box:
    number, *values = line.split()
    if not number.isdigit() or int(number) >= len(names):
        raise ValueError(f"class {number}; expected 0 to {len(names) - 1}")
    given = numbers(values)
    if len(given) == 4:
        x, y, width, height = given
        corners: Corners = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    elif len(given) >= 6 and len(given) % 2 == 0:
        corners = (min(given[::2]), min(given[1::2]), max(given[::2]), max(given[1::2]))
    else:
        raise ValueError(f"{len(given)} numbers after the class; expected 4, or a polygon")
    return Box(names[int(number)], corners, relative=True)


def _yolo_names(files: Files) -> list[str]:
    """Names of classes, by the first of the usual files; none if there is none.

    Raises:
        PenstockError: it is damaged.
    """
    found = {PurePosixPath(it).name: it for it in reversed(files.paths)}
    path = next((found[it] for it in YOLO_NAMES if it in found), "")
    if not path.endswith(".yaml"):
        return [it.strip() for it in files.text(path).splitlines() if it.strip()] if path else []
    try:
        names = parse_yaml(files.text(path))["names"]
        named = [names[it] for it in sorted(names)] if isinstance(names, dict) else list(names)
    except (ValueError, KeyError, TypeError) as error:
        raise PenstockError(
            f"{files.source / path}: no names of classes ({error!r}); expected names: [...]; add it"
        ) from None
    return [str(it) for it in named]


def _kitti_box(line: str) -> Box | None:
    name, *values = line.split()
    if len(values) + 1 not in KITTI_VALUES:
        raise ValueError(f"{len(values) + 1} values; expected 15, as KITTI has them")
    left, top, right, bottom = numbers(values[3:7])
    return None if name == "DontCare" else Box(name, (left, top, right, bottom))


def _pennfudan_box(line: str) -> Box | None:
    match = PENN_FUDAN.search(line)
    if match is None:
        return None
    left, top, right, bottom = numbers(match.groups()[1:])
    return Box(match[1], (left, top, right, bottom))
