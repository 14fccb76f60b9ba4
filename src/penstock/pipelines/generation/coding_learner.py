"""How autoencoders are trained."""

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from ...learning.learner import Learner
from ...learning.sources import Batch
from .network import Coding, Variational
from .pixels import binary, scale
from .sheets import keep_sheet

if TYPE_CHECKING:
    from .params import Train


class CodingLearner(Learner):
    """Learns to make images again; from noisy ones, if it is to remove noise."""

    METRICS = ("loss",)
    network: Coding | Variational
    params: "Train"

    def training_step(self, batch: Batch, number: int) -> torch.Tensor:
        """Loss of one batch."""
        return self._score(batch["inputs"], self.params.noise)

    def validation_step(self, batch: Batch, number: int) -> None:
        """Loss of one batch, without noise."""
        self._score(batch["inputs"], 0.0)

    def _score(self, images: torch.Tensor, noise: float) -> torch.Tensor:
        pictures = scale(images)
        if isinstance(self.network, Variational):
            draws = torch.randn(len(pictures), self.network.latent, device=pictures.device)
            loss = self.network.bound(binary(pictures), draws).mean()
        else:
            seen = pictures
            if noise:
                seen = (pictures + noise * torch.randn_like(pictures)).clamp(0, 1)
            loss = F.binary_cross_entropy_with_logits(self.network(seen), pictures)
        self.add(len(images), loss.detach() * len(images))
        return loss

    def on_train_epoch_end(self) -> None:
        """Keep a sheet of what is drawn, if it can draw."""
        super().on_train_epoch_end()
        if isinstance(self.network, Variational):
            epochs = self.trainer.max_epochs or 1
            self.picture = keep_sheet(self.network, self.current_epoch, epochs)
