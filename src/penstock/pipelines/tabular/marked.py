"""Rows that people answered where a model was wrong: for training alone."""

import json
from pathlib import Path

import numpy as np
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
    files, texts = [], []
    for file in sorted(folder.glob("[!.]*.json")):
        row = _read(file, data.target)
        if row and classes and row[data.target].strip() not in classes:
            writer.reject(_name(file), f"{data.target}: no such class; known: {', '.join(classes)}")
        elif row:
            files.append(_name(file))
            texts.append(row)
        else:
            writer.reject(_name(file), "no record of a marked answer")
    if not files:
        return
    types = {name: it["type"] for name, it in info["columns"].items()}
    rows = Rows(types, data.model_copy(update={"time": ""}), classes is not None)
    columns = {it: pa.array([row.get(it, "") for row in texts], pa.string()) for it in rows.wanted}
    block = Block(np.arange(len(files)), columns)
    rows.read(block, lambda place, reason: writer.reject(files[place], reason))
    features, index = rows.finish()
    rows.encode(features, info["columns"])
    if classes:
        labels = [classes.index(it) for it in rows.classes]
        index["label"] = np.array(labels, np.int32)[index["label"]]
    held_out = known[known["split"] != "train"]
    fresh = np.ones(len(index), bool)
    for column in ("sha256", "group"):
        if column in index:
            fresh &= ~index[column].isin(held_out[column]).to_numpy()
    for place in index["id"][~fresh]:
        writer.reject(files[place], "a row with its features, or its group, is held out")
    index, features = index[fresh], features[fresh]
    ids = known["id"].max() + 1 + np.arange(len(index))
    writer.info["marked"] = {
        str(one): files[place] for one, place in zip(ids, index["id"], strict=True)
    }
    if len(index):
        writer.add(index.assign(id=ids, split="train"), {"features": features})


def _read(file: Path, target: str) -> dict[str, str]:
    """The text of a record's columns, the target being the right answer; nothing if it is none."""
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        values = {**record["input"], target: record["right"]}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return {}
    return {name: "" if it is None else str(it) for name, it in values.items()}


def _name(file: Path) -> str:
    """Where a record lies in the data folder."""
    return file.relative_to(file.parents[2]).as_posix()
