"""Decoded files become examples: each content once, written in chunks."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from .dataset import DatasetWriter
from .splits import Splitter

CHUNK, CHUNK_BYTES = 256, 2**26  # examples written at a time: so many, and no more bytes


class Collector:
    """Takes what was decoded in the order of the files; writes examples, rejects the others."""

    def __init__(
        self,
        writer: DatasetWriter,
        array: str,
        kind: str,
        types: Mapping[str, type],
        split: Splitter,
    ) -> None:
        """Set up for a dataset with one array.

        Args:
            writer: of the dataset.
            array: name of the array.
            kind: what an example is, `image` say.
            types: of columns of the index that pandas would not guess.
            split: rows of the index -> the split of each.
        """
        self.writer = writer
        self.array = array
        self.kind = kind
        self.types = types
        self.split = split
        self._seen: dict[str, str] = {}
        self._rows: list[dict[str, Any]] = []
        self._values: list[np.ndarray] = []

    def take(self, row: dict[str, Any], values: np.ndarray) -> None:
        """Keep an example, or reject it if its content (`sha256`) was seen before."""
        if (first := self._seen.setdefault(row["sha256"], row["id"])) != row["id"]:
            self.writer.reject(row["id"], f"the same {self.kind} as {first}")
            return
        self._rows.append({"id": row["id"], "split": "", **row})
        self._values.append(values)
        if len(self._rows) >= max(1, min(CHUNK, CHUNK_BYTES // values.nbytes)):
            self.flush()

    def flush(self) -> None:
        """Write what is kept."""
        if not self._rows:
            return
        rows = pd.DataFrame(self._rows).astype(dict(self.types))
        rows["split"] = self.split(rows)
        self.writer.add(rows, {self.array: np.stack(self._values)})
        self._rows.clear()
        self._values.clear()
