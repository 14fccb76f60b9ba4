"""Supervised classification: the default learner."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F

from .learner import Learner

if TYPE_CHECKING:
    from ..settings.sections import ClassifierParams


class Classifier(Learner):
    """Trains a network to name the class of an input by cross-entropy.

    A batch has `inputs` and `label`, shape (batch,).
    """

    METRICS = ("loss", "accuracy")
    params: "ClassifierParams"
    class_weights: torch.Tensor | None

    def __init__(
        self,
        network: nn.Module,
        params: "ClassifierParams",
        augment: Callable[[torch.Tensor], torch.Tensor] | None = None,
        class_weights: Sequence[float] | None = None,
    ) -> None:
        """Wrap a network; `class_weights` weigh each class's examples in the training loss."""
        super().__init__(network, params)
        self.augment = augment
        weights = None if class_weights is None else torch.tensor(class_weights)
        self.register_buffer("class_weights", weights, persistent=False)

    def training_step(self, batch: dict[str, torch.Tensor], _: int) -> torch.Tensor:
        """Loss of one batch, label smoothing included."""
        logits = self.augmented_logits(batch["inputs"])
        smoothing, weights = self.params.label_smoothing, self.class_weights
        return self._score(logits, batch["label"], smoothing, weights)

    def augmented_logits(self, inputs: torch.Tensor) -> torch.Tensor:
        """Logits of inputs that are changed anew at each step."""
        logits: torch.Tensor = self.network(self.augment(inputs) if self.augment else inputs)
        return logits

    def validation_step(self, batch: dict[str, torch.Tensor], _: int) -> None:
        """Loss and accuracy of one batch, without smoothing or augmentation."""
        self._score(self.network(batch["inputs"]), batch["label"])

    def _score(
        self,
        logits: torch.Tensor,
        label: torch.Tensor,
        smoothing: float = 0.0,
        weights: torch.Tensor | None = None,
    ) -> torch.Tensor:
        logits, label = logits.float(), label.long()
        loss = self.loss(logits, label, smoothing, weights)
        correct = (logits.detach().argmax(1) == label).sum()
        self.add(len(label), loss.detach() * len(label), correct)
        return loss

    def loss(
        self,
        logits: torch.Tensor,
        label: torch.Tensor,
        smoothing: float,
        weights: torch.Tensor | None,
    ) -> torch.Tensor:
        """Mean loss of a batch: cross-entropy."""
        return F.cross_entropy(logits, label, weights, label_smoothing=smoothing)
