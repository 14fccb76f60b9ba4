"""Class folders whose examples stand for themselves: split as published, or by content."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from ...datasets.dataset import DatasetWriter
from ...datasets.splits import Splitter, hash_splits
from .class_folders import ClassFolders
from .collector import Collector
from .examples import Example, Read
from .layout import published_splitter


def collect_by_content(
    source: Path,
    writer: DatasetWriter,
    found: ClassFolders,
    classes: list[str],
    read: Read,
    types: Mapping[str, type],
    shares: tuple[float, float],
) -> pd.DataFrame:
    """Take the image files of all class folders; a label is the position of its class.

    Args:
        source: the folder.
        writer: of the dataset: ids, labels and the array `images`.
        found: what the folder holds.
        classes: names, in the order of the labels.
        read: a file -> an example, or why it is none.
        types: of columns of the index that pandas would not guess.
        shares: of test and validation, where the publisher has no splits.

    Returns:
        The `split` and `label` of each example, in order.
    """
    for name, reason in found.rejected:
        writer.reject(name, reason)
    test, validation = shares
    split: Splitter = lambda rows: hash_splits(  # noqa: E731
        rows["sha256"], {"test": test, "validation": validation, "train": 1.0 - test - validation}
    )
    if found.splits:
        split = published_splitter(found.splits, test, validation, "sha256")
    class_of = found.classes_of_files()

    def place(file: str, example: Example) -> dict[str, Any]:
        return {"label": classes.index(class_of[file])}

    collector = Collector(source, writer, "images", "image", types, split)
    collector.collect(found.all_files(), read, place)
    return pd.concat(collector.taken, ignore_index=True)
