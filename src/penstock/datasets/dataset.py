"""The dataset on disk: few, large files that are written as a stream and read memory-mapped.

- `index.parquet`: a row per example; `id` and `split` always, and what else applies.
- `<name>.npy`: arrays, a row per example in the order of the index; or rows of anything else (a
  stream of text, edges), of which an example's may lie from `start` to `stop` of the index.
- `<name>.parquet`: further tables, of what examples refer to (users, items).
- `raw.parquet`: original files of test examples, where examples come from files.
- `rejected.parquet`: every input not taken, and why. Taken + rejected = found.
- `dataset.json`: counts, splits, arrays, what the pipeline adds (classes), and a digest of it all.

The same inputs give the same bytes: nothing here knows the time, the host or a path.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ..messages.errors import PenstockError
from ..messages.printable import printable
from .digest import digest_files
from .rejections import summarize

# What the writer finds out itself, of all that dataset.json says.
COMPUTED = ("found", "examples", "rejected", "splits", "arrays", "tables", "digest")
REMEMBERED = ("id", "split", "sha256", "group")
RAW, RAW_BYTES = "raw", 2**26  # bytes of original files held before they are written
HEADER = 128  # bytes kept free for the .npy header, whose length is known only at the end


class ArrayWriter:
    """Appends rows to one .npy file without holding them in memory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows = 0
        self._file: IO[bytes] = path.open("wb")
        self._file.write(b"\0" * HEADER)
        self._row: tuple[np.dtype, tuple[int, ...]] | None = None

    def append(self, rows: np.ndarray) -> None:
        """Append rows, shape (n, ...), all of one dtype and row shape."""
        row = (rows.dtype, rows.shape[1:])
        self._row = self._row or row
        if row != self._row:
            raise ValueError(f"{self.path.name}: rows of {row} after rows of {self._row}")
        self._file.write(np.ascontiguousarray(rows).data)
        self.rows += len(rows)

    def rows_so_far(self) -> np.ndarray:
        """What was appended, memory-mapped."""
        dtype, row_shape = self._row or (np.dtype(np.uint8), ())
        self._file.flush()
        return np.memmap(self.path, dtype, "r", HEADER, (self.rows, *row_shape))

    def close(self) -> dict[str, Any]:
        """Write the header; answer what dataset.json says of the array."""
        dtype, row_shape = self._row or (np.dtype(np.uint8), ())
        shape = (self.rows, *row_shape)
        head = repr({"descr": dtype.str, "fortran_order": False, "shape": shape})
        magic = np.lib.format.magic(1, 0)
        text = head.encode().ljust(HEADER - len(magic) - 3) + b"\n"
        self._file.seek(0)
        self._file.write(magic + len(text).to_bytes(2, "little") + text)
        self._file.close()
        return {"dtype": dtype.name, "shape": list(shape)}


class DatasetWriter:
    """Writes a dataset into a new folder; use it as a context manager."""

    def __init__(self, folder: Path, *, remember: bool = False) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.info: dict[str, Any] = {}
        self._remembered: list[pd.DataFrame] | None = [] if remember else None
        self._arrays: dict[str, ArrayWriter] = {}
        self._linked: dict[str, Any] = {}
        self._tables: list[str] = []
        self._ids: dict[str, str] = {}
        self._raw: pq.ParquetWriter | None = None
        self._kept: dict[str, bytes] = {}
        self._kept_bytes = 0
        self._index: pq.ParquetWriter | None = None
        self._splits: dict[str, dict[str, Any]] = {}
        self._rejected: list[tuple[str, str]] = []

    def add(self, rows: pd.DataFrame, arrays: dict[str, np.ndarray]) -> None:
        """Append examples: their rows of the index (with `id` and `split`) and of each array."""
        for name, values in arrays.items():
            if len(values) != len(rows):
                raise ValueError(f"{name}: {len(values)} rows for {len(rows)} examples")
            self.array(name, values)
        table = pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata()
        if self._index is None:
            self._index = pq.ParquetWriter(self.folder / "index.parquet", table.schema)
        self._index.write_table(table)
        if self._remembered is not None:
            self._remembered.append(rows[[it for it in REMEMBERED if it in rows]])
        for split, part in rows.groupby("split", sort=False, observed=True):
            entry = self._splits.setdefault(str(split), {"examples": 0, "digest": hashlib.sha256()})
            entry["examples"] += len(part)
            hashed = pd.util.hash_pandas_object(part.drop(columns="split"), index=False)
            entry["digest"].update(hashed.to_numpy().tobytes())

    @property
    def remembered(self) -> pd.DataFrame:
        """Id, split, content and group of the examples added so far.

        Raises:
            ValueError: it was not asked to remember them.
        """
        if self._remembered is None:
            raise ValueError("a writer that remembers nothing cannot say what is held out")
        columns = pd.DataFrame(columns=list(REMEMBERED), dtype=str)
        return pd.concat([columns, *self._remembered], ignore_index=True)

    def array(self, name: str, rows: np.ndarray) -> tuple[int, int]:
        """Append rows to an array that has not one for each example; answer where they lie."""
        if name not in self._arrays:
            self._arrays[name] = ArrayWriter(self.folder / f"{name}.npy")
        writer = self._arrays[name]
        start = writer.rows
        writer.append(rows)
        return start, writer.rows

    def so_far(self, name: str) -> np.ndarray:
        """The rows of an array that were appended so far, memory-mapped."""
        return self._arrays[name].rows_so_far()

    def resplit(self, dataset: "Dataset", splits: np.ndarray) -> None:
        """Take over all of another dataset, with its examples in other splits.

        Arrays and tables are linked, not copied. What the pipeline added to `info` stays as it is.
        """
        self.add(dataset.index.assign(split=splits), {})
        self._rejected += dataset.rejected.itertuples(index=False, name=None)
        self.info |= {k: v for k, v in dataset.info.items() if k not in COMPUTED}
        self._linked = dataset.info["arrays"]
        self._tables = list(dataset.info["tables"])
        files = [f"{name}.npy" for name in self._linked]
        for file in [*files, *(f"{name}.parquet" for name in self._tables)]:
            _link((dataset.folder / file).resolve(), self.folder / file)

    def table(self, name: str, rows: pd.DataFrame) -> None:
        """Write a table of what examples refer to."""
        table = pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata()
        pq.write_table(table, self.folder / f"{name}.parquet")
        self._tables.append(name)
        if "id" in rows:
            digest = hashlib.sha256("\n".join(sorted(map(str, rows["id"]))).encode())
            self._ids[name] = digest.hexdigest()

    def keep(self, example: str, content: bytes) -> None:
        """Keep the original file of a test example: models are proved and compared on these."""
        self._kept[example] = content
        self._kept_bytes += len(content)
        if self._kept_bytes >= RAW_BYTES:
            self._write_kept()

    def _write_kept(self) -> None:
        if not self._kept:
            return
        table = pa.table(
            {
                "id": pa.array(self._kept, pa.string()),
                "content": pa.array(self._kept.values(), pa.large_binary()),
            }
        )
        if self._raw is None:
            self._raw = pq.ParquetWriter(self.folder / f"{RAW}.parquet", table.schema)
            self._tables.append(RAW)
        self._raw.write_table(table)
        self._kept.clear()
        self._kept_bytes = 0

    def reject(self, example: str, reason: str) -> None:
        """Record an input that was not taken, and why."""
        self._rejected.append((printable(example), printable(reason)))

    def reject_all(self, examples: Iterable[str], reason: str) -> None:
        """Record inputs that were not taken, all for one reason."""
        self._rejected += ((printable(example), printable(reason)) for example in examples)

    def rejections(self) -> list[tuple[str, str]]:
        """What was rejected so far, and why."""
        return list(self._rejected)

    def __enter__(self) -> "DatasetWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        arrays = self._linked | {name: writer.close() for name, writer in self._arrays.items()}
        if kind is None:
            self._write_kept()
        for file in (self._index, self._raw):
            if file is not None:
                file.close()
        if kind is None:
            self._finish(arrays)

    def _finish(self, arrays: dict[str, Any]) -> None:
        if self._index is None:
            why = f": {summarize(self._rejected)}" if self._rejected else "; the source is empty"
            raise PenstockError(f"no example was taken of {len(self._rejected):,}{why}")
        rejected = pa.table(
            {
                "id": pa.array([name for name, _ in self._rejected], pa.string()),
                "reason": pa.array([reason for _, reason in self._rejected], pa.string()),
            }
        )
        pq.write_table(rejected, self.folder / "rejected.parquet")
        taken = sum(entry["examples"] for entry in self._splits.values())
        splits = {
            name: {"examples": entry["examples"], "digest": entry["digest"].hexdigest()}
            for name, entry in sorted(self._splits.items())
        }
        info = {
            "found": taken + len(self._rejected),
            "examples": taken,
            "rejected": len(self._rejected),
            "splits": splits,
            "arrays": arrays,
            "tables": self._tables,
            **({"ids": self._ids} if self._ids else {}),
            **self.info,
        }
        info["digest"] = digest_files(self.folder, json.dumps(info, sort_keys=True))
        (self.folder / "dataset.json").write_text(json.dumps(info, indent=2) + "\n")


class Dataset:
    """A dataset on disk, read as it is needed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        if not (folder / "dataset.json").is_file():
            raise PenstockError(
                f"{folder}: no dataset there; `penstock ingest {folder.parent.name}` makes it"
            )

    @cached_property
    def info(self) -> dict[str, Any]:
        """dataset.json: counts, splits, arrays, classes, digest."""
        info: dict[str, Any] = json.loads((self.folder / "dataset.json").read_text())
        return info

    @cached_property
    def index(self) -> pd.DataFrame:
        """A row per example."""
        return pd.read_parquet(self.folder / "index.parquet")

    @cached_property
    def rejected(self) -> pd.DataFrame:
        """A row per input not taken: id, reason."""
        return pd.read_parquet(self.folder / "rejected.parquet")

    def table(self, name: str) -> pd.DataFrame:
        """A table of what examples refer to."""
        return pd.read_parquet(self.folder / f"{name}.parquet")

    def array(self, name: str) -> np.ndarray:
        """An array, memory-mapped."""
        array: np.ndarray = np.load(self.folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
        return array

    def examples(self, split: str) -> pd.DataFrame:
        """What the index says of the examples of a split."""
        return self.index.iloc[self.rows(split)].reset_index(drop=True)

    @property
    def has_raw(self) -> bool:
        """Whether the original files of test examples were kept."""
        return RAW in self.info["tables"]

    def raw(self, ids: pd.Series) -> list[bytes]:
        """The original files of test examples.

        Raises:
            PenstockError: some were not kept.
        """
        empty = pd.Series(dtype=object)
        kept = self.table(RAW).set_index("id")["content"] if self.has_raw else empty
        if len(lacking := pd.Index(ids).difference(kept.index)):
            raise PenstockError(
                f"{self.folder}: the original files of {len(lacking)} of {len(ids)} test examples "
                f"are not kept, {lacking[0]} the first; `penstock ingest` keeps them"
            )
        return kept.loc[ids].tolist()

    def rows(self, *splits: str) -> np.ndarray:
        """The positions of the examples of one split or more, in the order of the index."""
        column = pd.read_parquet(self.folder / "index.parquet", columns=["split"])["split"]
        return np.flatnonzero(column.isin(splits))

    def column_names(self) -> list[str]:
        """The columns of the index; none is read."""
        names: list[str] = pq.read_schema(self.folder / "index.parquet").names
        return names

    def columns(self, *names: str) -> dict[str, np.ndarray]:
        """Columns of the index as arrays; nothing else of it is read."""
        table = pd.read_parquet(self.folder / "index.parquet", columns=list(names))
        return {name: table[name].to_numpy() for name in names}


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or a file system without hard links
        shutil.copyfile(source, target)
