"""How two networks are trained against each other."""

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch.nn import functional as F

from ...learning.learner import Learner, make_optimizer, make_schedule
from ...learning.sources import Batch
from .drawing import draw, shown_labels
from .frechet import frechet_distance
from .measures import diversity, rarest_class
from .network import Adversarial
from .pixels import scale
from .ruler import ruler_of
from .sheets import keep_sheet

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset
    from .params import Params, Train

R1_EVERY = 16  # steps (Karras et al. 2020)
MOST_DRAWN = 1000  # pictures that an epoch is measured by


class AdversarialLearner(Learner):
    """Each step trains the discriminator, then the generator; an epoch ends with a measurement.

    Nothing in the losses says when to stop: the Frechet distance on validation does.
    """

    METRICS = ("discriminator_loss", "generator_loss")
    MONITOR = "val/frechet_distance"
    network: Adversarial
    params: "Train"

    def __init__(
        self,
        network: Adversarial,
        params: "Params",
        dataset: "Dataset",
        validation: np.ndarray,
    ) -> None:
        """Take over the network; it is measured beside the images of some rows of the dataset."""
        super().__init__(network, params.train)
        self.automatic_optimization = False
        self.classes = len(dataset.info["classes"])
        self.measure = ruler_of(dataset).measure  # no part of the learner: nothing trains it
        self.real = self.measure(dataset.array("images")[validation])

    def configure_optimizers(self) -> Any:
        """An optimiser and a schedule for each network."""
        parts = self.network.discriminator, self.network.generator
        optimizers = [make_optimizer(it, self.params) for it in parts]
        steps = int(self.trainer.estimated_stepping_batches)
        return optimizers, [make_schedule(it, self.params, steps) for it in optimizers]

    def training_step(self, batch: Batch, number: int) -> None:
        """Train on one batch of real images and as many drawn ones."""
        real, labels = scale(batch["inputs"]) * 2 - 1, batch["label"].long()
        of_discriminator, of_generator = cast("list[Any]", self.optimizers())
        wanted = torch.randint(self.classes, labels.shape, device=labels.device)
        with torch.no_grad():
            drawn = self.network.generator(self._noise(real), wanted)
        judged = self._judge(real, labels, drawn, wanted)
        self._step(of_discriminator, judged)
        self.network.discriminator.requires_grad_(False)
        again = self.network.generator(self._noise(real), wanted)
        loss = self._want_real(self.network.discriminator(again, wanted))
        self.network.discriminator.requires_grad_(True)
        self._step(of_generator, loss)
        for schedule in cast("list[Any]", self.lr_schedulers() or []):
            schedule.step()
        self._follow()
        self.add(len(real), judged.detach() * len(real), loss.detach() * len(real))

    @property
    def _steps(self) -> int:
        """How many steps of both networks are done; Lightning counts those of optimisers."""
        return self.trainer.global_step // 2

    def _noise(self, like: torch.Tensor) -> torch.Tensor:
        return torch.randn(len(like), self.network.latent, device=like.device)

    def _step(self, optimizer: Any, loss: torch.Tensor) -> None:
        optimizer.zero_grad()
        self.manual_backward(loss)
        if self.params.gradient_clip:
            self.clip_gradients(optimizer, self.params.gradient_clip, "norm")
        optimizer.step()

    def _judge(
        self, real: torch.Tensor, labels: torch.Tensor, drawn: torch.Tensor, wanted: torch.Tensor
    ) -> torch.Tensor:
        """Loss of the discriminator."""
        smooth = self.params.r1 > 0 and self._steps % R1_EVERY == 0
        real.requires_grad_(smooth)
        of_real = self.network.discriminator(real, labels)
        of_drawn = self.network.discriminator(drawn, wanted)
        if self.params.loss == "hinge":
            loss = F.relu(1 - of_real).mean() + F.relu(1 + of_drawn).mean()
        else:
            loss = F.softplus(-of_real).mean() + F.softplus(of_drawn).mean()
        if smooth:
            (gradient,) = torch.autograd.grad(of_real.sum(), real, create_graph=True)
            steepness = gradient.flatten(1).square().sum(1).mean()
            loss = loss + R1_EVERY * self.params.r1 / 2 * steepness
        return loss

    def _want_real(self, judged: torch.Tensor) -> torch.Tensor:
        """Loss of the generator: that its pictures do not look real."""
        if self.params.loss == "hinge":
            return -judged.mean()
        return F.softplus(-judged).mean()

    @torch.no_grad()
    def _follow(self) -> None:
        """Let the average follow the trained weights, faster at first."""
        kept = min(self.params.average, (1 + self._steps) / (10 + self._steps))
        average, trained = self.network.average, self.network.generator
        torch._foreach_lerp_(  # one call for all of them
            list(average.parameters()), list(trained.parameters()), 1 - kept
        )
        for ours, theirs in zip(average.buffers(), trained.buffers(), strict=True):
            ours.copy_(theirs)

    def validation_step(self, batch: Batch, number: int) -> None:
        """Nothing: the real images have been measured, and losses say nothing."""

    def on_validation_epoch_end(self) -> None:
        """Draw as many as there are real images, at most, and log how far they are from those."""
        real, of_real = self.real
        count = min(len(real), MOST_DRAWN)
        labels = shown_labels(count, self.network.classes)
        drawn, of_drawn = self.measure(draw(self.network, np.arange(count), labels))
        self.log_dict(
            {
                "val/frechet_distance": frechet_distance(drawn, real),
                "val/rarest_class": rarest_class(of_drawn, of_real),
                "val/diversity": diversity(drawn, real),
            }
        )

    def on_train_epoch_end(self) -> None:
        """Keep a sheet of what is drawn; log the losses where there is no validation."""
        super().on_train_epoch_end()
        self.picture = keep_sheet(self.network, self.current_epoch, self.trainer.max_epochs or 1)
