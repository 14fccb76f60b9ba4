"""The files of a source that has a folder for each class: each is named, or why it is not taken."""

import os
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ...datasets.source import is_utf8, leads_out
from ...messages.errors import PenstockError, raise_if_temporary
from .examples import Example, Read
from .formats import how_to_convert
from .layout import (
    folders_in,
    published_splits,
    refuse_splits_among_classes,
    refuse_splits_without_classes,
    splits_within,
)

UNREAD = "cannot be read"


@dataclass
class ClassFolders:
    """What a source holds, by paths relative to it.

    Attributes:
        files: class -> its files, at any depth; a class without files has an empty list.
        rejected: path and reason of each file or folder that is not looked into.
        splits: file -> the publisher's split, if the source has such.
        groups: file -> what it belongs to, where the list of labels says so.
    """

    files: dict[str, list[str]] = field(default_factory=dict)
    rejected: list[tuple[str, str]] = field(default_factory=list)
    splits: dict[str, str] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)

    def classes_of_files(self) -> dict[str, str]:
        """File -> its class."""
        return {file: name for name, part in self.files.items() for file in part}

    def all_files(self) -> list[str]:
        """The files of all class folders, by name."""
        return sorted(file for part in self.files.values() for file in part)


def list_class_folders(source: Path, ignored: tuple[str, ...] = ()) -> ClassFolders:
    """List the files of every class folder, in the order of their names; opens none of them.

    Hidden files and folders are passed over, and so are those at the top that are `ignored`. Where
    the folders at the top are splits (train, valid, ...), the class folders are those in them; or
    the splits are the folders in each class folder.

    Raises:
        PenstockError: folders of splits that hold files rather than class folders, or that lie
            beside others.
    """
    found = ClassFolders()
    top = [it for it in folders_in(source) if it.name not in ignored]
    splits = published_splits(it.name for it in top)
    refuse_splits_without_classes(source, splits)
    if not splits:
        refuse_splits_among_classes(source, [it.name for it in top])
    inner = {} if splits else splits_within(top)
    level = 1 if splits else 0  # of the class folders below the source
    for path, is_folder in walk(source, found, ignored):
        parts = path.split("/")
        if is_folder:
            if len(parts) == level + 1:
                found.files.setdefault(parts[level], [])
        elif len(parts) < level + 2:
            found.rejected.append((path, "not in a class folder"))
        else:
            found.files.setdefault(parts[level], []).append(path)
            if splits or inner:
                found.splits[path] = splits[parts[0]] if splits else inner.get(parts[1], "train")
    unread = {path.rpartition("/")[2] for path, why in found.rejected if why.startswith(UNREAD)}
    found.files = {
        name: sorted(files)
        for name, files in sorted(found.files.items())
        if files or name not in unread
    }
    found.rejected.sort()
    return found


def walk(source: Path, found: ClassFolders, ignored: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """Yield all paths below a source, relative to it, and whether each is a folder.

    What cannot be taken is rejected in `found`, with the reason, and not yielded.
    """
    inside = source.resolve()
    left_out = set(ignored)
    pending = [""]
    while pending:
        folder = pending.pop()
        for name in _names(source, folder, found):
            path = f"{folder}/{name}" if folder else name
            if name.startswith(".") or path in left_out:
                continue
            reason, is_folder = _judge(source / path, inside)
            if reason:
                found.rejected.append((path, reason))
                continue
            if is_folder:
                pending.append(path)
            yield path, is_folder


def usable_classes(source: Path, found: ClassFolders, read: Read, kind: str) -> list[str]:
    """List the classes, before all files are decoded: labels are numbers from the first row on.

    A folder in which no file can be taken is no class, and joins what is rejected in `found`.

    Args:
        source: the folder that holds the class folders.
        found: what it holds.
        read: a file -> an example, or why it is none.
        kind: what a file is to be, `image` say.

    Raises:
        PenstockError: fewer than two classes.
    """
    classes = [
        name
        for name, files in found.files.items()
        if any(isinstance(read(source / file), Example) for file in files)
    ]
    found.rejected += [
        (name, f"class folder with no {kind}") for name in found.files if name not in classes
    ]
    if len(classes) < 2:
        hint = how_to_convert(source)
        raise PenstockError(
            f"{source}: {len(classes)} folders with {kind}s ({', '.join(classes) or 'none'}); "
            f"expected at least two; sort the {kind}s into a folder per class, or set `source` in "
            f"params.yaml to the folder that has those{'; ' if hint else ''}{hint}"
        )
    _check_learnable(source, found, classes)
    return classes


def _check_learnable(source: Path, found: ClassFolders, classes: list[str]) -> None:
    """Refuse a class that only the publisher's other splits have: nothing could learn it.

    Raises:
        PenstockError: there is one.
    """
    for name in classes if found.splits else []:
        splits = {found.splits.get(file, "train") for file in found.files[name]}
        if "train" not in splits:
            raise PenstockError(
                f"{source}: class {name} is in {' and '.join(sorted(splits))}, not in train; "
                "expected the same classes in each split; sort them, or remove it"
            )


def _names(source: Path, folder: str, found: ClassFolders) -> list[str]:
    try:
        return sorted(os.listdir(source / folder))  # noqa: PTH208  (names, not paths)
    except OSError as error:
        raise_if_temporary(error, source / folder)
        found.rejected.append((folder or ".", f"{UNREAD}: {error.strerror}"))
        return []


def _judge(path: Path, inside: Path) -> tuple[str, bool]:
    """Why a file or folder is not taken (empty if it is), and whether it is a folder."""
    if unfit := _why_unfit(path.name):
        return f"its name {unfit}; rename it", False
    try:
        linked = path.is_symlink()
        mode = path.stat().st_mode  # of what it leads to
        if linked and leads_out(path, inside):
            return "a link out of the source", False
    except FileNotFoundError:
        return "a broken link", False
    except OSError as error:
        raise_if_temporary(error, path)
        return f"{UNREAD}: {error.strerror}", False
    if stat.S_ISDIR(mode):
        # Not followed: links can run in circles.
        return ("a link to a folder; put the files themselves there" if linked else ""), True
    return ("" if stat.S_ISREG(mode) else "neither a file nor a folder"), False


def _why_unfit(name: str) -> str:
    """Why a name cannot be the id of an example, which tables hold; empty if it can."""
    if not is_utf8(name):
        return "is not UTF-8"
    controls = {"Cc", "Zl", "Zp"} & {unicodedata.category(letter) for letter in name}
    return "has control characters" if controls else ""
