"""What people wrote down of images: boxes by image file, whatever the format."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from ...kinds.folders.layout import SPLITS
from ...messages.errors import PenstockError, raise_if_temporary

IMAGES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp")
# Folders that say whether a file is an image or its annotation: they do not tell pairs apart.
ROOMS = {
    *("annotation", "annotations", "labels", "label_2", "xmls"),
    *("images", "image_2", "jpegimages", "pngimages", "imgs"),
}
LARGEST = 2**28  # bytes of an annotation file

Corners = tuple[float, float, float, float]


@dataclass(frozen=True)
class Box:
    """An annotated object.

    Attributes:
        name: its class.
        corners: left, top, right, bottom: pixels, or shares of the image's sides.
        crowd: whether it is neither learned nor counted: a crowd (COCO), or difficult (VOC).
        relative: whether corners are shares.
    """

    name: str
    corners: Corners
    crowd: bool = False
    relative: bool = False


@dataclass
class Annotations:
    """What was found, by paths relative to the source.

    Attributes:
        boxes: image file -> its boxes; none is a valid answer.
        sizes: image file -> width and height that its annotation names.
        splits: image file -> the publisher's split.
        rejected: what cannot be taken, and why.
    """

    boxes: dict[str, list[Box]] = field(default_factory=lambda: defaultdict(list))
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    splits: dict[str, str] = field(default_factory=dict)
    rejected: list[tuple[str, str]] = field(default_factory=list)

    def reject(self, name: str, reason: str) -> None:
        """Record what cannot be taken."""
        self.rejected.append((name, reason))


class Files:
    """The files of a source, and images by the names that annotations give them."""

    def __init__(self, source: Path, paths: Iterable[str]) -> None:
        """Take over paths relative to the source."""
        self.source = source
        self.paths = sorted(paths)
        self.images = [it for it in self.paths if it.lower().endswith(IMAGES)]
        self._pairs = {_key(it): it for it in self.images}
        self._named: dict[str, list[str]] = defaultdict(list)
        for image in self.images:
            path = PurePosixPath(image)
            for name in {path.name, path.stem}:
                self._named[name].append(image)

    def ending(self, *suffixes: str) -> list[str]:
        """The files of some kinds."""
        return [it for it in self.paths if it.lower().endswith(suffixes)]

    def beside(self, annotation: str) -> str | None:
        """The image that an annotation file of the same name is of."""
        return self._pairs.get(_key(annotation)) or self._only(PurePosixPath(annotation).stem)

    def named(self, name: str, folder: str = "") -> str | None:
        """The image that a list in a folder calls so, by its path, its name or its stem.

        Args:
            name: a path from that folder, from the source, or from one not known.
            folder: where the list lies.
        """
        path = PurePosixPath(name.replace("\\", "/"))
        for image in self._named.get(path.name, ()):
            if image in (path.as_posix(), (PurePosixPath(folder) / path).as_posix()):
                return image
        ends = [it for it in self._named.get(path.name, ()) if it.endswith(f"/{path}")]
        return ends[0] if len(ends) == 1 else self._only(path.name)

    def _only(self, name: str) -> str | None:
        found = self._named.get(name, [])
        return found[0] if len(found) == 1 else None

    def read(self, path: str) -> bytes:
        """The content of an annotation file.

        Raises:
            PenstockError: it cannot be read, or is too large to be one.
        """
        file = self.source / path
        try:
            if (size := file.stat().st_size) > LARGEST:
                raise PenstockError(
                    f"{file}: {size:,} bytes; expected annotations of at most {LARGEST:,}; split it"
                )
            return file.read_bytes()
        except OSError as error:
            raise_if_temporary(error, file)
            raise PenstockError(
                f"{file}: cannot be read ({error.strerror}); check its permissions"
            ) from None

    def text(self, path: str) -> str:
        """The text of an annotation file.

        Raises:
            PenstockError: it cannot be read, or is not UTF-8.
        """
        try:
            return self.read(path).decode("utf-8-sig")
        except UnicodeDecodeError:
            raise PenstockError(
                f"{self.source / path}: not UTF-8; expected text; save it as UTF-8"
            ) from None


def _key(path: str) -> str:
    """What an image and its annotation have in common."""
    it = PurePosixPath(path)
    return "/".join([*(name for name in it.parts[:-1] if name.lower() not in ROOMS), it.stem])


def numbers(values: Iterable[str | float | None]) -> list[float]:
    """Values as finite numbers.

    Raises:
        ValueError: one is none; names it.
    """
    found = []
    for value in values:
        try:
            number = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise ValueError(f"{'nothing' if value is None else value}: expected a number")
        found.append(number)
    return found


def split_lists(files: Files) -> dict[str, str]:
    """The publisher's split of each image that a train.txt, val.txt or test.txt names.

    Raises:
        PenstockError: an image is in the lists of two splits.
    """
    splits: dict[str, str] = {}
    named = [it for it in files.ending(".txt") if _split_named(PurePosixPath(it).stem)]
    for path in named:
        split = _split_named(PurePosixPath(path).stem)
        for line in files.text(path).splitlines():
            image = files.named(line.split()[0]) if line.strip() else None
            if image and splits.setdefault(image, split) != split:
                raise PenstockError(
                    f"{files.source / path}: {image} is in {split}, and in {splits[image]} by "
                    "another list; expected one split for each image; remove it from one"
                )
    return splits if "train" in splits.values() else {}


def split_folders(images: Iterable[str]) -> dict[str, str]:
    """The split of each image by a folder it lies in, if all lie in such, train2017 say."""
    splits = {it: next(_splits_in(it), "") for it in images}
    return splits if "train" in splits.values() and all(splits.values()) else {}


def _splits_in(path: str) -> Iterator[str]:
    return filter(None, map(_split_named, PurePosixPath(path).parts[:-1]))


def split_words(name: str) -> str:
    """The split that a word of a file's name says, instances_val2017.json say; or nothing."""
    words = PurePosixPath(name).stem.replace("-", "_").replace(".", "_").split("_")
    return next(filter(None, map(_split_named, words)), "")


def _split_named(name: str) -> str:
    return SPLITS.get(name.lower().rstrip("0123456789"), "")
