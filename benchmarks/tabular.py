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
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes, load_iris, load_wine
from sklearn.model_selection import RepeatedKFold, RepeatedStratifiedKFold

from hardware import describe_hardware
from penstock.datasets.dataset import Dataset, DatasetWriter
from penstock.evaluation.inference import class_probabilities, log_losses
from penstock.pipelines.tabular.params import Params
from penstock.pipelines.tabular.predict import predict_numbers
from penstock.pipelines.tabular.references import predict_references
from penstock.project.workspace import Workspace
from penstock.settings.explanation import default_params
from penstock.settings.file import parse_section
from penstock.stages.ingest import ingest
from penstock.stages.train import train_network

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
    parser.add_argument("what", choices=["choose", "compare", "scale"])
    parser.add_argument("--tables", nargs="+", choices=list(TABLES), default=list(TABLES))
    parser.add_argument("--presets", nargs="+", choices=list(PRESETS), default=list(PRESETS))
    parser.add_argument("--candidates", nargs="+", choices=CANDIDATES, default=list(CANDIDATES))
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--rows", type=int, default=1_000_000)
    options = parser.parse_args()
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
                    losses.append(_train(dataset, splits, changes, "validation")[0])
                mean, error = np.mean(losses), np.std(losses) / np.sqrt(len(losses))
                print(f"{table:9} {name:24} {mean:.4f} ± {error:.4f}", flush=True)


def compare(options: argparse.Namespace) -> None:
    """Accuracy or error of each preset and reference on the rows each fold holds out."""
    for table in options.tables:
        found: dict[str, list[float]] = {}
        with ingested(table) as dataset:
            for splits in folds(dataset, options.repeats):
                for name in options.presets:
                    if "classes" in dataset.info or name == "mlp":
                        _, score, others = _train(dataset, splits, PRESETS[name], "test")
                        found.setdefault(name, []).append(score)
                for name, score in others.items():
                    found.setdefault(name, []).append(score)
        measure = "accuracy" if table != "diabetes" else "rmse"
        for name, scores in found.items():
            by_repeat = np.reshape(scores, (-1, FOLDS)).mean(1)
            spread = f"{by_repeat.min():.4f} to {by_repeat.max():.4f}"
            print(f"{table:9} {name:12} {measure} {np.mean(scores):.4f} ({spread})", flush=True)


def ingested(table: str) -> Any:
    """The dataset of one of scikit-learn's tables, by the stage."""
    return _Ingested(table)


class _Ingested:
    def __init__(self, table: str) -> None:
        self.table = table

    def __enter__(self) -> Dataset:
        self.folder = tempfile.TemporaryDirectory()
        root = Path(self.folder.name)
        frame = TABLES[self.table](as_frame=True).frame
        frame.to_csv(root / "table.csv", index=False)
        section = settings({"data": {"target": "target"}})
        section["source"] = str(root / "table.csv")
        params = parse_section("tabular", section, Path("params.yaml"))
        with redirect_stdout(io.StringIO()):
            return ingest(Workspace(root, "tabular", params, root / "data"))

    def __exit__(self, *_: object) -> None:
        self.folder.cleanup()


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
    for number, (train, test) in enumerate(splitter.split(label, label)):
        splits = np.full(len(label), "train", dtype="<U10")
        splits[test] = "test"
        held_out = np.random.default_rng(number).permutation(train)[: len(train) // 5]
        splits[held_out] = "validation"
        yield splits


def _train(
    dataset: Dataset, splits: np.ndarray, changes: dict[str, dict[str, Any]], asked: str
) -> tuple[float, float, dict[str, float]]:
    """Train on a fold; loss, score, and the references' scores on one of its splits.

    Where the test rows are asked, the validation rows are learned from too: nothing is chosen.
    """
    params: Params = parse_section("tabular", settings(changes), Path("params.yaml"))  # type: ignore
    if asked == "test":
        splits = np.where(splits == "validation", "train", splits)
        splits[np.flatnonzero(splits == "train")[0]] = "validation"  # one, to draw the curves of
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        with DatasetWriter(Path(folder) / "dataset") as writer:
            writer.resplit(dataset, splits)
        part = Dataset(Path(folder) / "dataset")
        network, _ = train_network("tabular", params, part, Path(folder) / "checkpoints")
        rows = part.rows(asked)
        features = np.asarray(part.array("features")[rows])
        if "classes" not in part.info:
            target = part.columns("target")["target"][rows]
            squares = np.square(predict_numbers(network, features) - target)
            others = {
                name: float(np.sqrt(np.square(given - target).mean()))
                for name, given in _references(network, part, asked).items()
            }
            return float(squares.mean()), float(np.sqrt(squares.mean())), others
        labels = part.columns("label")["label"][rows]
        given = class_probabilities(network, features)
        others = {
            name: float((it.argmax(1) == labels).mean())
            for name, it in _references(network, part, asked).items()
        }
        accuracy = float((given.argmax(1) == labels).mean())
        return float(log_losses(given, labels).mean()), accuracy, others


def _references(network: Any, part: Dataset, asked: str) -> dict[str, np.ndarray]:
    if asked != "test":
        return {}
    return predict_references(network.front, part, ("train",))


def scale(options: argparse.Namespace) -> None:
    """Seconds and peak memory of ingest, validate and one epoch on a large synthetic table."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_large(root / "large.csv", options.rows)
        size = (root / "large.csv").stat().st_size / 1e6
        print(f"{options.rows:,} rows, 50 columns, {size:,.0f} MB of CSV", flush=True)
        total = 0.0
        for stage in ("ingest", "validate", "train"):
            started = time.perf_counter()
            script = f"import sys; sys.argv[1:] = {[str(root), stage]}; {STAGE}"
            subprocess.run([sys.executable, "-c", script], check=True, cwd=Path(__file__).parent)
            total += time.perf_counter() - started
        print(f"all: {total:.1f} s, imports included")


STAGE = "from tabular import run_stage; run_stage()"


def run_stage() -> None:
    """Run one stage in this process; print its seconds and its largest memory."""
    from penstock.stages.train import train
    from penstock.stages.validate import validate

    root, stage = Path(sys.argv[1]), sys.argv[2]
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
        {"ingest": ingest, "validate": validate, "train": train}[stage](workspace)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{stage}: {seconds:.1f} s, {peak:.2f} GB", flush=True)


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
