"""Which rows of a table are learned from, and which are held out."""

import numpy as np
import pandas as pd

from ...datasets.splits import hash_groups, hash_splits, latest_held_out
from .params import Data


def split_rows(index: pd.DataFrame, data: Data) -> np.ndarray:
    """The name of each row's split, by `data.split`.

    Args:
        index: a row each, with `sha256` of its features and, as it applies, group, label or time.
        data: how to split.
    """
    shares = {"test": data.test_share, "validation": data.validation_share}
    shares["train"] = 1 - sum(shares.values())
    if data.group:
        return hash_groups(index["group"], shares)
    if data.split == "time":
        held_out = latest_held_out(index["time"].to_numpy(), data.test_share, data.validation_share)
        return np.array(["train", "validation", "test"])[held_out]
    if data.split == "stratified" and "label" in index:
        return _stratify(index["sha256"].to_numpy("S64"), index["label"].to_numpy(), shares)
    return hash_splits(index["sha256"], shares)


def _stratify(digests: np.ndarray, labels: np.ndarray, shares: dict[str, float]) -> np.ndarray:
    """Deal out the rows of each class by the order of their digests; equal rows stay together."""
    _, first, place = np.unique(digests, return_index=True, return_inverse=True)
    label = pd.Series(labels[first])  # in the order of the digests
    classes = label.groupby(label)
    position = (classes.cumcount() + 0.5) / classes.transform("size")
    edges = np.cumsum(list(shares.values()))[:-1]
    return np.array(list(shares))[np.searchsorted(edges, position, side="right")][place]
