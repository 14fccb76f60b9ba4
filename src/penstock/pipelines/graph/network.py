"""The networks: from the features and edges of a graph to logits for its nodes."""

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional as F

from .graph import Graph, KeptGraph
from .sparse import SparseMatrix

if TYPE_CHECKING:
    from .params import APPNP, GCN, GCNII, MLP, Model


class SparseLinear(nn.Module):
    """A dense layer on sparse features, of which dropout leaves out values that are not 0."""

    def __init__(self, inputs: int, outputs: int, dropout: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        nn.init.xavier_uniform_(self.weight)
        self.dropout = dropout

    def forward(self, features: SparseMatrix) -> torch.Tensor:
        """Features, shape (nodes, inputs) -> (nodes, outputs), without the bias."""
        if not self.training:
            return features.times(self.weight)
        return features.times(self.weight, F.dropout(features.values, self.dropout))


class NodeClassifier(nn.Module):
    """Two dense layers and the graph; what lies between them is what kinds differ in."""

    def __init__(self, model: "Model", info: dict[str, Any]) -> None:
        super().__init__()
        self.graph = KeptGraph(model.scaling, info)
        self.inputs = SparseLinear(len(info["features"]), model.hidden, model.input_dropout)
        self.outputs = nn.Linear(model.hidden, len(info["classes"]))
        nn.init.xavier_uniform_(self.outputs.weight)
        nn.init.zeros_(self.outputs.bias)
        self.dropout = nn.Dropout(model.dropout)

    def forward(self, nodes: torch.Tensor) -> torch.Tensor:
        """Places of nodes of the graph that was learned from -> logits, (batch, classes)."""
        return self.logits(self.graph.whole())[nodes]

    def logits(self, graph: Graph) -> torch.Tensor:
        """Logits of all nodes of a graph, (nodes, classes)."""
        with torch.autocast(self.inputs.weight.device.type, enabled=False):  # sparse in float32
            return self.classify(graph)

    def classify(self, graph: Graph) -> torch.Tensor:
        """As `logits`: features alone."""
        hidden = F.relu(self.inputs(graph.features) + self.inputs.bias)
        logits: torch.Tensor = self.outputs(self.dropout(hidden))
        return logits


class GraphConvolution(NodeClassifier):
    """Each layer takes a weighted mean of a node and its neighbours (Kipf and Welling 2017)."""

    def classify(self, graph: Graph) -> torch.Tensor:
        """Mean, dense, ReLU, mean, dense; a dense layer comes first where it makes fewer values."""
        spread = graph.adjacency.times
        hidden = F.relu(spread(self.inputs(graph.features)) + self.inputs.bias)
        weighed = F.linear(self.dropout(hidden), self.outputs.weight)
        return spread(weighed) + self.outputs.bias


class PageRank(NodeClassifier):
    """Predictions from features spread by personalised PageRank (Gasteiger et al. 2019)."""

    def __init__(self, model: "APPNP", info: dict[str, Any]) -> None:
        super().__init__(model, info)
        self.steps, self.teleport = model.steps, model.teleport

    def classify(self, graph: Graph) -> torch.Tensor:
        """Power iteration from where features alone say."""
        start = spread = super().classify(graph)
        for _ in range(self.steps):
            spread = (1 - self.teleport) * graph.adjacency.times(spread) + self.teleport * start
        return spread


class DeepConvolution(NodeClassifier):
    """Many convolutions, near the identity, that each see the first layer (Chen et al. 2020)."""

    def __init__(self, model: "GCNII", info: dict[str, Any]) -> None:
        super().__init__(model, info)
        self.teleport, self.decay = model.teleport, model.decay
        self.shares = [math.log(model.strength / it + 1) for it in range(1, model.layers + 1)]
        self.between = nn.ParameterList(
            nn.init.xavier_uniform_(torch.empty(model.hidden, model.hidden)) for _ in self.shares
        )

    def classify(self, graph: Graph) -> torch.Tensor:
        """Dense, convolutions, dense."""
        first = hidden = F.relu(self.inputs(graph.features) + self.inputs.bias)
        for share, weight in zip(self.shares, self.between, strict=True):
            spread = graph.adjacency.times(self.dropout(hidden))
            mixed = (1 - self.teleport) * spread + self.teleport * first
            hidden = F.relu((1 - share) * mixed + share * (mixed @ weight))
        logits: torch.Tensor = self.outputs(self.dropout(hidden))
        return logits


def network(model: "APPNP | GCN | GCNII | MLP", info: dict[str, Any]) -> NodeClassifier:
    """Build the network for a graph's features and classes."""
    if model.kind == "appnp":
        return PageRank(model, info)
    if model.kind == "gcnii":
        return DeepConvolution(model, info)
    return (GraphConvolution if model.kind == "gcn" else NodeClassifier)(model, info)
