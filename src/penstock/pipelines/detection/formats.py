"""Which format annotations are in, and reading them."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ...kinds.folders.class_folders import ClassFolders, walk
from ...messages.errors import PenstockError
from .annotations import Annotations, Files, split_folders, split_lists
from .box_table import find_tables, read_tables
from .coco import read_coco
from .text_files import kind_of, read_kitti, read_pennfudan, read_yolo
from .voc import read_voc

EXPECTED = (
    "expected boxes in one of: XML files (Pascal VOC), a JSON file (COCO), a text file for each "
    "image (YOLO, KITTI, Penn-Fudan), a CSV with file, label, xmin, ymin, xmax, ymax"
)


def read_annotations(source: Path, wanted: str, classes: Sequence[str]) -> Annotations:
    """Read the boxes of every image of a source, and the publisher's splits if there are any.

    An image of which nothing is written down is rejected; a folder without any other, as one.

    Args:
        source: the folder.
        wanted: the format, or `auto`.
        classes: names for class numbers, if no file has them.

    Raises:
        PenstockError: there is no annotation, or there are several formats.
    """
    walked = ClassFolders()
    paths = [path for path, is_folder in walk(source, walked, ()) if not is_folder]
    files = Files(source, paths)
    if not files.images:
        raise PenstockError(f"{source}: no image files; {EXPECTED}; set `source` to their folder")
    kind = _only_kind(files) if wanted == "auto" else wanted
    found = _read(files, kind, classes)
    print(f"  boxes of {len(found.boxes):,} images, in the format {kind}")
    found.rejected += walked.rejected
    _reject_others(files, found)
    found.splits = found.splits or split_lists(files) or split_folders(found.boxes)
    return found


def _only_kind(files: Files) -> str:
    """The one format there is.

    Raises:
        PenstockError: there is none, or more than one.
    """
    text = kind_of(files)
    kinds = [
        *(["voc"] if files.ending(".xml") else []),
        *(["coco"] if files.ending(".json") else []),
        *(["csv"] if find_tables(files) else []),
        *([text] if text else []),
    ]
    if len(kinds) != 1:
        what = f"annotations as {' and as '.join(kinds)}" if kinds else "no annotations"
        remedy = "set data.format to one" if kinds else "add them"
        raise PenstockError(f"{files.source}: {what}; {EXPECTED}; {remedy}")
    return kinds[0]


def _read(files: Files, kind: str, classes: Sequence[str]) -> Annotations:
    if kind == "yolo":
        return read_yolo(files, classes)
    readers = {
        "voc": read_voc,
        "coco": read_coco,
        "csv": read_tables,
        "kitti": read_kitti,
        "pennfudan": read_pennfudan,
    }
    return readers[kind](files)


def _reject_others(files: Files, found: Annotations) -> None:
    """Reject images without annotation; where a folder has no other, masks say, the folder."""
    folders = {PurePosixPath(it).parent for it in found.boxes}
    others: dict[str, int] = {}
    for image in files.images:
        folder = PurePosixPath(image).parent
        if image in found.boxes:
            continue
        if folder in folders:
            found.reject(image, "no annotation; one without boxes says that there is nothing in it")
        else:
            others[folder.as_posix()] = others.get(folder.as_posix(), 0) + 1
    for name, count in others.items():
        found.reject(name, f"a folder of {count:,} images, none of them annotated")
