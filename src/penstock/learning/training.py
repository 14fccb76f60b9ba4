"""Training by Lightning: from a learner and sources to a trained network and its curves."""

import logging
import math
import time
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from pytorch_lightning import Callback, Trainer, seed_everything
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint

from ..messages.errors import PenstockError
from .checkpoints import LastCheckpoint
from .device import choose_device, keep_freed_memory, set_threads
from .learner import Learner
from .loading import IndexBatches, batches, choose_loading
from .progress import Epoch, OnEpoch, Progress
from .sources import Source, Stream

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
        tokens: of an example, where it is a window of a stream.
    """

    history: list[Epoch]
    epochs: int
    steps: int
    seconds: float
    examples_per_second: float
    device: str
    tokens: int | None = None


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
    learner: Learner,
    train: Source,
    validation: Source | None,
    params: "TrainParams",
    checkpoints: Path,
    on_epoch: OnEpoch,
    memory: int,
    device: torch.device | None = None,
) -> Training:
    """Train in place: the learner ends with the weights `train.keep` names, on the CPU.

    Args:
        learner: logs its metrics once an epoch.
        train: examples to learn from.
        validation: examples to choose by, if there are any.
        params: optimisation, hardware, length.
        checkpoints: a folder for unfinished work; a training that was broken off is taken up.
        on_epoch: is told the metrics of each epoch, and given the learner's picture of it.
        memory: free bytes of main memory.
        device: where to train, which of several GPUs too; by `train.accelerator` if left out.

    Raises:
        PenstockError: the best weights are asked for where nothing is measured to choose by.
    """
    device = device or choose_device(params.accelerator)
    sources = [it for it in (train, validation) if it is not None]
    loading, reason = choose_loading(sources, device, params.loading, memory)
    print(f"  {'held in memory' if loading == 'memory' else 'streamed from disk'}: {reason}")
    load = partial(batches, loading=loading, workers=params.workers, device=device)
    loader = load(train, params.batch_size, seed=params.seed, drop_last=learner.DROP_LAST)
    held_out = load(validation, 8 * params.batch_size) if validation is not None else None
    epochs, _ = plan_epochs(len(train), params)
    progress = Progress(epochs, epochs * len(loader), on_epoch)
    callbacks: list[Callback] = [progress]
    monitor = learner.MONITOR
    if (params.patience or params.keep == "best") and monitor is None:
        raise PenstockError(
            "train.keep and train.patience: this model measures nothing to choose by; set "
            "keep: last and patience: null"
        )
    best = ModelCheckpoint(checkpoints, monitor=monitor, save_weights_only=True)
    if params.patience:
        callbacks.append(EarlyStopping(str(monitor), patience=params.patience))
    if params.keep == "best":
        callbacks.append(best)
    last = LastCheckpoint(checkpoints, cast(IndexBatches, loader.sampler))
    if learner.RESUMES:
        callbacks.append(last)
    trainer = _make_trainer(learner, params, device, epochs, callbacks)
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pytorch_lightning")  # workers, deprecations
        try:
            trainer.fit(learner, loader, held_out, ckpt_path=last.found(), weights_only=True)
        except SystemExit:  # Lightning's answer to Ctrl-C
            raise KeyboardInterrupt from None
    seconds = time.perf_counter() - started
    if params.keep == "best":
        state = torch.load(best.best_model_path, weights_only=True, map_location="cpu")
        learner.load_state_dict(state["state_dict"])
    learner.cpu()
    done = len(progress.history)
    batch_size = min(params.batch_size, len(train))
    seen = len(loader) * batch_size if learner.DROP_LAST else len(train)
    return Training(
        history=progress.history,
        epochs=done,
        steps=done * len(loader),
        seconds=seconds,
        examples_per_second=(done - progress.resumed) * seen / seconds,
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        tokens=train.length if isinstance(train, Stream) else None,
    )


def _make_trainer(
    learner: Learner,
    params: "TrainParams",
    device: torch.device,
    epochs: int,
    callbacks: list[Callback],
) -> Trainer:
    clip = getattr(params, "gradient_clip", None) if learner.automatic_optimization else None
    return Trainer(
        accelerator="gpu" if device.type == "cuda" else device.type,
        devices=1 if device.index is None else [device.index],
        precision=_precision(params, device),
        max_epochs=epochs,
        gradient_clip_val=clip,
        deterministic=True,
        callbacks=callbacks,
        enable_checkpointing=True,  # those among the callbacks, Progress the first
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
