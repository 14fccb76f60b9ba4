"""From the values of a row to logits or a number: the front end, and layers on top of it."""

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ...messages.errors import PenstockError

if TYPE_CHECKING:
    from .params import Network, Perceptron

FURTHEST = 10.0  # standard deviations: a number further out counts as that far


class FrontEnd(nn.Module):
    """Standardises numbers, writes categories as one-hot, and says of each what is missing.

    A missing number becomes the mean; where the training rows lack some, one more input says so.
    Mean and standard deviation are measured where it is trained.
    """

    mean: torch.Tensor
    deviation: torch.Tensor
    numbers: torch.Tensor
    gaps: torch.Tensor

    def __init__(self, columns: dict[str, dict[str, Any]]) -> None:
        super().__init__()
        kinds = [it["type"] == "category" for it in columns.values()]
        sizes = [len(it["values"]) + 2 for it in columns.values()]  # others, and missing
        self.categories = [(place, sizes[place]) for place in np.flatnonzero(kinds)]
        numbers = np.flatnonzero(~np.array(kinds, bool))
        lacking = [place for place in numbers if list(columns.values())[place]["missing"] > 0]
        self.register_buffer("numbers", torch.from_numpy(numbers), persistent=False)
        self.register_buffer("gaps", torch.tensor(lacking, dtype=torch.int64), persistent=False)
        self.register_buffer("mean", torch.zeros(len(numbers)))
        self.register_buffer("deviation", torch.ones(len(numbers)))
        self.width = len(numbers) + len(lacking) + sum(size for _, size in self.categories)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Features, shape (batch, columns) -> what layers see, shape (batch, width)."""
        numbers = (features[:, self.numbers] - self.mean) / self.deviation
        parts = [torch.nan_to_num(numbers).clamp(-FURTHEST, FURTHEST)]
        parts.append(features[:, self.gaps].isnan().float())
        for place, size in self.categories:
            parts.append(F.one_hot(features[:, place].long(), size).float())
        return torch.cat(parts, 1)


class TabularNetwork(nn.Module):
    """The front end, and layers: logits for classes, or a number in the target's own units."""

    target_mean: torch.Tensor
    target_deviation: torch.Tensor

    def __init__(self, front: FrontEnd, layers: nn.Module, classes: int, squared: bool) -> None:
        super().__init__()
        self.front, self.layers = front, layers
        self.classes, self.squared = classes, squared
        self.register_buffer("target_mean", torch.tensor(0.0))
        self.register_buffer("target_deviation", torch.tensor(1.0))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """float32, shape (batch, columns) -> (batch, classes), or (batch,) for a number.

        With the squared error of sigmoid outputs their logarithms take the place of logits, so that
        a softmax shares out the outputs as they are.
        """
        outputs: torch.Tensor = self.layers(self.front(features))
        if self.classes:
            return F.logsigmoid(outputs) if self.squared else outputs
        return self.target_mean + self.target_deviation * outputs[:, 0]


def network(model: "Network | Perceptron", info: dict[str, Any]) -> TabularNetwork:
    """Build the network for a dataset's columns and classes.

    Raises:
        PenstockError: a perceptron is asked for numbers.
    """
    classes = len(info.get("classes", []))
    front = FrontEnd(info["columns"])
    if model.kind == "perceptron":
        if not classes:
            raise PenstockError(
                "params.yaml: pipelines.tabular.model.kind: perceptron: it tells classes apart, "
                f"and {info['target']} is a number; use mlp"
            )
        return TabularNetwork(front, nn.Linear(front.width, classes), classes, squared=False)
    units = [front.width, *model.hidden, classes or 1]
    layers = nn.Sequential(*_layers(units, model.activation, model.dropout))
    return TabularNetwork(front, layers, classes, model.loss == "squared_error")


def _layers(units: list[int], activation: str, dropout: float) -> Iterator[nn.Module]:
    for number, (inputs, outputs) in enumerate(pairwise(units)):
        if number:
            yield nn.ReLU() if activation == "relu" else nn.Sigmoid()
            yield nn.Dropout(dropout)
        yield nn.Linear(inputs, outputs)
