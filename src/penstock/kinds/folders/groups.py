"""groups.csv: which files belong together, so that a patient never sits in two splits."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from ...messages.errors import PenstockError
from .class_folders import ClassFolders
from .listing import FILE, GROUP_COLUMNS, read_listing

GROUPS = "groups.csv"
OTHERS = (FILE, "label", "split")
STARTS = re.compile(r"[A-Za-z]+\d+(?=[^\d.])")


def read_groups(file: Path) -> dict[str, str]:
    """Read the group of each file that is listed; nothing if there is no groups.csv.

    Columns: `file`, relative to the folder of groups.csv, and one of `group`, `patient`, `slide`,
    `source_tile`, `speaker`; failing those, the last that is not `file`, `label` or `split`.

    Raises:
        PenstockError: unreadable, a column or a value missing, a path that leads out of the
            folder, or one file in two groups.
    """
    groups: dict[str, str] = {}
    for line, row in read_listing(file, _columns) if file.exists() else ():
        name, group = row.values()
        if groups.setdefault(name, group) != group:
            raise PenstockError(
                f"{file}: line {line}: {name} is in group {group}, and in {groups[name]} above; "
                "expected one group; keep the right line"
            )
    return groups


def not_there(groups: dict[str, str], found: ClassFolders) -> Iterator[tuple[str, str]]:
    """Yield each file that is listed and not in the source, with that as its reason."""
    there = {name for name, _ in found.rejected}.union(found.all_files())
    for name in sorted(groups.keys() - there):
        yield name, "listed in groups.csv, not there"


def check_complete(source: Path, groups: dict[str, str], files: list[str]) -> None:
    """Refuse a groups.csv that leaves files out: each would be a group of its own.

    Raises:
        PenstockError: some are not listed.
    """
    lacking = [name for name in files if name not in groups]
    if groups and lacking:
        raise PenstockError(
            f"{source / GROUPS}: leaves out {len(lacking):,} of {len(files):,} files, "
            f"{lacking[0]} the first; expected a group for each, or some of one patient may be in "
            "train and some in test; add them, or set data.ungrouped: alone"
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


def _columns(header: list[str]) -> tuple[str, ...]:
    others = [name for name in header if name not in OTHERS]
    column = next(
        (name for name in GROUP_COLUMNS if name in header), others[-1] if others else None
    )
    if FILE not in header or column is None:
        missing = "group" if FILE in header else FILE
        raise ValueError(
            f"no column {missing}; found {', '.join(header) or 'nothing'}; expected {FILE} and one "
            f"of {', '.join(GROUP_COLUMNS)}"
        )
    return FILE, column
