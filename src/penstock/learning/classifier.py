"""Supervised classification: the default learner."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from pytorch_lightning import LightningModule
from torch import nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from ..params import TrainParams


class Classifier(LightningModule):
    """Trains a network to name the class of an input by cross-entropy.

    A batch has `inputs` and `label`, shape (batch,). Loss and accuracy are summed on the device
    and logged once an epoch: per-step logging costs more than a small network's step.
    """

    class_weights: torch.Tensor | None

    def __init__(
        self,
        network: nn.Module,
        params: "TrainParams",
        augment: Callable[[torch.Tensor], torch.Tensor] | None = None,
        class_weights: Sequence[float] | None = None,
    ) -> None:
        """Wrap a network; `class_weights` weigh each class's examples in the training loss."""
        super().__init__()
        self.network = network
        self.params = params
        self.augment = augment
        weights = None if class_weights is None else torch.tensor(class_weights)
        self.register_buffer("class_weights", weights, persistent=False)
        self.sums: list[torch.Tensor] = []

    def training_step(self, batch: dict[str, torch.Tensor], _: int) -> torch.Tensor:
        """Loss of one batch, label smoothing included."""
        inputs = self.augment(batch["inputs"]) if self.augment else batch["inputs"]
        smoothing, weights = self.params.label_smoothing, self.class_weights
        return self._score(inputs, batch["label"], smoothing, weights)

    def validation_step(self, batch: dict[str, torch.Tensor], _: int) -> None:
        """Loss and accuracy of one batch, without smoothing or augmentation."""
        self._score(batch["inputs"], batch["label"])

    def _score(
        self,
        inputs: torch.Tensor,
        label: torch.Tensor,
        smoothing: float = 0.0,
        weights: torch.Tensor | None = None,
    ) -> torch.Tensor:
        logits = self.network(inputs).float()
        label = label.long()
        loss = F.cross_entropy(logits, label, weights, label_smoothing=smoothing)
        with torch.no_grad():
            correct = (logits.argmax(1) == label).sum()
            self.sums.append(
                torch.stack([loss * len(label), correct, correct.new_tensor(len(label))])
            )
        return loss

    def on_train_epoch_start(self) -> None:
        """Start the sums of training."""
        self.sums = []

    def on_validation_epoch_start(self) -> None:
        """Log training's sums, which validation would overwrite, and start its own."""
        self._log("train")

    def on_validation_epoch_end(self) -> None:
        """Log validation's sums."""
        self._log("val")

    def _log(self, stage: str) -> None:
        if self.sums:
            loss, correct, examples = torch.stack(self.sums).sum(0)
            self.log_dict(
                {f"{stage}/loss": loss / examples, f"{stage}/accuracy": correct / examples}
            )
        self.sums = []

    def configure_optimizers(self) -> Any:
        """Build the optimiser and its schedule as the parameters say."""
        params = self.params
        optimizer = make_optimizer(self.network, params)
        if params.schedule == "constant":
            return optimizer
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=params.learning_rate,
            total_steps=int(self.trainer.estimated_stepping_batches),
            pct_start=params.warmup,
            cycle_momentum=False,
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def make_optimizer(network: nn.Module, params: "TrainParams") -> torch.optim.Optimizer:
    """Build the optimiser that `train.optimizer` names; fused, which computes the same, faster."""
    rate, decay = params.learning_rate, params.weight_decay
    if params.optimizer == "sgd":
        return torch.optim.SGD(
            network.parameters(), lr=rate, momentum=params.momentum, weight_decay=decay, fused=True
        )
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[params.optimizer]
    betas = (params.momentum, 0.999)
    return kind(network.parameters(), lr=rate, betas=betas, weight_decay=decay, fused=True)
