"""Train: from a dataset that passed its gate to a trained network on disk."""

import json
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import psutil

from .. import pipeline
from ..datasets.dataset import Dataset
from ..datasets.digest import digest_files
from ..datasets.identity import identities, sketch
from ..learning.checkpoints import unfinished
from ..learning.device import choose_device
from ..learning.progress import OnEpoch
from ..learning.slots import training_slot
from ..learning.training import Training, fit, seed
from ..learning.weights import DESCRIPTION, LEARNED, save_weights
from ..messages.errors import PenstockError
from ..project.workspace import Workspace
from ..tracking.recorder import recorded_run
from .gate import check_gate

if TYPE_CHECKING:
    from torch import nn


def train(workspace: Workspace) -> Training:
    """Train the pipeline's network; keep weights, what rebuilds them, and the curves.

    Raises:
        PenstockError: the dataset has not passed its expectations, or the parameters make no
            network.
    """
    dataset = Dataset(workspace.dataset)
    check_gate(workspace, dataset)
    with recorded_run(workspace) as run, workspace.writing(workspace.model) as folder:
        network, training = train_network(
            workspace.name, workspace.params, dataset, workspace.checkpoints, run.log_epoch
        )
        folder.mkdir()
        sha256 = save_weights(network, folder)
        description = {
            "pipeline": workspace.name,
            "weights_sha256": sha256,
            "parameters": count_weights(network),
            "epochs": training.epochs,
            "steps": training.steps,
            "params": workspace.params.model_dump(mode="json", include={"model", "train"}),
            "dataset": dataset.info,
        }
        learned = sketch(identities(dataset, *workspace.params.train.splits))
        np.save(folder / LEARNED, learned, allow_pickle=False)
        (folder / DESCRIPTION).write_text(json.dumps(description, indent=2) + "\n")
        pd.DataFrame(training.history).to_csv(folder / "history.csv", index=False)
        run.tags["penstock.device"] = training.device
        unit = "tokens" if training.tokens else "examples"
        speed = training.examples_per_second * (training.tokens or 1)
        run.log_metrics(
            {"time/train_seconds": training.seconds, f"throughput/{unit}_per_second": speed}
        )
    print(
        f"train {workspace.name}: {training.epochs} epochs, {training.steps:,} steps in "
        f"{training.seconds:.1f} s ({speed:,.0f} {unit}/s on {training.device})"
    )
    return training


def train_network(
    name: str,
    params: Any,
    dataset: Dataset,
    checkpoints: Path,
    on_epoch: OnEpoch = lambda *_: None,
) -> tuple["nn.Module", Training]:
    """Train the network of pipeline `name` on a dataset, whoever records it.

    Waits for its turn: one training at a time on a GPU, or on the same cores.
    """
    network_module: pipeline.NetworkModule = pipeline.load(name, "network")
    train_module: pipeline.TrainModule = pipeline.load(name, "train")
    seed(params.train)
    network = network_module.network(params.model, dataset.info)
    print(f"train {name}: {count_weights(network):,} parameters")
    if "validation" in params.train.splits:
        print("  learns from the validation split too: what it measures there says nothing")
    with (
        training_slot(
            choose_device(params.train.accelerator), params.train.threads, f"train {name}"
        ) as device,
        unfinished(checkpoints, _digest(name, params, dataset)) as folder,
    ):
        learner = train_module.learner(network, params, dataset)
        source = train_module.source(dataset, params.train.splits, params)
        if source is None:
            raise PenstockError(f"{name}: there is nothing to learn from; mend its train.source")
        training = fit(
            learner,
            source,
            train_module.source(dataset, ("validation",), params),
            params.train,
            folder,
            on_epoch,
            psutil.virtual_memory().available,
            device,
        )
    return network, training


def _digest(name: str, params: Any, dataset: Dataset) -> str:
    """A name for all that the weights depend on: data, settings, code, PyTorch."""
    settings = params.model_dump_json(include={"model", "train"})
    libraries = version("torch"), version("pytorch-lightning")
    inputs = (name, settings, dataset.info["digest"], *libraries)
    return digest_files(Path(__file__).parent.parent, *inputs, pattern="*.py")[:16]


def count_weights(network: "nn.Module") -> int:
    """How many parameters a network has."""
    return sum(parameter.numel() for parameter in network.parameters())
