"""How two networks are trained against each other."""

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch.nn import functional as F

from ...learning.learner import Learner, make_optimizer, make_schedule
from ...learning.sources import Batch
from .measures import frechet_distance
from .network import Adversarial, as_images, scale
from .sheets import Sheets

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset
    from .params import Params

R1_EVERY = 16  # steps (Karras et al. 2020)
MOST_DRAWN = 2000  # pictures that an epoch is measured by
COLLAPSED = 0.1  # of a class's share among real images: drawn less often, it is all but lost


class AdversarialLearner(Learner):
    """Each step trains the discriminator, then the generator; an epoch ends with a measurement.

    Nothing in the losses says when to stop: the Frechet distance on validation does.
    """

    METRICS = ("discriminator_loss", "generator_loss")
    MONITOR = "val/frechet_distance"
    network: Adversarial

    def __init__(self, network: Adversarial, params: "Params", dataset: "Dataset") -> None:
        """Take over the network; measure by the dataset's ruler."""
        super().__init__(network, params.train)
        self.automatic_optimization = False
        self.settings = params.train
        self.sheets = Sheets(network, dataset)
        self.classes = len(dataset.info["classes"])
        self.steps = 0
        self.real: list[np.ndarray] = []  # features of the validation split
        self.shares = np.zeros(0)  # of the classes in it

    def configure_optimizers(self) -> Any:
        """An optimiser and a schedule for each network."""
        parts = self.network.discriminator, self.network.generator
        optimizers = [make_optimizer(it, self.settings) for it in parts]
        steps = int(self.trainer.estimated_stepping_batches)
        return optimizers, [make_schedule(it, self.settings, steps) for it in optimizers]

    def training_step(self, batch: Batch, number: int) -> None:
        """Train on one batch of real images and as many drawn ones."""
        real, labels = scale(batch["inputs"]) * 2 - 1, batch["label"].long()
        judge, draw = cast("list[Any]", self.optimizers())
        wanted = torch.randint(self.classes, labels.shape, device=labels.device)
        with torch.no_grad():
            drawn = self.network.generator(self._noise(real), wanted)
        judged = self._judge(real, labels, drawn, wanted)
        self._step(judge, judged)
        self.network.discriminator.requires_grad_(False)
        again = self.network.generator(self._noise(real), wanted)
        loss = self._want_real(self.network.discriminator(again, wanted))
        self.network.discriminator.requires_grad_(True)
        self._step(draw, loss)
        for schedule in cast("list[Any]", self.lr_schedulers() or []):
            schedule.step()
        self._follow()
        self.add(len(real), judged.detach() * len(real), loss.detach() * len(real))

    def _noise(self, like: torch.Tensor) -> torch.Tensor:
        return torch.randn(len(like), self.network.latent, device=like.device)

    def _step(self, optimizer: Any, loss: torch.Tensor) -> None:
        optimizer.zero_grad()
        self.manual_backward(loss)
        if self.settings.gradient_clip:
            self.clip_gradients(optimizer, self.settings.gradient_clip, "norm")
        optimizer.step()

    def _judge(
        self, real: torch.Tensor, labels: torch.Tensor, drawn: torch.Tensor, wanted: torch.Tensor
    ) -> torch.Tensor:
        """Loss of the discriminator."""
        smooth = self.settings.r1 > 0 and self.steps % R1_EVERY == 0
        real.requires_grad_(smooth)
        of_real = self.network.discriminator(real, labels)
        of_drawn = self.network.discriminator(drawn, wanted)
        if self.settings.loss == "hinge":
            loss = F.relu(1 - of_real).mean() + F.relu(1 + of_drawn).mean()
        else:
            loss = F.softplus(-of_real).mean() + F.softplus(of_drawn).mean()
        if smooth:
            (gradient,) = torch.autograd.grad(of_real.sum(), real, create_graph=True)
            steepness = gradient.flatten(1).square().sum(1).mean()
            loss = loss + R1_EVERY * self.settings.r1 / 2 * steepness
        return loss

    def _want_real(self, judged: torch.Tensor) -> torch.Tensor:
        """Loss of the generator: that its pictures do not look real."""
        if self.settings.loss == "hinge":
            return -judged.mean()
        return F.softplus(-judged).mean()

    @torch.no_grad()
    def _follow(self) -> None:
        """Let the average follow the trained weights, faster at first."""
        self.steps += 1
        kept = min(self.settings.average, (1 + self.steps) / (10 + self.steps))
        if not self.settings.average:
            kept = 0.0
        average, trained = self.network.average, self.network.generator
        torch._foreach_lerp_(  # one call for all of them
            list(average.parameters()), list(trained.parameters()), 1 - kept
        )
        for ours, theirs in zip(average.buffers(), trained.buffers(), strict=True):
            ours.copy_(theirs)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Steps so far: what a training that is taken up goes on with."""
        checkpoint["adversarial_steps"] = self.steps

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take them over."""
        self.steps = checkpoint["adversarial_steps"]

    def validation_step(self, batch: Batch, number: int) -> None:
        """Measure the real images, once."""
        if not len(self.shares):
            features, classes = self.sheets.ruler.measure(batch["inputs"].cpu().numpy())
            self.real.append(features)
            self.counts = getattr(self, "counts", 0) + np.bincount(classes, minlength=self.classes)

    def on_validation_epoch_end(self) -> None:
        """Draw as many, and log how far they are from the real ones, and the rarest class."""
        if not len(self.shares):
            self.shares = self.counts / self.counts.sum()
            self.real = [np.concatenate(self.real)]
        real = self.real[0]
        images = self._draw(min(len(real), MOST_DRAWN))
        features, classes = self.sheets.ruler.measure(images)
        drawn = np.bincount(classes, minlength=self.classes) / len(classes)
        present = self.shares > 0
        rarest = float((drawn[present] / self.shares[present]).min())
        spread = float(features.var(0).sum() / real.var(0).sum())
        self.log_dict(
            {
                "val/frechet_distance": frechet_distance(features, real),
                "val/rarest_class": rarest,
                "val/diversity": spread,
            }
        )

    @torch.no_grad()
    def _draw(self, count: int) -> np.ndarray:
        """Draw from the same numbers each time; nothing random moves on."""
        was = self.network.training
        self.network.eval()
        device = next(self.network.parameters()).device
        generator = torch.Generator().manual_seed(0)
        noise = torch.randn(count, self.network.latent, generator=generator)
        labels = torch.arange(count) % self.classes
        parts = [
            as_images(self.network.draw(a.to(device), b.to(device))).cpu().numpy()
            for a, b in zip(noise.split(500), labels.split(500), strict=True)
        ]
        self.network.train(was)
        return np.concatenate(parts)

    def on_train_epoch_end(self) -> None:
        """Keep a sheet of what is drawn; log the losses where there is no validation."""
        super().on_train_epoch_end()
        self.picture = self.sheets.keep(self.current_epoch, self.trainer.max_epochs or 1)
