"""Training by Lightning: from a learner and arrays to a trained network and its curves."""

import logging
import math
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from pytorch_lightning import Callback, LightningModule, Trainer, seed_everything
from pytorch_lightning.callbacks import Checkpoint, EarlyStopping, ModelCheckpoint

from .checkpoints import LastCheckpoint
from .device import choose_device, keep_freed_memory, set_threads
from .loading import IndexBatches, batches, choose_loading
from .progress import Epoch, Progress

if TYPE_CHECKING:
    from ..settings.sections import TrainParams


@dataclass(frozen=True)
class Training:
    """What a training was.

    Attributes:
        history: per epoch: epoch, step, train/loss, val/loss, ...
        epochs: epochs trained; fewer than planned when it stopped early.
        steps: batches trained on.
        seconds: wall time of the epochs, loading and validation included.
        examples_per_second: training examples over that time.
        device: where it ran.
    """

    history: list[Epoch]
    epochs: int
    steps: int
    seconds: float
    examples_per_second: float
    device: str


def seed(params: "TrainParams") -> None:
    """Fix everything random, before the network's first weights are drawn, and how to compute."""
    logging.getLogger("lightning_fabric").setLevel(logging.ERROR)
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    seed_everything(params.seed, verbose=False)
    # Deterministic mode fills every new tensor with NaN to expose reads of what was never
    # written: time in each step, and no part of the result.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    set_threads(params.threads)
    keep_freed_memory()


def plan_epochs(examples: int, params: "TrainParams") -> tuple[int, int]:
    """Epochs and steps an epoch: max_epochs, or more where they come to fewer than min_steps."""
    steps = max(1, examples // min(params.batch_size, examples))
    return max(params.max_epochs, math.ceil(params.min_steps / steps)), steps


def fit(
    learner: LightningModule,
    arrays: Mapping[str, np.ndarray],
    train_rows: np.ndarray,
    validation_rows: np.ndarray,
    params: "TrainParams",
    checkpoints: Path,
    on_epoch: Callable[[Epoch], None],
    memory: int,
    device: torch.device | None = None,
) -> Training:
    """Train in place: the learner ends with the weights `train.keep` names, on the CPU.

    Args:
        learner: logs `val/loss` once an epoch.
        arrays: what a batch is made of; a row per example.
        train_rows: rows to learn from.
        validation_rows: rows to choose by.
        params: optimisation, hardware, length.
        checkpoints: a folder for unfinished work; a training that was broken off is taken up.
        on_epoch: is told the metrics of each epoch.
        memory: free bytes of main memory.
        device: where to train, which of several GPUs too; by `train.accelerator` if left out.
    """
    device = device or choose_device(params.accelerator)
    examples = len(train_rows) + len(validation_rows)
    loading, reason = choose_loading(arrays, examples, device, params.loading, memory)
    print(f"  {'held in memory' if loading == 'memory' else 'streamed from disk'}: {reason}")
    load = partial(batches, arrays, loading=loading, workers=params.workers, device=device)
    drop_last = getattr(learner, "DROP_LAST", True)
    train = load(train_rows, params.batch_size, seed=params.seed, drop_last=drop_last)
    validation = load(validation_rows, 8 * params.batch_size)
    epochs, _ = plan_epochs(len(train_rows), params)
    progress = Progress(epochs, epochs * len(train), on_epoch)
    best = ModelCheckpoint(checkpoints, monitor="val/loss", save_weights_only=True)
    callbacks: list[Callback] = [progress]
    if params.patience:
        callbacks.append(EarlyStopping("val/loss", patience=params.patience))
    if params.keep == "best":
        callbacks.append(best)
    last = LastCheckpoint(checkpoints, cast(IndexBatches, train.sampler))
    if getattr(learner, "RESUMES", True):
        callbacks.append(last)
    trainer = _make_trainer(params, device, epochs, callbacks)
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pytorch_lightning")  # workers, deprecations
        try:
            trainer.fit(learner, train, validation, ckpt_path=last.found(), weights_only=True)
        except SystemExit:  # Lightning's answer to Ctrl-C
            raise KeyboardInterrupt from None
    seconds = time.perf_counter() - started
    if params.keep == "best":
        state = torch.load(best.best_model_path, weights_only=True, map_location="cpu")
        learner.load_state_dict(state["state_dict"])
    learner.cpu()
    done = len(progress.history)
    batch_size = min(params.batch_size, len(train_rows))
    seen = len(train) * batch_size if drop_last else len(train_rows)
    return Training(
        history=progress.history,
        epochs=done,
        steps=done * len(train),
        seconds=seconds,
        examples_per_second=(done - progress.resumed) * seen / seconds,
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
    )


def _make_trainer(
    params: "TrainParams", device: torch.device, epochs: int, callbacks: list[Callback]
) -> Trainer:
    return Trainer(
        accelerator="gpu" if device.type == "cuda" else device.type,
        devices=1 if device.index is None else [device.index],
        precision=_precision(params, device),
        max_epochs=epochs,
        gradient_clip_val=params.gradient_clip,
        deterministic=True,
        callbacks=callbacks,
        enable_checkpointing=any(isinstance(it, Checkpoint) for it in callbacks),
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )


def _precision(params: "TrainParams", device: torch.device) -> Any:
    if params.precision != "auto":
        return params.precision
    if device.type != "cuda":
        return "32-true"
    with torch.cuda.device(device):
        bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    return "bf16-mixed" if bf16 else "32-true"
