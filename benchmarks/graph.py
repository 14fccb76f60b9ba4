"""Graphs: how the defaults were chosen, and what they reach beside published recipes.

    python benchmarks/graph.py choose --source ../shared/data/graph/planetoid-cora
    python benchmarks/graph.py compare --source ../shared/data/graph/planetoid-cora --seeds 20

`choose` never asks the test split: it prints the mean accuracy and loss on the validation nodes,
at the weights that are kept, over seeds. `compare` asks it once for each kind and seed, and prints
mean, deviation, the 95 % interval of the mean (Student) and the time that a training took: by the
clock, and of the processor, which does not depend on who else works on the machine.
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
from penstock.evaluation.metrics import mean_interval
from penstock.learning.training import Training, fit, seed
from penstock.pipelines.graph.ingest import ingest
from penstock.pipelines.graph.params import APPNP, GCN, GCNII, MLP
from penstock.pipelines.graph.predict import class_probabilities
from penstock.pipelines.graph.references import predict_references
from penstock.settings.explanation import default_params
from penstock.settings.file import parse_section

Settings = dict[str, dict[str, Any]]

# As published: 16 hidden units, 200 steps (Kipf and Welling 2017).
KIPF: Settings = {
    "model": {"hidden": 16, "input_dropout": 0.5, "dropout": 0.5},
    "train": {
        "learning_rate": 0.01,
        "weight_decay": 0.0005,
        "max_epochs": 40,
        "patience": None,
        "consistency": 0.0,
    },
}
ALONE: Settings = {"train": {"consistency": 0.0}}
DEEP: Settings = {
    "model": {"kind": "gcnii", "input_dropout": 0.6, "dropout": 0.6},
    "train": {"consistency": 0.0, "learning_rate": 0.01, "weight_decay": 0.0005},
}
COMPARED: dict[str, Settings] = {
    "appnp (default)": {},
    "appnp, one draw": ALONE,
    "gcn, as published": {**KIPF, "model": {**KIPF["model"], "kind": "gcn"}},
    "mlp, likewise": {**KIPF, "model": {**KIPF["model"], "kind": "mlp"}},
    "gcnii, 16 layers": DEEP,
}
CANDIDATES: dict[str, Settings] = {
    "default": {},
    "one draw": ALONE,
    "one draw, dropout 0.5": {"model": {"input_dropout": 0.5, "dropout": 0.5}, **ALONE},
    "consistency 0.5": {"train": {"consistency": 0.5}},
    "consistency 1": {"train": {"consistency": 1.0}},
    "consistency 2": {"train": {"consistency": 2.0}},
    "consistency 4": {"train": {"consistency": 4.0}},
    "temperature 0.3": {"train": {"temperature": 0.3}},
    "dropout 0.5": {"model": {"dropout": 0.5}},
    "input dropout 0.7": {"model": {"input_dropout": 0.7}},
    "input dropout 0.9": {"model": {"input_dropout": 0.9}},
    "hidden 32": {"model": {"hidden": 32}},
    "hidden 128": {"model": {"hidden": 128}},
    "decay 0.0001": {"train": {"weight_decay": 0.0001}},
    "decay 0.0005": {"train": {"weight_decay": 0.0005}},
    "learning rate 0.01": {"train": {"learning_rate": 0.01}},
    "teleport 0.05, 20 steps": {"model": {"teleport": 0.05, "steps": 20}},
    "teleport 0.2": {"model": {"teleport": 0.2}},
    "gcn": {"model": {"kind": "gcn"}},
    "gcn, one draw": {"model": {"kind": "gcn"}, **ALONE},
    "gcnii, one draw": DEEP,
}
KINDS = {"appnp": APPNP, "gcn": GCN, "gcnii": GCNII, "mlp": MLP}


def make(settings: Settings, number: int, threads: int) -> Any:
    """The pipeline's parameters with some of them changed, and a seed."""
    default = default_params("graph").model_dump(mode="json")
    train = {**default["train"], **settings.get("train", {}), "seed": number, "threads": threads}
    model = {"kind": "appnp", **settings.get("model", {})}
    made = KINDS[model["kind"]](**model).model_dump(mode="json")
    return parse_section("graph", {**default, "train": train, "model": made}, Path("params.yaml"))


def train(dataset: Dataset, params: Any) -> tuple[Any, Training]:
    """Train once."""
    module = pipeline.load("graph", "train")
    seed(params.train)
    network = pipeline.load("graph", "network").network(params.model, dataset.info)
    learner = module.learner(network, params, dataset)
    sources = [module.source(dataset, (it,), params) for it in ("train", "validation")]
    memory = psutil.virtual_memory().available
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        done = fit(learner, *sources, params.train, Path(folder), lambda *_: None, memory)
    return network, done


def accuracy(network: Any, dataset: Dataset, split: str) -> float:
    """Share of a split's nodes that are given their class, in percent."""
    asked = dataset.examples(split)
    given = class_probabilities(network)[asked["node"].to_numpy()]
    return float(100 * (given.argmax(1) == asked["label"].to_numpy()).mean())


@contextmanager
def ingested(source: Path) -> Iterator[Dataset]:
    """The dataset of a source, in a scratch folder."""
    with tempfile.TemporaryDirectory() as folder:
        with DatasetWriter(Path(folder) / "dataset") as writer, redirect_stdout(io.StringIO()):
            ingest(source, writer, default_params("graph"))
        yield Dataset(Path(folder) / "dataset")


def choose(dataset: Dataset, options: argparse.Namespace) -> None:
    """Accuracy and loss on validation nodes, by settings."""
    for name, settings in CANDIDATES.items():
        if not name.startswith(options.only):
            continue
        right, losses, seconds = [], [], []
        for number in range(options.seeds):
            network, done = train(dataset, make(settings, number, options.threads))
            right.append(accuracy(network, dataset, "validation"))
            losses.append(min(it["val/loss"] for it in done.history))
            seconds.append(done.seconds)
        error = np.std(right, ddof=1) / np.sqrt(len(right))
        print(
            f"{name:24} accuracy {np.mean(right):.2f} ± {error:.2f}  loss {np.mean(losses):.4f}  "
            f"{np.mean(seconds):.1f} s",
            flush=True,
        )


def compare(dataset: Dataset, options: argparse.Namespace) -> None:
    """Accuracy on test nodes of each kind, over seeds, and of what learns nothing from a seed."""
    asked = dataset.examples("test")["label"].to_numpy()
    for name, settings in COMPARED.items():
        if not name.startswith(options.only):
            continue
        right, seconds, work, epochs = [], [], [], []
        for number in range(options.seeds):
            started = time.process_time()
            network, done = train(dataset, make(settings, number, options.threads))
            work.append(time.process_time() - started)
            right.append(accuracy(network, dataset, "test"))
            seconds.append(done.seconds)
            epochs.append(done.epochs)
        low, high = mean_interval(np.array(right))
        print(
            f"{name:24} {np.mean(right):.2f} ± {np.std(right, ddof=1):.2f} ({low:.2f} to "
            f"{high:.2f}) over {len(right)} seeds, {min(right):.1f} to {max(right):.1f}; "
            f"{np.mean(epochs):.0f} epochs, {np.mean(seconds):.1f} s, {max(seconds):.1f} at most, "
            f"{np.mean(work):.1f} s of the processor, {max(work):.1f} at most",
            flush=True,
        )
    for name, given in predict_references(dataset, ("train",)).items():
        print(f"{name:24} {100 * (given.argmax(1) == asked).mean():.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["choose", "compare"])
    parser.add_argument("--source", type=Path, required=True, help="a folder with a graph")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", default="", help="candidates whose name begins so")
    options = parser.parse_args()
    print(describe_hardware(), flush=True)
    with ingested(options.source) as dataset:
        {"choose": choose, "compare": compare}[options.what](dataset, options)


if __name__ == "__main__":
    main()
