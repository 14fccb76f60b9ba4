"""Where a training stands, on disk: one that was killed or interrupted goes on from there."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning import LightningModule, Trainer
from pytorch_lightning.callbacks import Checkpoint

from .loading import IndexBatches

EVERY = 60.0  # seconds between checkpoints: shorter trainings leave none
LAST = "last.ckpt"


class LastCheckpoint(Checkpoint):
    """Writes all that a training needs to go on with the same bits, at the end of an epoch.

    A Checkpoint to Lightning, so that its turn comes when the other callbacks have had theirs. Not
    a ModelCheckpoint: that one knows no random generators, and by time saves between two batches.
    """

    def __init__(self, folder: Path, sampler: IndexBatches) -> None:
        """Set the folder, and what orders the batches of an epoch."""
        self.file = folder / LAST
        self.sampler = sampler
        self._written = time.monotonic()
        self._random: dict[str, Any] | None = None

    def found(self) -> Path | None:
        """The checkpoint to go on from, if there is one."""
        return self.file if self.file.is_file() else None

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write, if it is time; the file gets its name when it is whole."""
        if time.monotonic() - self._written < EVERY:
            return
        partial = self.file.with_suffix(".partial")
        trainer.save_checkpoint(partial, weights_only=False)
        partial.replace(self.file)
        self._written = time.monotonic()

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """In the first epoch after a checkpoint, draw at random what would have come next."""
        if self._random:
            torch.set_rng_state(self._random["cpu"])
            if torch.cuda.is_available():
                torch.cuda.set_rng_state(self._random["cuda"])
            self._random = None

    def state_dict(self) -> dict[str, Any]:
        """The state of the random generators, and which epoch comes next."""
        # Of the GPU in use only: the training may go on with another one of several.
        cuda = torch.cuda.get_rng_state() if torch.cuda.is_available() else None
        return {"cpu": torch.get_rng_state(), "cuda": cuda, "epoch": self.sampler.epoch + 1}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take them over; Lightning calls this, and has workers fetch before it sets the epoch."""
        self._random = state_dict
        self.sampler.set_epoch(state_dict["epoch"])


@contextmanager
def unfinished(folder: Path, digest: str) -> Iterator[Path]:
    """Give a folder for the checkpoints of a training.

    It stays when the training is killed or interrupted, for the next one of the same digest; any
    other training removes it, and so does the end.

    Args:
        folder: of the pipeline, for unfinished work.
        digest: of all that the result depends on.
    """
    own = folder / digest
    for left in folder.glob("*"):
        if left != own or not (own / LAST).is_file():
            shutil.rmtree(left)
    try:
        yield own
    except KeyboardInterrupt:
        if not (own / LAST).is_file():  # nothing to go on from
            shutil.rmtree(folder, ignore_errors=True)
        raise
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    shutil.rmtree(folder, ignore_errors=True)
