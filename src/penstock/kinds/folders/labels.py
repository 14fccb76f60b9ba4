"""labels.csv: which class each file is of, where files do not lie in class folders."""

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from ...messages.errors import PenstockError
from .class_folders import ClassFolders, list_class_folders, walk
from .layout import SPLITS
from .listing import FILE, GROUP_COLUMNS, read_listing

LABELS = "labels.csv"
LABEL, SPLIT = "label", "split"


def find_classes(source: Path, ignored: tuple[str, ...]) -> ClassFolders:
    """The files of each class: by labels.csv if there is one, else by folders.

    Args:
        source: the folder.
        ignored: what lies at its top and is no example.

    Raises:
        PenstockError: a list or a layout that has no one meaning.
    """
    if (source / LABELS).exists():
        return read_labels(source, ignored)
    return list_class_folders(source, ignored)


def read_labels(source: Path, ignored: Iterable[str]) -> ClassFolders:
    """Read the class of each file that is listed.

    Columns: `file` and `label`; `split`, and one of those that groups.csv may have, if there are.

    A file is named by its path within the source, or by its name alone, with or without its
    ending, if one file only has that. Files that are not listed are rejected.

    Raises:
        PenstockError: unreadable, a column or a value missing, one file that is listed in two
            ways, or a split that is none.
    """
    found = ClassFolders()
    list_file = source / LABELS
    there = [path for path, is_folder in walk(source, found, (LABELS, *ignored)) if not is_folder]
    known = _by_name(there)
    class_of: dict[str, str] = {}
    rows: dict[str, dict[str, str]] = {}
    for line, row in read_listing(list_file, _columns):
        name = row.pop(FILE)
        file = known.get(name)
        if file is None:
            found.rejected.append((name, f"listed in {LABELS}, not there"))
            continue
        if (former := rows.setdefault(file, row)) != row:
            raise PenstockError(
                f"{list_file}: line {line}: {name} is {_shown(row)}, and {_shown(former)} above; "
                "expected one line for each file; keep the right one"
            )
        class_of[file] = row[LABEL]
        if SPLIT in row:
            found.splits[file] = _split(list_file, line, row[SPLIT])
        for column in GROUP_COLUMNS:  # one at most was read
            if column in row:
                found.groups[file] = row[column]
    for file in there:
        if file not in class_of:
            found.rejected.append((file, f"not listed in {LABELS}"))
    classes = sorted(set(class_of.values()))
    found.files = {it: [] for it in classes}
    for file in sorted(class_of):
        found.files[class_of[file]].append(file)
    found.rejected.sort()
    return found


def _shown(row: dict[str, str]) -> str:
    return ", ".join(f"{name} {value}" for name, value in row.items())


def _by_name(files: list[str]) -> dict[str, str]:
    """Path, and name with and without its ending where one file only has that -> file."""
    named: dict[str, set[str]] = defaultdict(set)
    for file in files:
        path = PurePosixPath(file)
        for name in {path.name, path.stem}:
            named[name].add(file)
    alone = {name: next(iter(those)) for name, those in named.items() if len(those) == 1}
    return alone | {file: file for file in files}


def _columns(header: list[str]) -> tuple[str, ...]:
    for name in (FILE, LABEL):
        if name not in header:
            raise ValueError(f"no column {name}; found {', '.join(header) or 'nothing'}")
    groups = [name for name in GROUP_COLUMNS if name in header]
    return (FILE, LABEL, *(it for it in (SPLIT,) if it in header), *groups[:1])


def _split(file: Path, line: int, name: str) -> str:
    if name.lower() not in SPLITS:
        raise PenstockError(
            f"{file}: line {line}: split is {name}; expected one of {', '.join(SPLITS)}; mend it"
        )
    return SPLITS[name.lower()]
