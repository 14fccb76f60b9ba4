"""From the rows of a table to examples."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from ...datasets.dataset import DatasetWriter
from ...datasets.rejections import summarize
from ...kinds.tables.delimited import Block, Reject
from ...kinds.tables.raw_files import list_files
from ...messages.errors import PenstockError
from .columns import Evidence, describe_column
from .marked import add_marked
from .params import Data, Params
from .rows import Rows
from .splits import split_rows
from .table import Table, find_table

# Names that a column to learn from cannot have: of the index, and of what a model answers.
TAKEN = {
    *("id", "split", "label", "target", "group", "sha256"),
    *("confidence", "probabilities", "prediction", "error"),
}
CHUNK = 2**18  # rows written at a time


def ingest(source: Path, writer: DatasetWriter, params: Params) -> None:
    """Find out what the columns are, or take them as they are pinned; read and split the rows."""
    data = params.data
    table = Table(find_table(list_files(source), str(source)))
    _check_names(table, data)
    types, left_out, classified = _find_types(table, data)
    rows = Rows(types, data, classified)
    for block in _progress(table, "reading", rows.wanted, _rejecting(writer, table)):
        rows.read(block, _rejecting(writer, table))
    if not len(rows):
        raise PenstockError(_nothing(table, writer))
    features, index = rows.finish()
    index["split"] = split_rows(index, data)
    train = index["split"].to_numpy() == "train"
    columns = _describe(rows, features, train, data)
    rows.encode(features, columns)
    writer.info = {
        "task": "classification" if classified else "regression",
        "target": data.target,
        **_describe_target(rows, index, train),
        "columns": columns,
        "pinned": bool(data.columns),
        "left_out": left_out,
    }
    _tell(writer.info)
    kept = index.drop(columns="time", errors="ignore")
    for start in range(0, len(kept), CHUNK):
        part = slice(start, start + CHUNK)
        writer.add(kept.iloc[part], {"features": features[part]})


def ingest_feedback(folder: Path, writer: DatasetWriter, params: Params) -> None:
    """Add rows whose target people said where a model was wrong."""
    add_marked(folder, writer, params.data)


def _check_names(table: Table, data: Data) -> None:
    """Refuse a table without a column that is named in params.yaml."""
    named = {"target": [data.target], "group": [data.group], "time": [data.time]}
    for role, names in {**named, "ignore": data.ignore, "columns": list(data.columns)}.items():
        for name in names:
            if name and name not in table.names:
                shown = ", ".join(table.names[:20])
                remedy = (
                    "it is pinned in params.yaml; mend the table, or pin what it has now with "
                    "`penstock look tabular --pin`"
                    if role == "columns"
                    else f"set pipelines.tabular.data.{role}"
                )
                raise PenstockError(f"{table.file.name}: no column {name}; found {shown}; {remedy}")
    for name in table.names:
        if name in TAKEN - data.not_learned_from:
            raise PenstockError(
                f"{table.file.name}: no column to learn from may be named {name}, which Penstock "
                "calls something else; rename it, or add it to pipelines.tabular.data.ignore"
            )


def _find_types(table: Table, data: Data) -> tuple[dict[str, str], dict[str, str], bool]:
    """The type of each column to learn from, why others are left out, and whether classes are told.

    All rows are looked at once for what is not pinned.
    """
    pinned: dict[str, str] = {name: it.type for name, it in data.columns.items()}
    free = [name for name in table.names if name not in data.not_learned_from]
    looked_at = [data.target] if data.task == "auto" else []
    looked_at += [] if pinned else free
    seen = {name: Evidence() for name in looked_at}
    if seen:
        for block in _progress(table, "looking", looked_at, lambda *_: None):
            for name, values in block.columns.items():
                seen[name].look(values)
    classified = data.task == "classification" or (
        data.task == "auto" and seen[data.target].is_classes
    )
    if pinned:
        return pinned, {it: "not pinned" for it in free if it not in pinned}, classified
    left_out = {name: seen[name].flaw for name in free if seen[name].flaw}
    types = {name: seen[name].type for name in free if name not in left_out}
    if not types:
        raise PenstockError(
            f"{table.file.name}: no column to learn from; expected some besides {data.target}"
        )
    return types, left_out, classified


def _progress(table: Table, what: str, wanted: list[str], reject: Reject) -> Iterator[Block]:
    blocks = table.blocks(wanted, reject)
    name = f"{what} {table.file.name}"
    yield from tqdm(blocks, name, unit="block", disable=None, leave=False)


def _rejecting(writer: DatasetWriter, table: Table) -> Reject:
    return lambda line, reason: writer.reject(f"{table.file.name}:{line}", reason)


def _nothing(table: Table, writer: DatasetWriter) -> str:
    why = summarize(writer.rejections()) or "there are none"
    return f"{table.file.name}: no row could be taken: {why}"


def _describe(
    rows: Rows, features: np.ndarray, train: np.ndarray, data: Data
) -> dict[str, dict[str, Any]]:
    """What is pinned of each column, or what it is in the training split."""
    if data.columns:
        return {name: it.model_dump(mode="json") for name, it in data.columns.items()}
    return {
        name: describe_column(kind, features[train, place], rows.list_names(name))
        for place, (name, kind) in enumerate(rows.types.items())
    }


def _describe_target(rows: Rows, index: pd.DataFrame, train: np.ndarray) -> dict[str, Any]:
    """The classes, or the least and the largest number learned from."""
    if rows.classified:
        return {"classes": rows.classes}
    learned = index["target"][train]
    return {"target_range": [float(learned.min()), float(learned.max())]}


def _tell(info: dict[str, Any]) -> None:
    classes = f": {len(info['classes'])} classes" if "classes" in info else ""
    print(f"  {info['task']} of {info['target']}{classes} from {len(info['columns'])} columns")
    for name, why in info["left_out"].items():
        print(f"  left out: {name}: {why}")
