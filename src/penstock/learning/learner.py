"""What every learner has: sums of what it measures, an optimiser, a schedule."""

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from pytorch_lightning import LightningModule
from torch import nn

if TYPE_CHECKING:
    from ..settings.sections import GradientParams, TrainParams


class Learner(LightningModule):
    """Trains a network; a kind of it adds the steps.

    Metrics are summed on the device and logged once an epoch: per-step logging costs more than a
    small network's step.

    One that does without gradient descent by one optimiser (two networks that work against each
    other, a table, draws) sets `automatic_optimization` to False, and has a
    `configure_optimizers` of its own; it clips gradients itself.

    Attributes:
        METRICS: what is summed over examples, and logged as means.
        MONITOR: the metric that patience and the best weights go by, the lower the better; None
            if there is none.
        DROP_LAST: whether to leave out a last batch that is not full, in each epoch another.
        RESUMES: whether its weights and optimisers are all it needs to go on.
        picture: what a person should look at after an epoch, uint8, shape (height, width[, 3]).
    """

    METRICS: tuple[str, ...] = ("loss",)
    MONITOR: str | None = "val/loss"
    DROP_LAST = True
    RESUMES = True
    params: "TrainParams"
    picture: np.ndarray | None = None

    def __init__(self, network: nn.Module, params: "TrainParams") -> None:
        super().__init__()
        self.network = network
        self.params = params
        self.sums: list[torch.Tensor] = []

    def add(self, examples: int, *sums: torch.Tensor) -> None:
        """Add the sums of a batch's METRICS over its examples."""
        with torch.no_grad():
            self.sums.append(torch.stack([*sums, sums[0].new_tensor(examples)]))

    def metrics(self, means: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """What is logged, from the means over all examples."""
        return means

    def on_train_epoch_start(self) -> None:
        """Start the sums of training."""
        self.sums = []

    def on_validation_epoch_start(self) -> None:
        """Log training's sums, which validation would overwrite, and start its own."""
        self._log("train")

    def on_validation_epoch_end(self) -> None:
        """Log validation's sums."""
        self._log("val")

    def on_train_epoch_end(self) -> None:
        """Log training's sums where there is no validation."""
        self._log("train")

    def _log(self, stage: str) -> None:
        if self.sums:
            *totals, examples = torch.stack(self.sums).sum(0)
            means = {
                name: total / examples for name, total in zip(self.METRICS, totals, strict=True)
            }
            self.log_dict({f"{stage}/{name}": v for name, v in self.metrics(means).items()})
        self.sums = []

    def configure_gradient_clipping(
        self,
        optimizer: Any,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        """Clip the norm, also for fused optimisers in mixed precision, which Lightning refuses.

        It does so for their scaling of gradients, which bf16 goes without.
        """
        if gradient_clip_val:
            trained = [it for group in optimizer.param_groups for it in group["params"]]
            torch.nn.utils.clip_grad_norm_(trained, gradient_clip_val)

    def build_optimizer(self) -> torch.optim.Optimizer:
        """Build the optimiser; a pipeline may have one of its own."""
        return make_optimizer(self.network, cast("GradientParams", self.params))

    def configure_optimizers(self) -> Any:
        """Build the optimiser and its schedule as the parameters say."""
        params = cast("GradientParams", self.params)
        optimizer = self.build_optimizer()
        if params.schedule == "constant":
            return optimizer
        schedule = make_schedule(optimizer, params, int(self.trainer.estimated_stepping_batches))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def make_schedule(
    optimizer: torch.optim.Optimizer, params: "GradientParams", steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """Build the schedule that `train.schedule` names, over so many steps."""
    if params.schedule == "constant":
        return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
    return torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        max_lr=[group["lr"] for group in optimizer.param_groups],
        total_steps=steps,
        pct_start=params.warmup if params.warmup * steps > 1 else 0.0,  # over one step: 0 / 0
        cycle_momentum=False,
    )


def make_optimizer(network: nn.Module, params: "GradientParams") -> torch.optim.Optimizer:
    """Build the optimiser that `train.optimizer` names; fused, which computes the same, faster."""
    rate, decay = params.learning_rate, params.weight_decay
    if params.optimizer == "sgd":
        return torch.optim.SGD(
            network.parameters(), lr=rate, momentum=params.momentum, weight_decay=decay, fused=True
        )
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[params.optimizer]
    betas = (params.momentum, 0.999)
    return kind(network.parameters(), lr=rate, betas=betas, weight_decay=decay, fused=True)
