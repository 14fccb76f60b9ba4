"""How the dual encoder is trained: the replies of a batch are wrong ones for each other."""

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

from ...learning.learner import Learner
from ...learning.sources import Batch
from .corpus import Corpus, draw_candidates
from .retrieval import Retrieval, fit_mixture, measure_matches

if TYPE_CHECKING:
    from .params import Train

HARD = -1e9  # in place of the score of what must not be chosen
DENSE = 0.1  # learning rate of the matrices, which every example moves, beside the features'


class RetrievalLearner(Learner):
    """Learns which reply of a batch follows a context, and which context a reply.

    Replies that say the same as the right one are left out, since they are right too. After each
    epoch the mixture with TF-IDF is fitted on the validation split; `val/loss` and `val/recall` are
    of the mixture, over fixed candidates.
    """

    METRICS = ("loss", "recall")
    network: Retrieval
    params: "Train"

    def __init__(self, network: Retrieval, params: "Train", validated: Corpus) -> None:
        super().__init__(network, params)
        self.validated = validated

    def training_step(self, batch: Batch, number: int) -> torch.Tensor:
        """Cross-entropy both ways."""
        scores = self.network(batch)
        said, size = batch["said"], len(scores)
        right = torch.arange(size, device=scores.device)
        same = (said[:, None] == said) & ~torch.eye(size, dtype=torch.bool, device=scores.device)
        scores = scores.masked_fill(same, HARD)
        loss = (F.cross_entropy(scores, right) + F.cross_entropy(scores.T, right)) / 2
        self.add(size, loss.detach() * size, (scores.argmax(1) == right).sum())
        return loss

    def validation_step(self, batch: Batch, number: int) -> None:
        """Fit the mixture on all of the split, in one step."""
        corpus = self.validated
        drawn = draw_candidates(len(corpus.replies))
        offered = corpus.replies[drawn]
        said = corpus.said[offered]
        right = said == said[:, :1]
        matches = measure_matches(self.network, corpus, offered)
        with torch.inference_mode(False):
            mixture = fit_mixture(matches, right)
        self.network.mixture.copy_(torch.from_numpy(mixture))
        scores = torch.from_numpy(matches @ mixture)
        likely = scores.log_softmax(1).masked_fill(torch.from_numpy(~right), -torch.inf)
        best = torch.from_numpy(right)[torch.arange(len(scores)), scores.argmax(1)]
        self.add(len(scores), -likely.logsumexp(1).sum(), best.sum())

    def build_optimizer(self) -> torch.optim.Optimizer:
        """As `train.optimizer` says, or AdaGrad: rare features then learn as fast as usual ones.

        Adam learned the training split by heart here (docs/dialogue.md).
        """
        if self.params.optimizer != "adagrad":
            return super().build_optimizer()
        rate, features = self.params.learning_rate, self.network.features.weight
        dense = [it for it in self.network.parameters() if it is not features]
        return torch.optim.Adagrad(
            [{"params": [features], "lr": rate}, {"params": dense, "lr": rate * DENSE}]
        )
