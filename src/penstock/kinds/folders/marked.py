"""Files that people sorted into the right class where a model was wrong: for training alone."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...datasets.dataset import DatasetWriter
from .class_folders import ClassFolders, walk
from .collector import Collector
from .examples import Example, Read
from .groups import GROUPS, read_groups

# A file, what groups.csv says of it and what it became -> group and other columns, or why not.
Describe = Callable[[str, str | None, Example], dict[str, Any] | str]


def collect_marked(
    folder: Path,
    writer: DatasetWriter,
    array: str,
    kind: str,
    types: Mapping[str, type],
    read: Read,
    describe: Describe = lambda *_: {},
) -> None:
    """Add the files of `raw/CLASS` to the training split; ids are paths within the data folder.

    What is held out already, by its content or by its group, is rejected.

    Args:
        folder: data/feedback/NAME; it need not be there.
        writer: that remembers what was added; its `info` names the classes.
        array: name of the array.
        kind: what an example is, `image` say.
        types: of columns of the index that pandas would not guess.
        read: a file -> an example, or why it is none.
        describe: further columns of an example.
    """
    raw, top = folder / "raw", folder.parents[1]
    if not raw.is_dir():
        return
    known = writer.remembered
    held_out = known[known["split"] != "train"]
    split_of = dict(zip(held_out["group"], held_out["split"], strict=True))
    groups, classes = read_groups(raw / GROUPS), writer.info["classes"]

    def place(file: str, example: Example) -> dict[str, Any] | str:
        name, _, path = inner[file].partition("/")
        if not path or name not in classes:
            return f"not in a folder of a class; there is: {', '.join(classes)}"
        columns = describe(path, groups.get(inner[file]), example)
        if isinstance(columns, str):
            return columns
        if split := split_of.get(columns.get("group")):
            return f"its group, {columns['group']}, is in the {split} split"
        return {"label": classes.index(name), **columns}

    found = ClassFolders()
    files = sorted(path for path, is_folder in walk(raw, found, (GROUPS,)) if not is_folder)
    prefix = raw.relative_to(top).as_posix()
    inner = {f"{prefix}/{file}": file for file in files}
    for file, reason in found.rejected:
        writer.reject(f"{prefix}/{file}", reason)
    seen = dict(zip(known["sha256"], known["id"], strict=True))
    split = lambda rows: np.full(len(rows), "train")  # noqa: E731
    Collector(top, writer, array, kind, types, split, seen).collect([*inner], read, place)
