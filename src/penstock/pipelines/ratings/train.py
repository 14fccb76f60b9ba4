"""How recommenders are trained: by gradient descent, or by drawing samples."""

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from ...datasets.dataset import Dataset
from ...learning.learner import Learner
from ...learning.sources import Rows
from ...learning.training import plan_epochs
from .gibbs import Evidence, draw_precision, draw_prior

if TYPE_CHECKING:
    from .network import BayesianFactorization, Recommender
    from .params import Bayesian, Params, Train

Batch = dict[str, torch.Tensor]


class RatingLearner(Learner):
    """Trains a recommender by its loss; reports the mean squared error and its root."""

    network: "Recommender"

    def training_step(self, batch: Batch, _: int) -> torch.Tensor:
        """Loss of one batch."""
        loss, errors = self.network.loss(  # type: ignore[operator]
            batch["user"], batch["item"], batch["rating"]
        )
        self.add(len(errors), errors.detach().square().sum())
        return loss

    def validation_step(self, batch: Batch, _: int) -> None:
        """Errors of one batch, of ratings held to the scale."""
        errors = batch["rating"] - self.network.forward(batch["user"], batch["item"])
        self.add(len(errors), errors.square().sum())

    def metrics(self, means: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Mean squared error and its root."""
        return {**means, "rmse": means["loss"].sqrt()}


class GibbsLearner(RatingLearner):
    """Draws users given items and items given users, once an epoch, and keeps some of the draws.

    An epoch's batches are kept until its end: users are drawn first, and items given those.
    """

    DROP_LAST = False
    RESUMES = False  # its chain is drawn anew
    network: "BayesianFactorization"

    def __init__(
        self, network: "BayesianFactorization", train: "Train", model: "Bayesian", sweeps: int
    ) -> None:
        super().__init__(network, train)
        self.automatic_optimization = False
        self.keep_at = keep_at(sweeps, model.burn_in, model.samples)
        self.precision = torch.tensor(1.0)
        width = network.width + 1
        self.vectors = {
            "user": torch.randn(network.users + 1, width) * 0.1,
            "item": torch.randn(network.items + 1, width) * 0.1,
        }
        self.batches: list[Batch] = []

    def configure_optimizers(self) -> None:
        """None: nothing is descended."""

    def on_train_start(self) -> None:
        """Bring the first draws to where the network is."""
        self.vectors = {side: it.to(self.device) for side, it in self.vectors.items()}

    def training_step(self, batch: Batch, number: int) -> None:  # type: ignore[override]
        """Keep a batch; with the last one, draw."""
        self.batches.append(batch)
        if number + 1 == self.trainer.num_training_batches:
            self._sweep()

    def validation_step(self, batch: Batch, _: int) -> None:
        """Errors of what is kept or, before anything is, of the latest draw."""
        if self.network.kept:
            super().validation_step(batch, _)
            return
        users, items = self.vectors["user"][batch["user"]], self.vectors["item"][batch["item"]]
        product = (users[:, :-1] * items[:, :-1]).sum(1)
        errors = batch["rating"] - self.network.mean - product - users[:, -1] - items[:, -1]
        self.add(len(errors), errors.square().sum())

    def _sweep(self) -> None:
        """Draw users, then items, then how far ratings are from either."""
        for side, other in (("user", "item"), ("item", "user")):
            evidence = self._gather(side, other)
            prior = draw_prior(self.vectors[side][evidence.rated])
            self.vectors[side] = evidence.draw(prior, self.precision.to(self.device))
        misfit = evidence.misfit(self.vectors["item"])
        self.add(evidence.ratings, misfit.float())
        self.precision = draw_precision(misfit, evidence.ratings)
        self.batches = []
        if self.current_epoch + 1 in self.keep_at:
            self.network.keep(self.vectors["user"], self.vectors["item"])

    def _gather(self, side: str, other: str) -> Evidence:
        """What all batches say of one side, given the other: bias is a factor that meets a 1."""
        vectors = self.vectors[other]
        evidence = Evidence(len(self.vectors[side]), vectors.shape[1], vectors.device)
        for batch in self.batches:
            partner = vectors[batch[other]]
            target = batch["rating"] - self.network.mean - partner[:, -1]
            design = partner.clone()
            design[:, -1] = 1
            evidence.add(batch[side], design, target)
        return evidence


def keep_at(sweeps: int, burn_in: float, samples: int) -> set[int]:
    """After which sweeps a draw is kept: at even distances once the chain has settled."""
    first = min(sweeps, int(sweeps * burn_in) + 1)
    return set(np.linspace(first, sweeps, min(samples, sweeps - first + 1)).astype(int).tolist())


def learner(network: "Recommender", params: "Params", dataset: Dataset) -> RatingLearner:
    """Wrap the recommender, which counts and keeps what it must know of the dataset first."""
    rows = dataset.rows(*params.train.splits)
    network.measure(dataset, rows)
    if params.model.kind == "bpmf":
        sweeps, _ = plan_epochs(len(rows), params.train)
        return GibbsLearner(cast(Any, network), params.train, params.model, sweeps)
    return RatingLearner(network, params.train)


def source(dataset: Dataset, splits: tuple[str, ...], params: "Params") -> Rows:
    """A batch is `user` and `item`, int32 indices, and `rating`, float32, all (batch,)."""
    return Rows(dataset.columns("user", "item", "rating"), dataset.rows(*splits))
