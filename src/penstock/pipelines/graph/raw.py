"""A graph as it was read, whatever files it came from."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import csr_array

NO_LABEL = -1
SPLITS = ("train", "validation", "test")

Reject = Callable[[str, str], None]  # the input, and why it was not taken


@dataclass(frozen=True)
class RawGraph:
    """Nodes and edges.

    Attributes:
        ids: what edges call each node.
        features: float32, shape (nodes, features).
        names: of the features.
        labels: int32, shape (nodes,); NO_LABEL where none is known.
        classes: name of each label.
        edges: int32, shape (edges, 2): each once, its smaller end first, in order.
        found_nodes: how many there were with those that were rejected.
        found_edges: likewise; one that is given twice, or both ways, is found once.
        splits: what the publisher says of each node, "" where nothing; None without such.
        times: of each node, int64, if they have one.
    """

    ids: list[str]
    features: csr_array
    names: list[str]
    labels: np.ndarray
    classes: list[str]
    edges: np.ndarray
    found_nodes: int
    found_edges: int
    splits: np.ndarray | None = field(default=None)
    times: np.ndarray | None = field(default=None)


def unite_edges(ends: np.ndarray, reject: Callable[[int, str], None]) -> tuple[np.ndarray, int]:
    """Edges without direction, each once; a self loop is none.

    Args:
        ends: of each edge that is given, shape (given, 2): places of nodes.
        reject: is told the row of each self loop, the first time it is given.

    Returns:
        int32, shape (edges, 2), as in RawGraph; and how many self loops there were.
    """
    ordered = np.sort(ends, axis=1).astype(np.int64)
    _, first = np.unique(ordered[:, 0] << 32 | ordered[:, 1], return_index=True)
    pairs = ordered[first]
    loops = pairs[:, 0] == pairs[:, 1]
    for row in np.sort(first[loops]):
        reject(int(row), "a self loop")
    return pairs[~loops].astype(np.int32), int(loops.sum())
