"""The graph that a network works on, kept with its weights: who asks for a node asks for its place.

A layer sees a graph as two sparse matrices: the features of nodes, scaled, and the adjacency with
self loops, normalised by degrees on both sides (Kipf and Welling 2017).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from scipy.sparse import block_array, csr_array, diags_array, vstack

from ...learning.kept import Kept, pack_texts, unpack_texts
from .sparse import SparseMatrix

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset

Scaling = Literal["auto", "rows", "columns", "none"]


@dataclass(frozen=True)
class Graph:
    """What layers see.

    Attributes:
        features: shape (nodes, features).
        adjacency: shape (nodes, nodes): row by row, what a node takes from itself and others.
    """

    features: SparseMatrix
    adjacency: SparseMatrix


class KeptGraph(Kept):
    """The graph that was learned from: ids, edges, scaled features; and how features are scaled."""

    id_text: torch.Tensor
    id_ends: torch.Tensor
    edges: torch.Tensor
    feature_starts: torch.Tensor
    feature_columns: torch.Tensor
    feature_values: torch.Tensor
    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(self, scaling: Scaling, info: dict[str, Any]) -> None:
        super().__init__()
        self.width = len(info["features"])
        by_kind: Scaling = "rows" if info["words"] else "columns"
        self.scaling = by_kind if scaling == "auto" else scaling
        self.register_buffer("id_text", torch.zeros(0, dtype=torch.uint8))
        self.register_buffer("id_ends", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("edges", torch.zeros(0, 2, dtype=torch.int32))
        self.register_buffer("feature_starts", torch.zeros(1, dtype=torch.int64))
        self.register_buffer("feature_columns", torch.zeros(0, dtype=torch.int32))
        self.register_buffer("feature_values", torch.zeros(0))
        self.register_buffer("mean", torch.zeros(self.width))
        self.register_buffer("deviation", torch.ones(self.width))
        self._built: tuple[torch.device, Graph] | None = None
        self._places: dict[str, int] = {}

    def fill(self, dataset: "Dataset") -> None:
        """Take over the graph of a dataset, all of it: features and edges are no answers."""
        self.id_text, self.id_ends = pack_texts(dataset.table("nodes")["id"])
        self.edges = torch.from_numpy(np.array(dataset.array("edges")))
        raw = read_features(dataset)
        if self.scaling == "columns":
            self._measure(raw)
        features = self.scale(raw)
        self.feature_starts = torch.from_numpy(features.indptr.astype(np.int64))
        self.feature_columns = torch.from_numpy(features.indices.astype(np.int32))
        self.feature_values = torch.from_numpy(features.data)
        self._built, self._places = None, {}

    def _measure(self, raw: csr_array) -> None:
        """Mean and deviation of each feature over all nodes."""
        dense = raw.toarray().astype(np.float64)
        deviation = dense.std(axis=0)
        self.mean = torch.from_numpy(dense.mean(axis=0).astype(np.float32))
        self.deviation = torch.from_numpy(np.where(deviation > 0, deviation, 1).astype(np.float32))

    def scale(self, raw: csr_array) -> csr_array:
        """Features as layers see them, float32, from features as they were read."""
        if self.scaling == "rows":
            sums = np.abs(raw).sum(axis=1)
            scaled = diags_array(1 / np.where(sums > 0, sums, 1)) @ raw
        elif self.scaling == "columns":
            mean, deviation = (it.cpu().numpy() for it in (self.mean, self.deviation))
            scaled = (raw.toarray() - mean) / deviation
        else:
            scaled = raw
        rows = csr_array(scaled, dtype=np.float32)
        rows.sort_indices()
        return rows

    @property
    def ids(self) -> list[str]:
        """What each node is called."""
        return unpack_texts(self.id_text, self.id_ends)

    @property
    def places(self) -> dict[str, int]:
        """The place of each node."""
        if not self._places:
            self._places = {name: place for place, name in enumerate(self.ids)}
        return self._places

    @property
    def features(self) -> csr_array:
        """Scaled features of all nodes."""
        parts = (self.feature_values, self.feature_columns, self.feature_starts)
        shape = (len(self.feature_starts) - 1, self.width)
        return csr_array(tuple(it.cpu().numpy() for it in parts), shape)

    def whole(self) -> Graph:
        """All of it, on the device where it lies."""
        device = self.edges.device
        if self._built is None or self._built[0] != device:
            self._built = device, self._graph(self.features, self.edges.cpu().numpy())
        return self._built[1]

    def without(self, node: int) -> Graph:
        """All edges but those of a node."""
        edges = self.edges.cpu().numpy()
        return self._graph(self.features, edges[(edges != node).all(axis=1)])

    def _graph(self, features: csr_array, edges: np.ndarray) -> Graph:
        device = self.edges.device
        adjacency = normalise(edges, features.shape[0])
        return Graph(
            SparseMatrix.of(features, device), SparseMatrix.of(adjacency, device, symmetric=True)
        )

    def neighbours(self, node: int) -> np.ndarray:
        """The places of a node's neighbours."""
        edges = self.edges.cpu().numpy()
        ends = edges[(edges == node).any(axis=1)]
        return np.sort(ends[ends != node])

    def joined(self, graph: Graph, features: csr_array, links: Sequence[np.ndarray]) -> Graph:
        """A graph with new nodes after its own.

        A new node takes from its neighbours, and nobody takes from it: so it is answered alike
        whatever else is asked for, and nodes that were there stay as they are.

        Args:
            graph: of the nodes that were there.
            features: scaled, of new nodes.
            links: the places of each new node's neighbours, each once.
        """
        nodes, more = graph.features.shape[0], len(links)
        starts = np.cumsum([0, *(len(it) for it in links)])
        ends = np.concatenate([np.zeros(0, np.int64), *links])
        own = 1.0 + np.diff(starts)
        old = graph.adjacency.as_scipy()
        degrees = 1 / old.diagonal()
        values = 1 / np.sqrt(degrees[ends] * np.repeat(own, np.diff(starts)))
        taken = csr_array((values, ends, starts), (more, nodes))
        adjacency = block_array([[old, None], [taken, diags_array(1 / own)]], format="csr")
        device = self.edges.device
        return Graph(
            SparseMatrix.of(vstack([graph.features.as_scipy(), features], "csr"), device),
            SparseMatrix.of(adjacency, device),
        )


def normalise(edges: np.ndarray, nodes: int) -> csr_array:
    """The adjacency with self loops, each value over the root of both degrees: (nodes, nodes)."""
    loops = np.arange(nodes)
    rows = np.concatenate([edges[:, 0], edges[:, 1], loops])
    columns = np.concatenate([edges[:, 1], edges[:, 0], loops])
    roots = np.sqrt(np.bincount(rows, minlength=nodes))
    return csr_array((1 / (roots[rows] * roots[columns]), (rows, columns)), (nodes, nodes))


def read_features(dataset: "Dataset") -> csr_array:
    """The features of a dataset's nodes as they were read: (nodes, features)."""
    parts = (np.array(dataset.array(f"feature_{it}")) for it in ("values", "columns", "starts"))
    return csr_array(tuple(parts), (dataset.info["nodes"], len(dataset.info["features"])))
