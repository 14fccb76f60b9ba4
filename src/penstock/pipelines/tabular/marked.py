"""Rows that people answered where a model was wrong: for training alone."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from ...datasets.dataset import DatasetWriter
from ...kinds.tables.delimited import Block
from .params import Data
from .rows import Rows


def add_marked(folder: Path, writer: DatasetWriter, data: Data) -> None:
    """Add the rows of the records that `penstock serve` keeps; their ids go on after the table's.

    A row is rejected if the table has its features, or its group, among what is held out, or does
    not have its class. `dataset.json` says which id is of which record.

    Args:
        folder: data/feedback/tabular; it need not be there.
        writer: that remembers what was added; its `info` is that of the table.
        data: names the target and the group.
    """
    info, known = writer.info, writer.remembered
    classes: list[str] | None = info.get("classes")
    records = dict(_read_records(folder, writer, data.target, classes))
    if not records:
        return
    files = list(records)
    types = {name: it["type"] for name, it in info["columns"].items()}
    rows = Rows(types, data.model_copy(update={"time": ""}), classes is not None)
    texts = {it: [row.get(it, "") for row in records.values()] for it in rows.wanted}
    columns = {name: pa.array(values, pa.string()) for name, values in texts.items()}
    block = Block(np.arange(len(files)), columns)
    rows.read(block, lambda place, reason: writer.reject(files[place], reason))
    features, index = rows.finish()
    rows.encode(features, info["columns"])
    if classes:
        labels = [classes.index(it) for it in rows.classes]
        index["label"] = np.array(labels, np.int32)[index["label"]]
    fresh = ~_is_held_out(index, known)
    for place in index["id"][~fresh]:
        writer.reject(files[place], "a row with its features, or its group, is held out")
    index, features = index[fresh], features[fresh]
    ids = known["id"].max() + 1 + np.arange(len(index))
    named = zip(ids, index["id"], strict=True)
    writer.info["marked"] = {str(one): files[place] for one, place in named}
    if len(index):
        writer.add(index.assign(id=ids, split="train"), {"features": features})


def _read_records(
    folder: Path, writer: DatasetWriter, target: str, classes: list[str] | None
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield where each record lies in the data folder, and the text of its columns.

    The target is the right answer. What is no record, or has no known class, is rejected.
    """
    for file in sorted(folder.glob("[!.]*.json")):
        name = file.relative_to(folder.parents[1]).as_posix()
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
            values = {**record["input"], target: record["right"]}
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            writer.reject(name, "no record of a marked answer")
            continue
        row = {name: "" if it is None else str(it) for name, it in values.items()}
        if classes and row[target].strip() not in classes:
            writer.reject(name, f"{target}: no such class; known: {', '.join(classes)}")
        else:
            yield name, row


def _is_held_out(index: pd.DataFrame, known: pd.DataFrame) -> np.ndarray:
    """Whether what is known of validation and test has a row's features, or its group."""
    held_out = known[known["split"] != "train"]
    columns = [it for it in ("sha256", "group") if it in index]
    return np.any([index[it].isin(held_out[it]) for it in columns], axis=0)
