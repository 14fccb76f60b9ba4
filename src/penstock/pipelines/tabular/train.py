"""How networks for tables are trained."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.preprocessing import StandardScaler
from torch.nn import functional as F

from ...datasets.dataset import Dataset
from ...learning.classifier import Classifier
from ...learning.learner import Learner
from ...learning.sources import Rows, labelled_rows
from .network import FrontEnd, TabularNetwork

if TYPE_CHECKING:
    from .params import Params

CHUNK = 2**16  # rows measured at a time


class SquaredErrorClassifier(Classifier):
    """Brings sigmoid outputs near 1 for the class and near 0 for others (Rumelhart et al. 1986)."""

    def loss(self, logits: torch.Tensor, label: torch.Tensor, *_: Any) -> torch.Tensor:
        """Squared error of the outputs, whose logarithms the network gives."""
        wanted = F.one_hot(label, logits.shape[1]).float()
        return (logits.exp() - wanted).square().sum(1).mean()


class PerceptronClassifier(Classifier):
    """Rosenblatt's rule, one class against the rest (Rosenblatt 1958).

    Where the sign of a class is wrong, its weights move by the input towards the right side; the
    loss is the one whose slope is that rule.
    """

    def loss(self, logits: torch.Tensor, label: torch.Tensor, *_: Any) -> torch.Tensor:
        """How far outputs are on the wrong side of 0, summed over classes."""
        side = 2 * F.one_hot(label, logits.shape[1]).float() - 1
        return F.relu(-side * logits).sum(1).mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Plain steps of `learning_rate`."""
        return torch.optim.SGD(self.network.parameters(), lr=self.params.learning_rate)


class Regressor(Learner):
    """Brings predictions near numbers: squared error, in units of the target's variance."""

    network: TabularNetwork

    def training_step(self, batch: dict[str, torch.Tensor], _: int) -> torch.Tensor:
        """Loss of one batch."""
        return self._score(batch)

    def validation_step(self, batch: dict[str, torch.Tensor], _: int) -> None:
        """Loss of one batch."""
        self._score(batch)

    def _score(self, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        errors = self.network(batch["inputs"]).float() - batch["target"]
        squares = (errors / self.network.target_deviation).square()
        self.add(len(squares), squares.detach().sum())
        return squares.mean()

    def metrics(self, means: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The loss, and the root mean squared error in units of the target."""
        return {**means, "rmse": means["loss"].sqrt() * self.network.target_deviation}


def learner(network: TabularNetwork, params: "Params", dataset: Dataset) -> Learner:
    """Wrap the network, with what its front end must know of the rows learned from."""
    rows = dataset.rows(*params.train.splits)
    measure(network.front, dataset.array("features"), rows)
    if not network.classes:
        target = dataset.columns("target")["target"][rows].astype("float64")
        network.target_mean.fill_(float(target.mean()))
        network.target_deviation.fill_(float(target.std()) or 1.0)
        return Regressor(network, params.train)
    if params.model.kind == "perceptron":
        return PerceptronClassifier(network, params.train)
    kind = SquaredErrorClassifier if params.model.loss == "squared_error" else Classifier
    return kind(network, params.train)


def measure(front: FrontEnd, features: np.ndarray, rows: np.ndarray) -> None:
    """Give the front end mean and standard deviation of the numbers in some rows."""
    numbers = front.numbers.numpy()
    if not len(numbers):
        return
    scaler = StandardScaler()
    for start in range(0, len(rows), CHUNK):
        scaler.partial_fit(features[rows[start : start + CHUNK]][:, numbers].astype(np.float64))
    front.mean.copy_(torch.from_numpy(np.nan_to_num(scaler.mean_)))
    front.deviation.copy_(torch.from_numpy(np.nan_to_num(scaler.scale_, nan=1.0)))


def source(dataset: Dataset, splits: tuple[str, ...], params: "Params") -> Rows:
    """A batch is `inputs`, float32 (batch, columns), and `label` or `target`, (batch,)."""
    if dataset.info["task"] == "classification":
        return labelled_rows(dataset, "features", splits)
    arrays = {"inputs": dataset.array("features"), **dataset.columns("target")}
    return Rows(arrays, dataset.rows(*splits))
