"""From a table of users, items and ratings to examples."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from tqdm import tqdm

from ...datasets.dataset import DatasetWriter
from ...datasets.rejections import summarize
from ...datasets.splits import latest_held_out
from ...kinds.tables.delimited import Block, Reject, read_delimited, sniff
from ...kinds.tables.raw_files import RawFile, list_files
from ...kinds.tables.values import Ids, read_numbers
from ...messages.errors import PenstockError
from .columns import ALIASES, look, match_columns, read_columns
from .decode import decode_rows
from .params import Data, Params

KINDS = (".csv", ".tsv", ".txt", ".dat", ".data", ".parquet")
MOST_COLUMNS = 8  # of a table without a header
READERS = {  # of files that pandas can read, by the ends of their names
    **dict.fromkeys((".json", ".jsonl"), "read_json(FILE, lines=True)"),
    **dict.fromkeys((".xls", ".xlsx", ".ods"), "read_excel(FILE)"),
    **dict.fromkeys((".h5", ".hdf5"), "read_hdf(FILE)"),
    ".xml": "read_xml(FILE)",
    ".feather": "read_feather(FILE)",
}
TITLES = ("movies", "items", "videos", "titles", "books")
OTHERS = (*TITLES, "readme", "source", "license", "tags", "links", "users", "genome-scores")
SPLITS = ("train", "validation", "test")
OPTIONAL = ("time", "reference")
ROWS = 2**20  # written at a time
IN_ORDER = ("user", "item", "rating", "time")  # of columns that no header names


@dataclass
class Table:
    """Ratings read so far: a list of parts for each column."""

    users: Ids = field(default_factory=Ids)
    items: Ids = field(default_factory=Ids)
    parts: list[dict[str, np.ndarray]] = field(default_factory=list)
    timed: bool = True
    lines: int = 0  # of all files read

    def joined(self) -> dict[str, np.ndarray]:
        """Whole columns, those that all files have; the parts go as they are joined."""
        common = set.intersection(*(set(part) for part in self.parts)) if self.parts else set()
        return {
            name: np.concatenate([part.pop(name) for part in self.parts]) for name in sorted(common)
        }


def ingest(source: Path, writer: DatasetWriter, params: Params) -> None:
    """Read the ratings; give ids indices; keep of several ratings of an item the latest."""
    files = list_files(source)
    table = Table()
    for part, file in _rating_files(files, source, params.data):
        _read(file, SPLITS.index(part) if part else 0, table, writer, params.data)
    columns = table.joined()
    if not columns or not len(columns["user"]):
        raise PenstockError(f"{source}: no rating could be taken; expected a row per rating")
    keep = _latest(columns, len(table.items.index))
    _reject_repeated(columns, ~keep, writer)
    columns = {name: values[keep] for name, values in columns.items()}
    split = _split(columns, table, params.data)
    users, items = list(table.users.index), list(table.items.index)
    titles = _titles(files)
    measured = [name for name in ("rating", "time", "reference") if name in columns]
    writer.table("users", pd.DataFrame({"id": users}))
    writer.table("items", pd.DataFrame({"id": items, "title": [titles.get(i, "") for i in items]}))
    writer.info = {
        "scale": list(params.data.scale),
        "users": len(users),
        "items": len(items),
        "timed": table.timed,
        "repeated": int((~keep).sum()),
        "columns": measured,
        "named": {role: getattr(params.data, f"{role}_column") for role in ("user", "item")},
    }
    for start in tqdm(range(0, len(split), ROWS), "writing", disable=None, leave=False):
        rows = slice(start, start + ROWS)
        chunk = {name: columns[name][rows] for name in ("user", "item", *measured)}
        kinds = pd.Categorical.from_codes(split[rows].tolist(), pd.Index(SPLITS))
        writer.add(pd.DataFrame({"id": columns["line"][rows], "split": kinds, **chunk}), {})


def _rating_files(files: list[RawFile], source: Path, data: Data) -> Iterator[tuple[str, RawFile]]:
    """The files to read, each with its split where files are the splits."""
    tables = [file for file in files if file.kind in KINDS]
    if data.split == "files":
        for part in SPLITS:
            found = [file for file in tables if file.stem == part]
            if len(found) > 1 or (not found and part != "validation"):
                raise PenstockError(
                    f"{source}: {len(found)} files named {part}; expected one, since data.split is "
                    "files; rename them, or choose another data.split"
                )
            yield from ((part, file) for file in found)
        return
    named = [file for file in tables if file.stem.startswith("rating")]
    found = named or [file for file in tables if file.stem not in OTHERS]
    if len(found) != 1:
        there = ", ".join(file.name for file in found or files) or "nothing"
        raise PenstockError(
            f"{source}: {len(found)} tables that could be the ratings ({there}); expected one, "
            f"{', '.join(KINDS)}, also as .gz or in a .zip; {_remedy(files)}"
        )
    yield "", found[0]


def _remedy(files: list[RawFile]) -> str:
    """What to do where no table, or more than one, could be the ratings."""
    for kind, reader in READERS.items():
        if any(file.kind == kind for file in files):
            return f"write {kind} as CSV with pandas: {reader}.to_csv('ratings.csv', index=False)"
    return "name it ratings.csv, say"


def _read(file: RawFile, part: int, table: Table, writer: DatasetWriter, data: Data) -> None:
    """Read a file's rows into the table, numbered by their lines, on from those of files before."""

    def reject(line: int, reason: str) -> None:
        writer.reject(f"{file.name}:{line}", reason)

    columns, blocks = _open(file, data, reject)
    table.timed &= "time" in columns
    taken, before = 0, table.lines
    for block in tqdm(blocks, f"reading {file.name}", unit="block", disable=None, leave=False):
        rows = decode_rows(block.lines, block.columns, data.scale, reject)
        taken += len(rows.users)
        table.lines = before + int(block.lines[-1]) if len(block.lines) else table.lines
        rows.numbers["line"] += before
        table.parts.append(
            {
                "user": table.users.encode(rows.users),
                "item": table.items.encode(rows.items),
                "part": np.full(len(rows.users), part, np.int8),
                **rows.numbers,
            }
        )
    if not taken:
        raise PenstockError(
            f"{file.name}: no rating in it could be taken; expected rows of user, item and rating: "
            f"{summarize(writer.rejections()) or 'there are none'}"
        )


def _open(file: RawFile, data: Data, reject: Reject) -> tuple[dict[str, str], Iterator[Block]]:
    """Find the columns and open the rows.

    Raises:
        PenstockError: a column is missing.
    """
    layout, names = look(file)
    header = layout is None or not _is_data(names)
    if len(names) > MOST_COLUMNS and (not header or len(names) > 10 * MOST_COLUMNS):
        raise PenstockError(
            f"{file.name}: {len(names)} columns; expected user, item, rating and time in a row for "
            "each rating; if it is a matrix with a row for each user, turn it with pandas: "
            "frame.melt(ignore_index=False).dropna()"
        )
    if header:
        columns = find_columns(names, data, file, layout.delimiter if layout else "")
    else:
        names = [*IN_ORDER, *map(str, range(len(names)))][: len(names)]
        columns = {name: name for name in names if name in IN_ORDER}
    return columns, read_columns(file, layout, names, header, columns, reject)


def _is_data(first: list[str]) -> bool:
    """Whether a first line is a rating already, not a header: its third value is a number."""
    return len(first) > 2 and bool(read_numbers(pa.array([first[2]]))[1][0])


def find_columns(
    there: list[str], data: Data, file: RawFile, delimiter: str = ""
) -> dict[str, str]:
    """Which column is user, item, rating and, if there is one, time.

    Raises:
        PenstockError: one is missing.
    """
    named = {role: getattr(data, f"{role}_column") for role in ALIASES}
    found = match_columns(there, named, file.name)
    for role in ALIASES:
        if role not in found and role not in OPTIONAL:
            shown = ", ".join(there)
            split = f" (split at {delimiter!r})" if delimiter else ""
            raise PenstockError(
                f"{file.name}: no column {named[role]}; found {shown}{split}; set "
                f"pipelines.ratings.data.{role}_column, or check the delimiter"
            )
    return found


def _latest(columns: dict[str, np.ndarray], items: int) -> np.ndarray:
    """Which rows stay: of several of one user and item the latest; of equal times the last."""
    key = columns["user"].astype(np.int64) * items + columns["item"]
    keep = np.ones(len(key), bool)
    ordered = np.sort(key)
    if (ordered[1:] != ordered[:-1]).any():
        order = np.lexsort((columns["time"], key))
        again = key[order]
        keep[order[:-1]] = again[1:] != again[:-1]
    return keep


def _reject_repeated(
    columns: dict[str, np.ndarray], repeated: np.ndarray, writer: DatasetWriter
) -> None:
    if repeated.any():
        lines = columns["line"][repeated]
        writer.reject_all([f"line {n}" for n in lines], "the same user rates the item again later")


def _split(columns: dict[str, np.ndarray], table: Table, data: Data) -> np.ndarray:
    """The number of each rating's split, int8: 0 train, 1 validation, 2 test."""
    if data.split == "files":
        part = columns["part"]
        if not (part == 1).any():
            held_out = _position(columns, table) < data.validation_share
            part = np.where((part == 0) & held_out, 1, part).astype(np.int8)
        return part
    if data.split == "hash":
        position = _position(columns, table)
        edges = [data.test_share, data.test_share + data.validation_share]
        return np.array([2, 1, 0], np.int8)[np.searchsorted(edges, position, side="right")]
    if not table.timed:
        raise PenstockError(
            f"params.yaml: pipelines.ratings.data.split: {data.split}: the table has no times; "
            "name their column in data.time_column, or use hash"
        )
    if data.split == "time":
        return latest_held_out(columns["time"], data.test_share, data.validation_share)
    return _leave_last(columns)


def _leave_last(columns: dict[str, np.ndarray]) -> np.ndarray:
    """Each user's last rating for test, the one before for validation, if there are three."""
    order = np.lexsort((columns["time"], columns["user"]))
    user = columns["user"][order]
    ends = np.flatnonzero(np.append(user[1:] != user[:-1], True))
    counts = np.diff(ends, prepend=-1)
    ends = ends[counts >= 3]
    split = np.zeros(len(user), np.int8)
    split[order[ends]] = 2
    split[order[ends - 1]] = 1
    return split


def _position(columns: dict[str, np.ndarray], table: Table) -> np.ndarray:
    """A place from 0 to 1 for each rating, by a hash of its two ids: the same in any order."""
    users, items = (_hashes(list(ids.index)) for ids in (table.users, table.items))
    mixed = users[columns["user"]] ^ np.bitwise_left_shift(items[columns["item"]], np.uint64(1))
    # Finaliser of SplitMix64 (Steele, Lea and Flood 2014), so that close inputs end up far apart.
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed ^= mixed >> np.uint64(shift)
        mixed *= np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    return mixed.astype(np.float64) / 2.0**64


def _hashes(ids: list[str]) -> np.ndarray:
    digests = b"".join(hashlib.sha256(one.encode()).digest()[:8] for one in ids)
    return np.frombuffer(digests, "<u8")


def _titles(files: list[RawFile]) -> dict[str, str]:
    """Titles of items by id, from a file named movies, items, ... with a title in column two."""
    for file in files:
        if file.stem in TITLES and file.kind in KINDS and file.kind != ".parquet":
            layout = sniff(file)
            header = any(name.lower() in ("title", "name") for name in layout.first)
            names = layout.first if header else [f"column {n}" for n in range(len(layout.first))]
            titled = [name for name in names if name.lower() in ("title", "name")] or names[1:2]
            if not titled:
                continue
            wanted = [names[0], titled[0]]
            titles: dict[str, str] = {}
            for block in read_delimited(file, layout, names, header, wanted, lambda *_: None):
                ids, texts = (block.columns[name].to_pylist() for name in wanted)
                titles |= dict(zip((one.strip() for one in ids), texts, strict=True))
            return titles
    return {}
