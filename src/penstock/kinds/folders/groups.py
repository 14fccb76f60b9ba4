"""groups.csv: which files belong together, so that a patient never sits in two splits."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ...messages.errors import PenstockError, raise_if_temporary
from .class_folders import ClassFolders

COLUMNS = ("group", "patient", "slide", "source_tile", "speaker")
OTHERS = ("file", "label")
STARTS = re.compile(r"[A-Za-z]+\d+(?=[^\d.])")


def read_groups(file: Path) -> dict[str, str]:
    """Read the group of each file that is listed; nothing if there is no groups.csv.

    Columns: `file`, relative to the folder of groups.csv, and one of `group`, `patient`, `slide`,
    `source_tile`, `speaker`; failing those, the last column that is not `file` or `label`.

    Raises:
        PenstockError: unreadable, a column or a value missing, a path that leads out of the
            folder, or one file in two groups.
    """
    if not file.exists():
        return {}
    groups: dict[str, str] = {}
    for line, name, group in _rows(file):
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise PenstockError(
                f"{file}: line {line}: file is {name}; expected a path within {file.parent.name}/; "
                "make it relative to that folder"
            )
        if groups.setdefault(path.as_posix(), group) != group:
            raise PenstockError(
                f"{file}: line {line}: {name} is in group {group}, and in "
                f"{groups[path.as_posix()]} above; expected one group; keep the right line"
            )
    return groups


def not_there(groups: dict[str, str], found: ClassFolders) -> Iterator[tuple[str, str]]:
    """Yield each file that is listed and not in the source, with that as its reason."""
    there = {name for name, _ in found.rejected}.union(found.all_files())
    for name in sorted(groups.keys() - there):
        yield name, "listed in groups.csv, not there"


def check_complete(file: Path, groups: dict[str, str], files: list[str]) -> None:
    """Refuse a groups.csv that leaves files out: each would be a group of its own.

    Raises:
        PenstockError: some are not listed.
    """
    lacking = [name for name in files if name not in groups]
    if groups and lacking:
        raise PenstockError(
            f"{file}: leaves out {len(lacking):,} of {len(files):,} files, {lacking[0]} the first; "
            "expected a group for each, or some of one patient may be in train and some in test; "
            "add them, or set data.ungrouped: alone"
        )


def suggest_groups(files: list[str]) -> str:
    """Say that names look as if files belonged together (a patient's, a slide's), or nothing.

    A name looks so if it starts with letters and digits that others start with too, before
    something else: C101 of C101P62_3.png.
    """
    starts = Counter(
        match[0] for name in files if (match := STARTS.match(PurePosixPath(name).stem))
    )
    shared = {start: count for start, count in starts.items() if count > 1}
    if len(shared) < 2 or sum(shared.values()) < len(files) / 2:
        return ""
    start, count = max(shared.items(), key=lambda it: it[1])
    return (
        f"  {len(shared):,} starts of names come up again, {start} {count} times: if that is a "
        "patient or a slide, list its files in groups.csv, or the test measures memory"
    )


def _rows(file: Path) -> Iterator[tuple[int, str, str]]:
    """Line number, file and group of each row."""
    reader = csv.DictReader(io.StringIO(_text(file), newline=""), strict=True)
    try:
        column = _group_column(file, list(reader.fieldnames or []))
        for row in reader:
            for needed in ("file", column):
                if not (row[needed] or "").strip():
                    raise PenstockError(
                        f"{file}: line {reader.line_num}: no value in column {needed}; "
                        "expected a file and its group in each line; add it"
                    )
            yield reader.line_num, row["file"].strip(), row[column].strip()
    except csv.Error as error:
        raise PenstockError(
            f"{file}: line {reader.reader.line_num}: {error}; expected CSV; mend it"
        ) from None


def _text(file: Path) -> str:
    try:
        content = file.read_bytes()
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise PenstockError(
            f"{file}: line {line}: not UTF-8; expected a CSV file in UTF-8; save it as one"
        ) from None
    except OSError as error:
        raise_if_temporary(error, file)
        raise PenstockError(
            f"{file}: cannot be read ({error.strerror}); expected a readable CSV file; "
            "check its permissions"
        ) from None


def _group_column(file: Path, header: list[str]) -> str:
    others = [name for name in header if name not in OTHERS]
    column = next((name for name in COLUMNS if name in header), others[-1] if others else None)
    if "file" not in header or column is None:
        missing = "group" if "file" in header else "file"
        raise PenstockError(
            f"{file}: line 1: no column {missing}; found {', '.join(header) or 'nothing'}; "
            f"expected file and one of {', '.join(COLUMNS)}; add it"
        )
    return column
