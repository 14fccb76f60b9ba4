"""How writers are trained: by the next token of the reply."""

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from ...learning.learner import Learner
from ...learning.sources import Batch
from .writers import Writer

if TYPE_CHECKING:
    from .params import Train


class WritingLearner(Learner):
    """Learns to predict each token of a reply; the loss is in nats a token."""

    METRICS = ("loss",)
    network: Writer

    def __init__(self, network: Writer, params: "Train") -> None:
        super().__init__(network, params)

    def training_step(self, batch: Batch, number: int) -> torch.Tensor:
        """Mean loss of the tokens of all replies."""
        tokens, nats = self._nats(batch)
        self.add(tokens, nats.detach())
        return nats / tokens

    def validation_step(self, batch: Batch, number: int) -> None:
        """Likewise."""
        self.add(*self._nats(batch))

    def _nats(self, batch: Batch) -> tuple[int, torch.Tensor]:
        """How many tokens the replies have, and what they cost."""
        logits, expected, counted = self.network(batch)
        return int(counted.sum()), F.cross_entropy(
            logits[counted], expected[counted], reduction="sum"
        )
