"""Which nodes are learned from, and which are held out."""

import hashlib

import numpy as np
import pandas as pd

from ...datasets.splits import hash_groups, latest_held_out
from ...messages.errors import PenstockError
from .params import Data
from .raw import RawGraph


def split_nodes(graph: RawGraph, data: Data, source: str) -> np.ndarray:
    """The split of each node, by `data.split`; "" where its class is not asked for.

    Raises:
        PenstockError: a split is asked for that the source does not have.
    """
    policy = data.split
    if policy == "auto":
        policy = "per_class" if graph.splits is None else "official"
    labelled = np.flatnonzero(graph.labels >= 0)
    ids = [graph.ids[it] for it in labelled]
    splits = np.full(len(graph.ids), "", dtype="<U10")
    if policy == "official":
        if graph.splits is None:
            raise PenstockError(
                f"{source}: no split; expected that of Planetoid files, or a column split in the "
                "table of nodes; set pipelines.graph.data.split: per_class"
            )
        splits[labelled] = graph.splits[labelled]
    elif policy == "per_class":
        splits[labelled] = _draw(ids, graph.labels[labelled], data)
    elif policy == "time":
        if graph.times is None:
            raise PenstockError(
                f"{source}: split: time needs the time of each node; set pipelines.graph.data.time "
                "to a column of the table of nodes"
            )
        late = latest_held_out(graph.times[labelled], data.test_share, data.validation_share)
        splits[labelled] = np.array(["train", "validation", "test"])[late]
    else:
        shares = {"test": data.test_share, "validation": data.validation_share}
        splits[labelled] = hash_groups(ids, {**shares, "train": 1 - sum(shares.values())})
    return splits


def _draw(ids: list[str], labels: np.ndarray, data: Data) -> np.ndarray:
    """As many nodes of each class to learn from and to choose by (Shchur et al. 2018).

    Drawn by hashes of seed and id, so that the order of nodes does not matter.
    """
    keys = [hashlib.sha256(f"{data.seed} {it}".encode()).digest() for it in ids]
    order = np.array(sorted(range(len(ids)), key=keys.__getitem__), np.int64)
    rank = np.empty(len(ids), np.int64)
    rank[order] = pd.Series(labels[order]).groupby(labels[order]).cumcount()
    learned, chosen = data.train_per_class, data.train_per_class + data.validation_per_class
    return np.where(rank < learned, "train", np.where(rank < chosen, "validation", "test"))
