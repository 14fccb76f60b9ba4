"""How networks for graphs are trained: the whole graph in each step."""

from typing import TYPE_CHECKING, Any

import torch

from ...datasets.dataset import Dataset
from ...learning.classifier import Classifier
from ...learning.sources import Whole
from .network import DeepConvolution, NodeClassifier

if TYPE_CHECKING:
    from .params import Params, Train

Batch = dict[str, torch.Tensor]


class NodeLearner(Classifier):
    """Learns from labelled nodes by cross-entropy, and from all by what draws of dropout agree on.

    Two draws predict each node; both are drawn to the mean of the two, sharpened: the consistency
    loss of Feng et al. 2020, "Graph Random Neural Networks for Semi-Supervised Learning on Graphs".
    """

    network: NodeClassifier
    params: "Train"

    def training_step(self, batch: Batch, _: int) -> torch.Tensor:
        """Loss of one step."""
        graph = self.network.graph.whole()
        draws = [self.network.logits(graph) for _ in range(2 if self.params.consistency else 1)]
        nodes, label = batch["inputs"], batch["label"]
        losses = [self._score(it[nodes], label, self.params.label_smoothing) for it in draws]
        loss = torch.stack(losses).mean()
        if len(draws) > 1:
            loss = loss + self.params.consistency * disagreement(draws, self.params.temperature)
        return loss

    def configure_optimizers(self) -> Any:
        """As the parameters say; many convolutions have a decay of their own."""
        built = super().configure_optimizers()
        if isinstance(self.network, DeepConvolution):
            optimizer = built["optimizer"] if isinstance(built, dict) else built
            give_decay(optimizer, list(self.network.between), self.network.decay)
        return built


def disagreement(draws: list[torch.Tensor], temperature: float) -> torch.Tensor:
    """Squared distance of predictions from their sharpened mean, the mean over nodes and draws.

    Args:
        draws: logits, each of shape (nodes, classes).
        temperature: sharpens where it is below 1.
    """
    given = torch.stack(draws).softmax(-1)
    sharp = given.detach().mean(0) ** (1 / temperature)
    target = sharp / sharp.sum(-1, keepdim=True)
    return (given - target).square().sum(-1).mean()


def give_decay(
    optimizer: torch.optim.Optimizer, weights: list[torch.nn.Parameter], decay: float
) -> None:
    """Let an optimiser decay some of its weights in another way."""
    (group,) = optimizer.param_groups
    theirs = {id(it) for it in weights}
    group["params"] = [it for it in group["params"] if id(it) not in theirs]
    optimizer.add_param_group({"params": weights, "weight_decay": decay})


def learner(network: NodeClassifier, params: "Params", dataset: Dataset) -> NodeLearner:
    """Wrap the network, which takes over the graph first."""
    network.graph.fill(dataset)
    return NodeLearner(network, params.train)


def source(dataset: Dataset, splits: tuple[str, ...], params: "Params") -> Whole:
    """The one batch: `inputs`, the places of the splits' nodes, and their `label`, (nodes,)."""
    columns, rows = dataset.columns("node", "label"), dataset.rows(*splits)
    arrays = {"inputs": columns["node"][rows].astype("int64"), "label": columns["label"][rows]}
    return Whole(arrays, params.train.epoch_steps if splits == params.train.splits else 1)
