"""What is seen of a training: a bar on a terminal, plain lines in a log, the epochs on record."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint
from tqdm import tqdm

if TYPE_CHECKING:
    from .learner import Learner

LINES = 10  # at most about this many in a log, however many epochs

Epoch = dict[str, float]
OnEpoch = Callable[[Epoch, np.ndarray | None], None]  # metrics, and a picture to look at


class Progress(Checkpoint):
    """Shows a training, keeps the metrics of each epoch, and tells them to who tracks the run.

    One callback for all three: Lightning calls six hooks a step on each callback there is. A
    Checkpoint to Lightning, so that an epoch's metrics are all there when its turn comes.
    """

    def __init__(self, epochs: int, steps: int, on_epoch: OnEpoch) -> None:
        self.epochs = epochs
        self.steps = steps // epochs
        self.on_epoch = on_epoch
        self.history: list[Epoch] = []
        self.resumed = 0  # epochs that an earlier process trained
        self.bar = tqdm(total=steps, unit="step", disable=not sys.stderr.isatty(), leave=False)
        self.every = max(1, epochs // LINES)

    def on_train_batch_end(self, *_: Any) -> None:
        """Advance the bar."""
        if not self.bar.disable:
            self.bar.update()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record, tell and show an epoch."""
        number = trainer.current_epoch + 1
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        epoch: Epoch = {"epoch": number, "step": number * self.steps, **metrics}
        self.history.append(epoch)
        self.on_epoch(epoch, cast("Learner", pl_module).picture)
        shown = {name: f"{value:.4f}" for name, value in metrics.items()}
        if not self.bar.disable:
            self.bar.set_postfix({"epoch": f"{number}/{self.epochs}", **shown})
        elif number % self.every == 0 or number == self.epochs:
            text = "  ".join(f"{name} {value}" for name, value in shown.items())
            print(f"  epoch {number}/{self.epochs}  {text}", flush=True)

    def state_dict(self) -> dict[str, Any]:
        """The epochs so far, for a checkpoint."""
        return {"history": self.history}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on after the epochs of a checkpoint, and say so."""
        self.history = state_dict["history"]
        self.resumed = len(self.history)
        self.bar.update(self.resumed * self.steps)
        print(f"  goes on after epoch {self.resumed}/{self.epochs}, where it was broken off")

    def teardown(self, *_: Any, **__: Any) -> None:
        """Close the bar, also after an error."""
        self.bar.close()
