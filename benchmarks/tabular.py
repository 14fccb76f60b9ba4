"""Tables: how the defaults were chosen, what they reach beside classical methods, how it grows.

    python benchmarks/tabular.py choose      # settings by their loss on validation rows, in folds
    python benchmarks/tabular.py compare     # repeated folds of scikit-learn's small tables
    python benchmarks/tabular.py scale       # a million rows of 50 columns: seconds and memory

`choose` never asks a fold's test rows: it holds out a fifth of the others and compares losses
there. So it has no candidate that keeps the best epoch by that same loss. The tables are iris,
wine, breast cancer (classes) and diabetes (a number), as scikit-learn has them.
"""

import argparse
import io
import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine
from sklearn.model_selection import RepeatedKFold, RepeatedStratifiedKFold

from hardware import describe_hardware
from penstock.datasets.dataset import Dataset, DatasetWriter
from penstock.evaluation.inference import class_probabilities, log_losses
from penstock.pipelines.tabular.predict import predict_numbers
from penstock.pipelines.tabular.references import predict_references
from penstock.project.workspace import Workspace
from penstock.settings.explanation import default_params
from penstock.settings.file import parse_section
from penstock.stages.ingest import ingest
from penstock.stages.train import train, train_network
from penstock.stages.validate import validate

TABLES = {
    "iris": load_iris,
    "wine": load_wine,
    "cancer": load_breast_cancer,
    "diabetes": load_diabetes,
}
FOLDS = 5
# What `choose` compares: settings that differ from two hidden layers of 128, no dropout.
CANDIDATES: dict[str, dict[str, dict[str, Any]]] = {
    "128, 128": {},
    "dropout 0.2": {"model": {"dropout": 0.2}},
    "decay 0.3": {"train": {"weight_decay": 0.3}},
    "decay 1": {"train": {"weight_decay": 1.0}},
    "smoothing 0.1": {"train": {"label_smoothing": 0.1}},
    "200 steps": {"train": {"min_steps": 200}},
    "100 steps": {"train": {"min_steps": 100, "max_epochs": 5}},
    "64": {"model": {"hidden": [64]}},
    "64, dropout 0.2": {"model": {"hidden": [64], "dropout": 0.2}},
    "64, decay 1": {"model": {"hidden": [64]}, "train": {"weight_decay": 1.0}},
    "64, 200 steps": {"model": {"hidden": [64]}, "train": {"min_steps": 200}},
    "100 steps, dropout 0.2": {
        "train": {"min_steps": 100, "max_epochs": 5},
        "model": {"dropout": 0.2},
    },
    "100 steps, dropout 0.5": {
        "train": {"min_steps": 100, "max_epochs": 5},
        "model": {"dropout": 0.5},
    },
}
FIRST = {"hidden": [128, 128], "dropout": 0.0}
PRESETS: dict[str, dict[str, dict[str, Any]]] = {
    "mlp": {},
    "textbook": {
        "model": {"hidden": [16], "activation": "sigmoid", "loss": "squared_error"},
        "train": {"optimizer": "sgd", "learning_rate": 0.5, "weight_decay": 0.0,
                  "schedule": "constant"},
    },
    "perceptron": {
        "model": {"kind": "perceptron"},
        "train": {"batch_size": 1, "learning_rate": 0.01},
    },
}  # fmt: skip


def main() -> None:
    """Print the hardware, then what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["choose", "compare", "scale", *STAGES])
    parser.add_argument("--tables", nargs="+", choices=list(TABLES), default=list(TABLES))
    parser.add_argument("--presets", nargs="+", choices=list(PRESETS), default=list(PRESETS))
    parser.add_argument("--candidates", nargs="+", choices=CANDIDATES, default=list(CANDIDATES))
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="of what `scale` starts")
    options = parser.parse_args()
    if options.what in STAGES:
        run_stage(options.what, options.folder)
        return
    print(describe_hardware(), flush=True)
    {"choose": choose, "compare": compare, "scale": scale}[options.what](options)


def choose(options: argparse.Namespace) -> None:
    """Mean loss of each candidate on the validation rows of each fold's training part."""
    for table in options.tables:
        with ingested(table) as dataset:
            for name in options.candidates:
                changes = {**CANDIDATES[name]}
                changes["model"] = {**FIRST, **changes.get("model", {})}
                losses = []
                for splits in folds(dataset, options.repeats):
                    network, part = _train(dataset, splits, changes)
                    given = _answer(network, part, "validation")
                    losses.append(_score(given, part, "validation")[0])
                mean, error = np.mean(losses), np.std(losses) / np.sqrt(len(losses))
                print(f"{table:9} {name:24} {mean:.4f} ± {error:.4f}", flush=True)


def compare(options: argparse.Namespace) -> None:
    """Accuracy or error of each preset and reference on the rows each fold holds out."""
    for table in options.tables:
        found: dict[str, list[float]] = defaultdict(list)
        with ingested(table) as dataset:
            presets = options.presets if "classes" in dataset.info else ["mlp"]
            for splits in folds(dataset, options.repeats):
                for name in presets:
                    network, part = _train(dataset, _all_to_learn(splits), PRESETS[name])
                    found[name].append(_score(_answer(network, part, "test"), part, "test")[1])
                for name, given in predict_references(network.front, part, ("train",)).items():
                    found[name].append(_score(given, part, "test")[1])
        measure = "accuracy" if table != "diabetes" else "rmse"
        for name, scores in found.items():
            by_repeat = np.reshape(scores, (-1, FOLDS)).mean(1)
            spread = f"{by_repeat.min():.4f} to {by_repeat.max():.4f}"
            print(f"{table:9} {name:12} {measure} {np.mean(scores):.4f} ({spread})", flush=True)


@contextmanager
def ingested(table: str) -> Iterator[Dataset]:
    """The dataset of one of scikit-learn's tables, by the stage."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        TABLES[table](as_frame=True).frame.to_csv(root / "table.csv", index=False)
        section = settings({"data": {"target": "target"}})
        section["source"] = str(root / "table.csv")
        params = parse_section("tabular", section, Path("params.yaml"))
        with redirect_stdout(io.StringIO()):
            dataset = ingest(Workspace(root, "tabular", params, root / "data"))
        yield dataset


def settings(changes: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """The default section with some settings changed."""
    section = default_params("tabular").model_dump(mode="json")
    for part, values in changes.items():
        if "kind" in values and values["kind"] != section[part]["kind"]:
            section[part] = {}
        section[part] |= values
    return section


def folds(dataset: Dataset, repeats: int) -> Iterator[np.ndarray]:
    """The split of each row: a fold for test, a fifth of the others for validation."""
    labelled = "classes" in dataset.info
    kind = RepeatedStratifiedKFold if labelled else RepeatedKFold
    splitter = kind(n_splits=FOLDS, n_repeats=repeats, random_state=0)
    label = dataset.index["label" if labelled else "target"].to_numpy()
    for number, (rest, test) in enumerate(splitter.split(label, label)):
        splits = np.full(len(label), "train", dtype="<U10")
        splits[test] = "test"
        held_out = np.random.default_rng(number).permutation(rest)[: len(rest) // 5]
        splits[held_out] = "validation"
        yield splits


def _all_to_learn(splits: np.ndarray) -> np.ndarray:
    """Splits whose validation rows are learned from too, but one, of which curves are drawn."""
    splits = np.where(splits == "validation", "train", splits)
    splits[np.flatnonzero(splits == "train")[0]] = "validation"
    return splits


def _train(
    dataset: Dataset, splits: np.ndarray, changes: dict[str, dict[str, Any]]
) -> tuple[Any, Dataset]:
    """Train on a fold; the network, and the dataset in these splits."""
    params = parse_section("tabular", settings(changes), Path("params.yaml"))
    folder = Path(tempfile.mkdtemp(dir=dataset.folder.parent))
    with redirect_stdout(io.StringIO()):
        with DatasetWriter(folder / "dataset") as writer:
            writer.resplit(dataset, splits)
        part = Dataset(folder / "dataset")
        network, _ = train_network("tabular", params, part, folder / "checkpoints")
    return network, part


def _answer(network: Any, part: Dataset, split: str) -> np.ndarray:
    """Probabilities or numbers for the rows of a split."""
    features = np.asarray(part.array("features")[part.rows(split)])
    return (class_probabilities if network.classes else predict_numbers)(network, features)


def _score(given: np.ndarray, part: Dataset, split: str) -> tuple[float, float]:
    """Mean loss, and accuracy or root mean squared error."""
    examples = part.examples(split)
    if given.ndim == 2:
        labels = examples["label"].to_numpy()
        return float(log_losses(given, labels).mean()), float((given.argmax(1) == labels).mean())
    squares = float(np.square(given - examples["target"].to_numpy()).mean())
    return squares, squares**0.5


STAGES = {"ingest": ingest, "validate": validate, "train": train}


def scale(options: argparse.Namespace) -> None:
    """Seconds and peak memory of ingest, validate and one epoch on a large synthetic table."""
    with tempfile.TemporaryDirectory() as folder:
        write_large(Path(folder) / "large.csv", options.rows)
        size = (Path(folder) / "large.csv").stat().st_size / 1e6
        print(f"{options.rows:,} rows, 50 columns, {size:,.0f} MB of CSV", flush=True)
        started = time.perf_counter()
        for stage in STAGES:
            command = [sys.executable, __file__, stage, "--folder", folder]
            process = subprocess.Popen(command)
            _, status, usage = os.wait4(process.pid, 0)
            print(f"    peak {usage.ru_maxrss / 1e6:.2f} GB resident, status {status}", flush=True)
        print(f"all: {time.perf_counter() - started:.1f} s, imports included")


def run_stage(stage: str, root: Path) -> None:
    """One part of `scale`: prints its seconds, without imports."""
    section = settings(
        {
            "data": {"target": "target"},
            "train": {"batch_size": 4096, "max_epochs": 1, "min_steps": 0},
        }
    )
    section["source"] = str(root / "large.csv")
    params = parse_section("tabular", section, Path("params.yaml"))
    workspace = Workspace(root, "tabular", params, root / "data" / "tabular")
    started = time.perf_counter()
    with redirect_stdout(io.StringIO()):
        STAGES[stage](workspace)
    print(f"{stage}: {time.perf_counter() - started:.1f} s", flush=True)


def write_large(file: Path, rows: int) -> None:
    """Write 40 numbers, 8 categories, a boolean and a date, some missing, and a class of two."""
    chance = np.random.default_rng(0)
    for start in range(0, rows, 100_000):
        count = min(100_000, rows - start)
        numbers = chance.normal(size=(count, 40)).round(4)
        frame = pd.DataFrame(numbers, columns=[f"number {it}" for it in range(40)])
        frame = frame.mask(chance.random(frame.shape) < 0.02)
        for it in range(8):
            frame[f"category {it}"] = chance.integers(0, 5 + 10 * it, count).astype(str)
            frame[f"category {it}"] = "c" + frame[f"category {it}"]
        frame["flag"] = np.where(chance.random(count) < 0.5, "yes", "no")
        days = np.datetime64("2020-01-01") + chance.integers(0, 1000, count)
        frame["day"] = days.astype(str)
        score = numbers[:, :5].sum(1) + (frame["flag"] == "yes") + chance.normal(size=count)
        frame["target"] = np.where(score > 0.5, "high", "low")
        frame.to_csv(file, mode="a", header=start == 0, index=False)


if __name__ == "__main__":
    main()
