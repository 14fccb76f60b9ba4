"""Recorded games in a dataset: a table of them, and one array of all their moves."""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ...datasets.dataset import DatasetWriter
from ...datasets.splits import hash_splits
from ...kinds.games.position import Rules
from ...kinds.games.records import Record, read_record
from .rules_file import FILE

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset

TABLE, MOVES = "records", "record_moves"
SUFFIX = ".sgf"
COLUMNS = ("id", "split", "start", "stop", "winner", "setup", "sha256")


def add_records(source: Path, writer: DatasetWriter, rules: Rules, held_out: float) -> int:
    """Read every SGF file below a folder; take or reject its game. Answer how many were taken."""
    rows: list[tuple[object, ...]] = []
    known: dict[str, str] = {}
    writer.array(MOVES, np.zeros((0, 2), np.int16))
    for file in sorted(it for it in source.rglob("*") if it.is_file()):
        name = file.relative_to(source).as_posix()
        if name == FILE:
            continue
        if file.suffix.lower() != SUFFIX:
            writer.reject(name, f"no game; expected {FILE} and NAME{SUFFIX}")
            continue
        try:
            record = read_record(file.read_bytes())
            position = record.replay(rules)
        except (ValueError, OSError) as error:
            writer.reject(name, str(error))
            continue
        if not record.moves:
            writer.reject(name, "a game without moves")
            continue
        digest = digest_record(record)
        if digest in known:
            writer.reject(name, f"the same game as {known[digest]}")
            continue
        known[digest] = name
        moves = np.array(position.moves, np.int16)
        start, stop = writer.array(MOVES, moves)
        setup = json.dumps(record.setup)
        rows.append((name, "", start, stop, record.winner or 0, setup, digest))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    shares = {"test": held_out, "validation": held_out, "train": 1 - 2 * held_out}
    if rows:
        table["split"] = hash_splits(table["sha256"], shares)
    writer.table(TABLE, table)
    return len(rows)


def digest_record(record: Record) -> str:
    """What tells a game from others: setup and moves."""
    content = json.dumps([record.size, record.setup, record.moves])
    return hashlib.sha256(content.encode()).hexdigest()


def read_records(dataset: "Dataset", split: str) -> list[Record]:
    """The recorded games of a split."""
    table = dataset.table(TABLE)
    moves = dataset.array(MOVES)
    rows: Any = table[table["split"] == split].itertuples()
    return [
        Record(
            size=dataset.info["size"],
            komi=None,
            setup=tuple((colour, point) for colour, point in json.loads(it.setup)),
            moves=tuple((int(colour), int(point)) for colour, point in moves[it.start : it.stop]),
            winner=int(it.winner) or None,
        )
        for it in rows
    ]
