"""The rows of a table, read block by block into numbers; what cannot be taken is rejected."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ...kinds.tables.delimited import Block, Reject
from ...kinds.tables.values import Ids, find_missing, shorten, trim, usual_order
from .decode import complain, decode_column, read_values
from .params import Data

FACTOR = np.uint64(0x9E3779B97F4A7C15)  # odd: which column a text is in makes a difference


class Rows:
    """Rows read so far: features, and what else is known of each.

    A category is an index of the names seen so far, until it is known which of them are frequent.
    """

    def __init__(self, types: dict[str, str], data: Data, classified: bool) -> None:
        """Set up.

        Args:
            types: column to learn from -> its type.
            data: names target, group and time.
            classified: whether the target is a class, or else a number.
        """
        self.types, self.data, self.classified = types, data, classified
        self.names = {name: Ids() for name, kind in types.items() if kind == "category"}
        self.classes: list[str] = []
        self._labels = Ids()
        self._features: list[np.ndarray] = []
        self._index: list[pd.DataFrame] = []

    def __len__(self) -> int:
        return sum(len(it) for it in self._index)

    @property
    def wanted(self) -> list[str]:
        """The columns to read."""
        roles = [it for it in (self.data.target, self.data.group, self.data.time) if it]
        return list(dict.fromkeys([*self.types, *roles]))

    def read(self, block: Block, reject: Reject) -> None:
        """Take over the rows of a block.

        Args:
            block: text of all `wanted` columns.
            reject: is told the line of what cannot be taken, and why.
        """
        bad: dict[int, str] = {}
        index = self._read_index(block.columns, bad)
        features = np.empty((len(block.lines), len(self.types)), np.float32)
        content = np.zeros(len(block.lines), np.uint64)
        for place, (name, kind) in enumerate(self.types.items()):
            if kind == "category":
                texts = trim(block.columns[name])
                missing = find_missing(texts)
                features[:, place] = np.where(missing, -1, self.names[name].encode(texts))
                content = content * FACTOR ^ np.where(missing, 0, _hash(texts))
            else:
                features[:, place], good = decode_column(block.columns[name], {"type": kind})
                _note(bad, good, name, kind, block.columns[name])
        for row, reason in sorted(bad.items()):
            reject(int(block.lines[row]), reason)
        keep = np.ones(len(block.lines), bool)
        keep[list(bad)] = False
        numbers = [place for place, kind in enumerate(self.types.values()) if kind != "category"]
        measured = features[:, numbers] + 0.0  # -0 is 0: what is equal has one digest
        index["sha256"] = [
            hashlib.sha256(row.tobytes() + text.tobytes()).hexdigest()
            for row, text in zip(measured, content, strict=True)
        ]
        self._features.append(features[keep])
        self._index.append(index.assign(id=block.lines)[keep])

    def _read_index(self, columns: dict[str, pa.Array], bad: dict[int, str]) -> pd.DataFrame:
        """What is known of each row beside its features."""
        data = self.data
        target = trim(columns[data.target])
        index = pd.DataFrame(index=range(len(target)))
        if self.classified:
            index["label"] = self._labels.encode(target)
        else:
            index["target"], good = decode_column(target, {"type": "number"})
            _note(bad, good, data.target, "number", target)
        _note_missing(bad, target, data.target)
        if data.group:
            group = trim(columns[data.group])
            index["group"] = pd.Series(group.to_pylist(), dtype="str")
            _note_missing(bad, group, data.group)
        if data.time:
            time = trim(columns[data.time])
            index["time"], good = _read_times(time)
            _note(bad, good, data.time, "date", time)
            _note_missing(bad, time, data.time)
        return index

    def finish(self) -> tuple[np.ndarray, pd.DataFrame]:
        """All features, shape (rows, columns), and the index; classes are in their usual order."""
        features = np.concatenate(self._features)
        self._features = []
        index = pd.concat(self._index, ignore_index=True)
        if self.classified:
            there, codes = np.unique(index["label"], return_inverse=True)
            names = list(self._labels.index)
            found = [names[place] for place in there]
            self.classes = sorted(found, key=usual_order)
            order = np.array([self.classes.index(name) for name in found], np.int32)
            index["label"] = order[codes]
        return features, index

    def list_names(self, column: str) -> list[str]:
        """The categories of a column by their indices; none if it has numbers."""
        return list(self.names[column].index) if column in self.names else []

    def encode(self, features: np.ndarray, columns: Mapping[str, Mapping[str, Any]]) -> None:
        """Number categories by the values that are told apart, in place, as `decode_column`."""
        for place, (name, column) in enumerate(columns.items()):
            if column["type"] == "category":
                number = {value: code for code, value in enumerate(column["values"])}
                other = len(number)
                codes = [number.get(it, other) for it in self.names[name].index]
                table = np.array([*codes, other + 1], np.float32)  # index -1: missing
                features[:, place] = table[features[:, place].astype(np.int64)]


def _read_times(texts: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Times as numbers that grow, dates or numbers as they are; and which of them could be read."""
    numbers, numeric = read_values(texts, "number")
    days, dated = read_values(texts, "date")
    return np.where(numeric, numbers, days), numeric | dated


def _note(bad: dict[int, str], good: np.ndarray, name: str, kind: str, texts: pa.Array) -> None:
    for row in np.flatnonzero(~good):
        bad.setdefault(int(row), complain(name, kind, texts[int(row)].as_py()))


def _note_missing(bad: dict[int, str], texts: pa.Array, name: str) -> None:
    for row in np.flatnonzero(find_missing(texts)):
        text = texts[int(row)].as_py()
        why = f": {text!r} stands for a missing value" if text else ""
        bad[int(row)] = f"no {shorten(name)}{why}"


def _hash(texts: pa.Array) -> np.ndarray:
    encoded = texts.dictionary_encode()
    words = np.array(encoded.dictionary.to_pylist(), dtype=object)
    hashes = pd.util.hash_array(words) if len(words) else np.zeros(0, np.uint64)
    return hashes[encoded.indices.to_numpy(zero_copy_only=False)]
