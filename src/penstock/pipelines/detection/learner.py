"""How the detector is trained."""

import copy
from typing import TYPE_CHECKING, Any

import torch

from ...learning.learner import Learner, make_optimizer, make_schedule
from ...learning.sources import Batch
from .augmentation import Augmentation
from .loss import detection_loss, places_of
from .network import FCOS
from .targets import Targets, targets_of

if TYPE_CHECKING:
    from .params import Train


class DetectionLearner(Learner):
    """Trains a copy of the network, whose weights the network follows: their moving average.

    A batch has `inputs`, uint8 images, shape (batch, height, width, 3); `inside`, width and height
    of each in its letterbox; and ragged `boxes`, `labels` and `crowd`, with `lengths`.
    """

    METRICS = ("loss", "class_loss", "box_loss")
    network: FCOS
    params: "Train"

    def __init__(self, network: FCOS, params: "Train", augment: Augmentation) -> None:
        """Take over the network, measured on the training images."""
        trained = copy.deepcopy(network)  # of which parts may be frozen
        super().__init__(network.requires_grad_(False), params)
        self.trained = trained
        self.augment = augment

    def configure_optimizers(self) -> Any:
        """An optimiser and its schedule for what is trained."""
        optimizer = make_optimizer(self.trained, self.params)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = make_schedule(optimizer, self.params, steps)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def training_step(self, batch: Batch, number: int) -> torch.Tensor:
        """Loss of one batch, changed anew."""
        images, targets = self.augment(batch["inputs"], targets_of(batch), batch["inside"])
        return self._score(self.trained, images, targets)

    def validation_step(self, batch: Batch, number: int) -> None:
        """Loss of one batch by the average, without augmentation."""
        self._score(self.network, batch["inputs"], targets_of(batch).trimmed())

    def _score(self, network: FCOS, images: torch.Tensor, targets: Targets) -> torch.Tensor:
        logits, boxes = network(images)
        around = places_of(images, network.stride)
        of_class, of_box = detection_loss(logits, boxes, targets, around, self.params.focus)
        loss, count = of_class + of_box, len(images)
        self.add(count, *(it.detach() * count for it in (loss, of_class, of_box)))
        return loss

    @torch.no_grad()
    def on_train_batch_end(self, *_: Any) -> None:
        """Let the average follow the trained weights, faster at first."""
        steps = self.trainer.global_step
        kept = min(self.params.average, (1 + steps) / (10 + steps))
        ours, theirs = (
            [it for it in network.state_dict().values() if it.is_floating_point()]
            for network in (self.network, self.trained)
        )
        torch._foreach_lerp_(ours, theirs, 1 - kept)  # one call for all of them
