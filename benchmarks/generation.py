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
from penstock.learning.sources import Rows, Source
from penstock.learning.training import fit, seed
from penstock.pipelines.generation.drawing import draw
from penstock.pipelines.generation.frechet import frechet_distance
from penstock.pipelines.generation.ingest import ingest
from penstock.pipelines.generation.measures import manifold_metrics
from penstock.pipelines.generation.params import DCGAN, GAN, VAE, Autoencoder, Conditional
from penstock.pipelines.generation.ruler import ruler_of
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
    "learning rate 0.003": {"train": {"learning_rate": 0.003}},
    "learning rate 0.004": {"train": {"learning_rate": 0.004}},
    "batch 32": {"train": {"batch_size": 32}},
    "batch 128": {"train": {"batch_size": 128}},
    "non-saturating loss": {"train": {"loss": "non_saturating"}},
    "R1 in place of spectral norm": {
        "model": {"spectral_norm": False},
        "train": {"loss": "non_saturating", "r1": 1.0},
    },
    "generator 32, 16, 8": {"model": {"channels": [32, 16, 8]}},
    "generator 96, 48, 24": {"model": {"channels": [96, 48, 24]}},
    "discriminator 24, 48, 96": {"model": {"discriminator": [24, 48, 96]}},
    "discriminator 48, 96, 192": {"model": {"discriminator": [48, 96, 192]}},
    "average 0.9995": {"train": {"average": 0.9995}},
    "latent 32": {"model": {"latent": 32}},
}
KINDS = {
    "dcgan": DCGAN,
    "conditional": Conditional,
    "gan": GAN,
    "autoencoder": Autoencoder,
    "vae": VAE,
}
PILOT = 100  # steps
NEIGHBOURS = 5


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
    """Train for so long, by what the first steps take; the network, and how it went.

    Returns:
        Also seconds, steps and the last measurements on validation.
    """
    module = pipeline.load("generation", "train")
    _, pilot = _fit(dataset, params, PILOT, None)
    steps = int(60 * minutes * PILOT / pilot["seconds"])
    return _fit(dataset, params, steps, module.source(dataset, ("validation",), params))


def _fit(
    dataset: Dataset, params: Any, steps: int, held_out: Source | None
) -> tuple[Any, dict[str, float]]:
    """Train for a number of steps, in as many epochs of equal size as come near to full passes."""
    module = pipeline.load("generation", "train")
    source, batch = module.source(dataset, ("train",), params), params.train.batch_size
    epochs = max(1, round(steps * batch / len(source)))
    examples = steps // epochs * batch
    if examples < len(source):
        rows = np.random.default_rng(0).choice(source.rows, examples, replace=False)
        source = Rows(source.arrays, np.sort(rows))
    settings = params.train.model_copy(update={"max_epochs": epochs, "min_steps": 0})
    params = params.model_copy(update={"train": settings})
    seed(settings)
    network = pipeline.load("generation", "network").network(params.model, dataset.info)
    learner = module.learner(network, params, dataset)
    memory = psutil.virtual_memory().available
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        done = fit(learner, source, held_out, settings, Path(folder), lambda *_: None, memory)
    return network, {"seconds": done.seconds, "steps": done.steps, **done.history[-1]}


@contextmanager
def ingested(source: Path) -> Iterator[Dataset]:
    """The dataset of a source, in a scratch folder."""
    with tempfile.TemporaryDirectory() as folder:
        with DatasetWriter(Path(folder) / "dataset") as writer, redirect_stdout(io.StringIO()):
            ingest(source, writer, default_params("generation"))
        yield Dataset(Path(folder) / "dataset")


def choose(dataset: Dataset, minutes: float, only: str) -> None:
    """How near what is drawn is to validation images, by settings."""
    ruler, rows = ruler_of(dataset), dataset.rows("validation")
    real, _ = ruler.measure(dataset.array("images")[rows])
    labels = dataset.index["label"].to_numpy()[rows]
    for name, settings in CANDIDATES.items():
        if only and only not in name:
            continue
        network, found = train(dataset, make(settings), minutes)
        drawn, _ = ruler.measure(draw(network, np.arange(len(rows)), labels))
        near = manifold_metrics(drawn, real, NEIGHBOURS)
        print(
            f"{name:32} Frechet distance {frechet_distance(drawn, real):6.2f}  density "
            f"{near['density']:.3f}  coverage {near['coverage']:.3f}  rarest class "
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
