"""The rows of a table of nodes, read block by block; what cannot be taken is rejected."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_array, vstack

from ...kinds.folders.layout import SPLITS as SPLIT_NAMES
from ...kinds.tables.delimited import Block
from ...kinds.tables.values import (
    Ids,
    find_missing,
    read_numbers,
    read_times,
    shorten,
    trim,
    usual_order,
)
from ...messages.errors import PenstockError
from .params import Data
from .raw import NO_LABEL, SPLITS, Reject

SPLIT = "split"
LARGEST = float(np.finfo(np.float32).max)  # features are float32

Bad = dict[int, str]  # row of a block -> what is wrong with it


class Nodes:
    """Nodes read so far.

    Attributes:
        names: of the features: all columns that are nothing else.
        places: id of each node that was taken -> its place.
        refused: ids of those that were rejected.
        found: how many there were with those.
    """

    def __init__(self, names: list[str], data: Data, file: str, reject: Reject) -> None:
        """Set up.

        Args:
            names: the columns of the table.
            data: what they are.
            file: for messages.
            reject: is told what cannot be taken, and why.

        Raises:
            PenstockError: no column is a feature.
        """
        self.data, self.file, self.reject = data, file, reject
        roles = [data.id, data.label, data.time]
        self.official = SPLIT in names and SPLIT not in roles
        self.names = [it for it in names if it not in {*roles, *data.ignore, SPLIT}]
        if not self.names:
            raise PenstockError(
                f"{file}: no column to learn from; found {', '.join(names)}; expected features "
                "beside these, numbers in a column each"
            )
        self.places: dict[str, int] = {}
        self.refused: set[str] = set()
        self.found = 0
        self._why = ""
        self._classes = Ids()
        self._features: list[csr_array] = []
        self._labels: list[np.ndarray] = []
        self._splits: list[np.ndarray] = []
        self._times: list[np.ndarray] = []

    @property
    def wanted(self) -> list[str]:
        """The columns to read."""
        roles = [self.data.id, self.data.label, self.data.time, SPLIT if self.official else ""]
        return list(dict.fromkeys([*filter(None, roles), *self.names]))

    def refuse(self, line: int, reason: str) -> None:
        """Reject a line."""
        self.found += 1
        self._why = self._why or reason
        self.reject(f"{self.file}:{line}", reason)

    def why_none(self) -> str:
        """Why no node was taken."""
        return self._why or "there are none"

    def read(self, block: Block) -> None:
        """Take over the nodes of a block of text of all `wanted` columns."""
        columns = {name: trim(values) for name, values in block.columns.items()}
        bad: Bad = {}
        features = self._read_features(columns, bad)
        splits = _read_splits(columns[SPLIT], bad) if self.official else None
        times = self._read_times(columns[self.data.time], bad) if self.data.time else None
        keep = self._take(columns[self.data.id].to_pylist(), block.lines, bad)
        texts = columns[self.data.label]
        labels = np.where(find_missing(texts), NO_LABEL, self._classes.encode(texts))
        self._labels.append(labels[keep])
        self._features.append(csr_array(features[keep]))
        if splits is not None:
            self._splits.append(splits[keep])
        if times is not None:
            self._times.append(times[keep])

    def _take(self, ids: list[str], lines: np.ndarray, bad: Bad) -> np.ndarray:
        """Give good nodes their places, reject the others. Answers which rows are good."""
        keep = np.zeros(len(ids), bool)
        for row, node in enumerate(ids):
            if not node:
                self.refuse(int(lines[row]), f"no {self.data.id}")
            elif node in self.places or node in self.refused:
                self.refuse(int(lines[row]), f"node {shorten(node)} is there already")
            elif row in bad:
                self.refuse(int(lines[row]), bad[row])
                self.refused.add(node)
            else:
                self.places[node] = len(self.places)
                self.found += 1
                keep[row] = True
        return keep

    def _read_features(self, columns: dict[str, pa.Array], bad: Bad) -> np.ndarray:
        """Features as float32, shape (rows, features)."""
        features = np.zeros((len(columns[self.names[0]]), len(self.names)), np.float32)
        for place, name in enumerate(self.names):
            numbers, good = read_numbers(columns[name])
            good &= np.abs(numbers) <= LARGEST
            features[good, place] = numbers[good]
            _note(bad, good, name, "no number", columns[name])
        return features

    def _read_times(self, texts: pa.Array, bad: Bad) -> np.ndarray:
        times, good = read_times(texts)
        _note(bad, good, self.data.time, "no time", texts)
        return times

    def features(self) -> csr_array:
        """Features of all nodes, float32, shape (nodes, features)."""
        return vstack(self._features, "csr")

    def labels(self) -> tuple[np.ndarray, list[str]]:
        """Labels of all nodes, int32, NO_LABEL where there is none; and the classes in order."""
        given = np.concatenate(self._labels)
        names = list(self._classes.index)
        classes = sorted({names[it] for it in np.unique(given[given >= 0])}, key=usual_order)
        number = {name: place for place, name in enumerate(classes)}
        codes = [number.get(name, NO_LABEL) for name in names]
        return np.array([*codes, NO_LABEL], np.int32)[given], classes  # NO_LABEL is the last

    def splits(self) -> np.ndarray | None:
        """The publisher's split of each node, "" where none; None where nobody says."""
        return np.concatenate(self._splits) if self.official else None

    def times(self) -> np.ndarray | None:
        """The time of each node, int64; None without such."""
        return np.concatenate(self._times) if self.data.time else None


def _read_splits(texts: pa.Array, bad: Bad) -> np.ndarray:
    """The splits of a publisher, by their usual names; "" where nothing is said."""
    given = pc.utf8_lower(texts).to_pylist()
    good = np.array([not it or it in SPLIT_NAMES for it in given], bool)
    _note(bad, good, SPLIT, f"none; expected {', '.join(SPLITS)}, or nothing", texts)
    return np.array([SPLIT_NAMES.get(it, "") for it in given], dtype="<U10")


def _note(bad: Bad, good: np.ndarray, name: str, what: str, texts: pa.Array) -> None:
    for row in np.flatnonzero(~good):
        text = shorten(texts[int(row)].as_py())
        bad.setdefault(int(row), f"{shorten(name)}: {text!r} is {what}")
