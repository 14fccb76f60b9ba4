"""Which examples a model learned from: enough of it to notice that it is tested on them."""

import numpy as np
import pandas as pd

from .dataset import Dataset

FACTOR = np.uint64(0x9E3779B97F4A7C15)  # odd: which hash is the first makes a difference
KEPT = 2**16  # hashes that a sketch has at most: 512 KB


def identities(dataset: Dataset, *splits: str) -> np.ndarray:
    """What tells the examples of some splits from others, in every dataset that holds them.

    Returns:
        uint64, shape (examples,): the start of the digest of their content; or a hash of the ids
        that they name, a user's and an item's say. Nothing if there is neither.
    """
    rows, there = dataset.rows(*splits), dataset.column_names()
    if "sha256" in there:
        digests = dataset.columns("sha256")["sha256"][rows]
        return np.array([int(digest[:16], 16) for digest in digests], np.uint64)
    named = [it for it in there if f"{it}s" in dataset.info["tables"]]
    found = np.zeros(len(rows) if named else 0, np.uint64)
    for column in named:
        ids = pd.util.hash_array(dataset.table(f"{column}s")["id"].to_numpy(dtype=object))
        found = found * FACTOR ^ ids[dataset.columns(column)[column][rows]]
    return found


def sketch(found: np.ndarray) -> np.ndarray:
    """The smallest hashes: a sample that is the same one whatever else there is.

    After Bar-Yossef et al. 2002, "Counting distinct elements in a data stream".
    """
    return np.unique(found)[:KEPT]


def overlap(learned: np.ndarray, tested: np.ndarray) -> tuple[int, int]:
    """How many test examples a model learned from, and how many were looked at.

    Args:
        learned: the sketch of what it learned from.
        tested: hashes of the test examples.
    """
    if len(learned) == KEPT:  # of larger hashes it knows nothing
        tested = tested[tested <= learned[-1]]
    return int(np.isin(tested, learned).sum()), len(tested)
