"""Many files become examples: decoded in parallel, each content once, written in chunks."""

import os
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from ...datasets.dataset import DatasetWriter
from ...datasets.splits import Splitter
from ...messages.errors import PenstockError, raise_if_temporary
from .examples import Example, Read

CHUNK, CHUNK_BYTES = 256, 2**26  # examples written at a time: so many, and no more bytes
AHEAD = 4  # files read ahead for each worker, so that memory stays flat

# A file and what it became -> its label, group, ..., or the reason why it is not taken.
Place = Callable[[str, Example], dict[str, Any] | str]


class Collector:
    """Takes what was decoded in the order of the files; writes examples, rejects the others."""

    def __init__(
        self,
        source: Path,
        writer: DatasetWriter,
        array: str,
        kind: str,
        types: Mapping[str, type],
        split: Splitter,
        seen: Mapping[str, str] | None = None,
    ) -> None:
        """Set up for a dataset with one array.

        Args:
            source: the folder that files lie in.
            writer: of the dataset.
            array: name of the array.
            kind: what an example is, `image` say.
            types: of columns of the index that pandas would not guess.
            split: rows of the index -> the split of each.
            seen: content (`sha256`) -> the example that has it already.
        """
        self.source = source
        self.writer = writer
        self.array = array
        self.kind = kind
        self.types = types
        self.split = split
        self.taken: list[pd.DataFrame] = []  # the split and label of examples, in order
        self._seen = dict(seen or {})
        self._rows: list[dict[str, Any]] = []
        self._values: list[np.ndarray] = []

    def collect(self, files: Sequence[str], read: Read, place: Place) -> None:
        """Read all files; each is taken, or rejected with the reason.

        Of the test split the original files are kept too.
        """
        bar = tqdm(
            _in_order(lambda file: read(self.source / file), files),
            total=len(files),
            unit=self.kind,
            disable=not sys.stderr.isatty(),
            leave=False,
        )
        for file, example in zip(files, bar, strict=True):
            placed = example if isinstance(example, str) else place(file, example)
            if isinstance(example, str) or isinstance(placed, str):
                self.writer.reject(file, str(placed))
            else:
                self._take({"id": file, "split": "", **placed, **example.columns}, example.values)
        self._flush()

    def _take(self, row: dict[str, Any], values: np.ndarray) -> None:
        """Keep an example, unless its content was seen before."""
        if (first := self._seen.setdefault(row["sha256"], row["id"])) != row["id"]:
            self.writer.reject(row["id"], f"the same {self.kind} as {first}")
            return
        self._rows.append(row)
        self._values.append(values)
        if len(self._rows) >= max(1, min(CHUNK, CHUNK_BYTES // values.nbytes)):
            self._flush()

    def _flush(self) -> None:
        """Write what is kept."""
        if not self._rows:
            return
        rows = pd.DataFrame(self._rows).astype(dict(self.types))
        rows["split"] = self.split(rows)
        self.writer.add(rows, {self.array: np.stack(self._values)})
        self.taken.append(rows[[it for it in ("split", "label") if it in rows]])
        for name in rows["id"][rows["split"] == "test"]:
            self.writer.keep(name, _read_again(self.source / name))
        self._rows.clear()
        self._values.clear()


def _read_again(path: Path) -> bytes:
    """The content of a file that was decoded a moment ago: to hold it until then takes memory."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise_if_temporary(error, path)
        raise PenstockError(
            f"{path}: it was read, and now cannot be: {error.strerror}; ingest again"
        ) from None


def _in_order(
    work: Callable[[str], Example | str], files: Sequence[str]
) -> Iterator[Example | str]:
    """Work on files in a thread for each core, a few ahead; answer in their order."""
    workers = os.cpu_count() or 1
    pending: deque[Future[Example | str]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for file in files:
            pending.append(pool.submit(work, file))
            if len(pending) > AHEAD * workers:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
