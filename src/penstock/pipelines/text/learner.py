"""How language models are trained: by the token that follows."""

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from ...learning.learner import Learner
from ...learning.sources import Batch
from .cells import State, detach
from .network import Network
from .recurrent import Recurrent
from .scoring import predict_batch

if TYPE_CHECKING:
    from .params import Train


class LanguageModel(Learner):
    """Learns to predict each token from those before it; the loss is in nats a token."""

    METRICS = ("loss",)
    network: Network
    params: "Train"

    def __init__(self, network: Network, params: "Train") -> None:
        super().__init__(network, params)
        self.state: State | None = None

    def on_train_epoch_start(self) -> None:
        """Read the stream from another place, with nothing read before."""
        super().on_train_epoch_start()
        self.state = None

    def training_step(self, batch: Batch, number: int) -> torch.Tensor:
        """Loss of windows that go on where those of the batch before ended."""
        tokens = batch["tokens"]
        logits, state = self.network(tokens[:, :-1], self.state)
        if isinstance(self.network, Recurrent) and self.params.carry:
            self.state = detach(state)
        loss = F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        self.add(len(tokens), loss.detach() * len(tokens))
        return loss

    def validation_step(self, batch: Batch, number: int) -> None:
        """Loss of windows of blocks, each after some of what stands before it."""
        logits, expected, counted = predict_batch(self.network, batch)
        nats = F.cross_entropy(logits.transpose(1, 2), expected, reduction="none")
        self.add(int(counted.sum()), (nats * counted).sum())
