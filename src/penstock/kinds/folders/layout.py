"""Layouts that class folders are published in: in one more folder, or split by the publisher."""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from ...datasets.splits import Splitter, hash_groups, hash_splits
from ...messages.errors import PenstockError
from ...messages.printable import printable

NAMES = {"group": "group", "sha256": "content"}
# Names of folders that are splits, in small letters.
SPLITS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("valid", "val", "validation", "dev"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}


def unwrap(source: Path, beside: Iterable[str]) -> Path:
    """The folder that holds class folders or splits: `source`, or the only folder in it.

    Args:
        source: a folder.
        beside: files that a source may have beside its class folders.
    """
    folders = folders_in(source)
    described = any((source / name).exists() for name in beside)
    if len(folders) != 1 or described or folders[0].is_symlink() or not folders_in(folders[0]):
        return source
    name = printable(folders[0].name)
    print(f"  {name}/ is the only folder of the source: what is in it is read")
    return folders[0]


def published_splits(names: Iterable[str]) -> dict[str, str]:
    """The split of each folder, if all are splits and one of them is for training."""
    splits = {name: SPLITS.get(name.lower(), "") for name in names}
    known = list(splits.values())
    return splits if "train" in known and all(known) else {}


def refuse_splits_without_classes(source: Path, splits: dict[str, str]) -> None:
    """Stop where splits hold files instead of class folders: they would be taken for classes.

    Raises:
        PenstockError: no split has folders.
    """
    if splits and not any(folders_in(source / name) for name in splits):
        raise PenstockError(
            f"{source}: {', '.join(splits)} are splits, and hold files rather than class folders; "
            f"expected a folder per class in each, {next(iter(splits))}/CLASS/FILE; sort them"
        )


def refuse_splits_among_classes(source: Path, names: list[str]) -> None:
    """Stop where some folders are splits and others are not: they would be taken for classes.

    One alone may be a class: a train is a vehicle too.

    Raises:
        PenstockError: `train` and another split lie beside folders that are no splits.
    """
    known = [name for name in names if name.lower() in SPLITS]
    if len(known) > 1 and "train" in {SPLITS[name.lower()] for name in known}:
        others = [name for name in names if name not in known]
        raise PenstockError(
            f"{source}: {', '.join(known)} are names of splits, {', '.join(others[:3])} not; "
            "expected either splits or classes side by side; move the others out of the source"
        )


def splits_within(classes: list[Path]) -> dict[str, str]:
    """The split of each folder in class folders, if all of these hold splits and nothing else."""
    inner = [{it.name for it in folders_in(folder)} for folder in classes]
    if len(classes) < 2 or not all(published_splits(names) for names in inner):
        return {}
    return published_splits(set().union(*inner))


def published_splitter(
    files: dict[str, str], test: float, validation: float, by: Literal["group", "sha256"] = "group"
) -> Splitter:
    """Keep the publisher's splits; one that is missing is taken from train, by a hash.

    Args:
        files: file -> its split.
        test: share of train, if there is no test split.
        validation: likewise.
        by: the column that is hashed: files of one group, or of one content, stay together.
    """
    hashed = hash_groups if by == "group" else hash_splits
    there = sorted(set(files.values()))
    print(f"  the source has splits of its own, which are kept: {', '.join(there)}")
    missing = {"test": test, "validation": validation}
    missing = {split: it for split, it in missing.items() if split not in files.values()}
    for split, share in missing.items():
        print(
            f"  no {split} split in the source: {share:.0%} of train, by a hash of the {NAMES[by]}"
        )
    shares = {**missing, "train": 1.0 - sum(missing.values())}

    def split_rows(rows: pd.DataFrame) -> np.ndarray:
        given = rows["id"].map(files).to_numpy(dtype=object)
        return np.where(given == "train", hashed(rows[by], shares), given)

    return split_rows


def folders_in(folder: Path) -> list[Path]:
    """The folders in a folder, without hidden ones; none if it cannot be read."""
    try:
        there = sorted(folder.iterdir())
    except OSError:
        return []
    return [it for it in there if it.is_dir() and not it.name.startswith(".")]
