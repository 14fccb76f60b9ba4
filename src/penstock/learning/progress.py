"""What a person sees of a training: a bar on a terminal, plain lines in a log."""

import sys
from collections.abc import Callable
from typing import Any

from pytorch_lightning import Callback, LightningModule, Trainer
from tqdm import tqdm

LINES = 10  # at most about this many in a log, however many epochs

Epoch = dict[str, float]


class EpochRecorder(Callback):
    """Keeps the metrics of each epoch and tells them to whoever tracks the run."""

    def __init__(self, on_epoch: Callable[[Epoch], None]) -> None:
        self.history: list[Epoch] = []
        self.on_epoch = on_epoch

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record an epoch when its validation is done."""
        epoch: Epoch = {"epoch": trainer.current_epoch + 1, "step": trainer.global_step}
        epoch |= {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.history.append(epoch)
        self.on_epoch(epoch)


class Progress(Callback):
    """One bar over all steps on a terminal; otherwise a line for every tenth of the epochs."""

    def __init__(self, epochs: int, steps: int) -> None:
        self.epochs = epochs
        self.bar = tqdm(total=steps, unit="step", disable=not sys.stderr.isatty(), leave=False)
        self.every = max(1, epochs // LINES)

    def on_train_batch_end(self, *_: Any) -> None:
        """Advance the bar."""
        if not self.bar.disable:
            self.bar.update()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show the epoch's metrics."""
        epoch = trainer.current_epoch + 1
        shown = {name: f"{float(value):.4f}" for name, value in trainer.callback_metrics.items()}
        if not self.bar.disable:
            self.bar.set_postfix({"epoch": f"{epoch}/{self.epochs}", **shown})
        elif epoch % self.every == 0 or epoch == self.epochs:
            text = "  ".join(f"{name} {value}" for name, value in shown.items())
            print(f"  epoch {epoch}/{self.epochs}  {text}", flush=True)

    def teardown(self, *_: Any, **__: Any) -> None:
        """Close the bar, also after an error."""
        self.bar.close()
