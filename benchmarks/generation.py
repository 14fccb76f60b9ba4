"""Generation: how the defaults were chosen, and what they reach beside the presets of tutorials.

    python benchmarks/generation.py choose --source ../shared/data/mnist    # on validation images
    python benchmarks/generation.py compare --source ../shared/data/mnist   # on test images, once
    python benchmarks/generation.py coding --source ../shared/data/mnist    # autoencoders, likewise

Every network trains for the same time, `--minutes`, on the same cores. Schedules end when the time
does: 100 steps tell how many come into it. `choose` measures the Frechet distance of validation
images and never asks the test split. `compare` and `coding` ask it once for each network.
"""

import argparse
import io
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from hardware import describe_hardware
from penstock import pipeline
from penstock.datasets.dataset import Dataset, DatasetWriter
from penstock.learning.training import fit, plan_epochs, seed
from penstock.pipelines.generation.ingest import ingest
from penstock.pipelines.generation.params import DCGAN, GAN, VAE, Autoencoder, Conditional
from penstock.settings.explanation import default_params
from penstock.settings.file import parse_section

Settings = dict[str, dict[str, Any]]

DENSE: Settings = {
    "model": {"kind": "gan"},
    "train": {
        "batch_size": 128,
        "learning_rate": 0.0002,
        "schedule": "constant",
        "loss": "non_saturating",
        "average": 0.0,
    },
}
TUTORIAL: Settings = {
    "model": {
        "kind": "dcgan",
        "latent": 100,
        "channels": [256, 128, 64],
        "strides": [1, 2, 2],
        "discriminator": [64, 128],
        "kernel": 5,
        "slope": 0.3,
        "dropout": 0.3,
        "spectral_norm": False,
    },
    "train": {
        "batch_size": 256,
        "learning_rate": 0.0001,
        "momentum": 0.9,
        "schedule": "constant",
        "loss": "non_saturating",
        "average": 0.0,
    },
}
SMALL: Settings = {
    "model": {"kind": "gan", "generator": [128], "discriminator": [128], "output": "sigmoid"},
    "train": DENSE["train"],
}
COMPARED: dict[str, Settings] = {
    "dcgan (default)": {},
    "conditional": {"model": {"kind": "conditional"}},
    "dcgan, tutorial": TUTORIAL,
    "gan": DENSE,
    "gan, small": SMALL,
}
CODING: dict[str, Settings] = {
    "autoencoder": {"model": {"kind": "autoencoder"}},
    "autoencoder, 9 left out": {"model": {"kind": "autoencoder"}, "train": {"without": "9"}},
    "autoencoder, denoising": {"model": {"kind": "autoencoder"}, "train": {"noise": 0.2}},
    "autoencoder, 16-8-8": {
        "model": {"kind": "autoencoder", "channels": [16, 8, 8], "code": None, "pooling": "max"}
    },
    "vae": {"model": {"kind": "vae"}},
}
CANDIDATES: dict[str, Settings] = {
    "default": {},
    "learning rate 0.0005": {"train": {"learning_rate": 0.0005}},
    "learning rate 0.001": {"train": {"learning_rate": 0.001}},
    "learning rate 0.004": {"train": {"learning_rate": 0.004}},
    "batch 32": {"train": {"batch_size": 32}},
    "batch 128": {"train": {"batch_size": 128}},
    "non-saturating loss": {"train": {"loss": "non_saturating"}},
    "R1 in place of spectral norm": {
        "model": {"spectral_norm": False},
        "train": {"loss": "non_saturating", "r1": 1.0},
    },
    "generator 32, 16, 8": {"model": {"channels": [32, 16, 8]}},
    "discriminator 48, 96, 192": {"model": {"discriminator": [48, 96, 192]}},
}
KINDS = {
    "dcgan": DCGAN,
    "conditional": Conditional,
    "gan": GAN,
    "autoencoder": Autoencoder,
    "vae": VAE,
}
PILOT = 100  # steps


def make(settings: Settings) -> Any:
    """The pipeline's parameters with some of them changed."""
    default = default_params("generation").model_dump(mode="json")
    changed = {
        name: {**section, **settings.get(name, {})}
        for name, section in default.items()
        if name != "source"
    }
    model = {"kind": "dcgan", **settings.get("model", {})}
    changed["model"] = KINDS[model["kind"]](**model).model_dump(mode="json")
    return parse_section("generation", {**default, **changed}, Path("params.yaml"))


def train(dataset: Dataset, params: Any, minutes: float) -> tuple[Any, dict[str, float]]:
    """Train for so long; the network, and the last measurements on validation."""
    pilot = _fit(dataset, params, steps=PILOT)[1]
    steps = int(60 * minutes * PILOT / pilot["seconds"])
    network, found = _fit(dataset, params, steps)
    return network, found


def _fit(dataset: Dataset, params: Any, steps: int) -> tuple[Any, dict[str, float]]:
    """Train for a number of steps, in as many epochs of equal size as come near to full passes."""
    source = pipeline.load("generation", "train").source(dataset, ("train",), params)
    batch = params.train.batch_size
    epochs = max(1, round(steps * batch / len(source)))
    per_epoch = max(1, steps // epochs)
    chance = np.random.default_rng(0)
    if per_epoch * batch < len(source):  # a part of the training split, another in each run
        source.rows = np.sort(chance.choice(source.rows, per_epoch * batch, replace=False))
    settings = params.model_copy(
        update={"train": params.train.model_copy(update={"max_epochs": epochs, "min_steps": 0})}
    )
    seed(settings.train)
    network = pipeline.load("generation", "network").network(params.model, dataset.info)
    module = pipeline.load("generation", "train")
    learner = module.learner(network, settings, dataset)
    held_out = module.source(dataset, ("validation",), settings) if steps != PILOT else None
    assert plan_epochs(len(source), settings.train)[0] == epochs
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        done = fit(
            learner,
            source,
            held_out,
            settings.train,
            Path(folder),
            lambda *_: None,
            psutil.virtual_memory().available,
        )
    last = done.history[-1]
    return network, {"seconds": done.seconds, "steps": done.steps, **last}


@contextmanager
def ingested(source: Path) -> Iterator[Dataset]:
    """The dataset of a source, in a scratch folder."""
    with tempfile.TemporaryDirectory() as folder:
        with DatasetWriter(Path(folder) / "dataset") as writer, redirect_stdout(io.StringIO()):
            ingest(source, writer, default_params("generation"))
        yield Dataset(Path(folder) / "dataset")


def choose(dataset: Dataset, minutes: float, only: str) -> None:
    """Frechet distance of validation images, by settings."""
    for name, settings in CANDIDATES.items():
        if only and only not in name:
            continue
        _, found = train(dataset, make(settings), minutes)
        print(
            f"{name:32} {found['val/frechet_distance']:8.2f}  rarest class "
            f"{found['val/rarest_class']:.2f}  {found['steps']:,} steps, {found['seconds']:.0f} s",
            flush=True,
        )


def compare(dataset: Dataset, minutes: float, only: str, them: dict[str, Settings]) -> None:
    """What each network reaches on the test split."""
    for name, settings in them.items():
        if only and only not in name:
            continue
        params = make(settings)
        network, found = train(dataset, params, minutes)
        started = time.perf_counter()
        evaluation = pipeline.load("generation", "evaluate").evaluate(network, dataset, params)
        seconds = time.perf_counter() - started
        print(
            f"{name}: {found['steps']:,} steps in {found['seconds']:.0f} s; evaluated in "
            f"{seconds:.0f} s",
            flush=True,
        )
        for metric, value in evaluation.metrics.items():
            print(f"    {metric} {value:.4f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["choose", "compare", "coding"])
    parser.add_argument("--source", type=Path, required=True, help="four IDX files, or folders")
    parser.add_argument("--minutes", type=float, default=10.0, help="of training, for each")
    parser.add_argument("--only", default="", help="networks whose name has this")
    arguments = parser.parse_args()
    print(describe_hardware(), flush=True)
    with ingested(arguments.source) as dataset:
        if arguments.what == "choose":
            choose(dataset, arguments.minutes, arguments.only)
        else:
            them = COMPARED if arguments.what == "compare" else CODING
            compare(dataset, arguments.minutes, arguments.only, them)


if __name__ == "__main__":
    main()
