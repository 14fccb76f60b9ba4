"""Accuracy on the real MNIST, by the real stages: three seeds, or the published recipes.

python benchmarks/mnist.py                  # default parameters, seeds 0 1 2
python benchmarks/mnist.py --choose         # settings by the validation split; test is not read
python benchmarks/mnist.py --recipes        # each preset of docs/mnist.md, its own length
"""

import argparse
import io
import statistics
import tempfile
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

from hardware import describe_hardware
from penstock.datasets.dataset import Dataset
from penstock.evaluation.inference import class_probabilities, log_losses
from penstock.evaluation.metrics import calibration_error, reliability
from penstock.pipelines.mnist.params import CNN, MLP, Params
from penstock.project.workspace import Workspace
from penstock.settings.explanation import default_params
from penstock.stages.evaluate import evaluate
from penstock.stages.ingest import ingest
from penstock.stages.train import train, train_network
from penstock.stages.validate import validate

# As published: Adam or SGD at a constant rate, no augmentation, smoothing or batch norm.
PLAIN = {
    "optimizer": "adam",
    "learning_rate": 0.001,
    "weight_decay": 0.0,
    "schedule": "constant",
    "label_smoothing": 0.0,
    "max_shift": 0,
    "min_steps": 0,
}
RECIPES: dict[str, tuple[CNN | MLP, dict[str, Any]]] = {
    "32-64 valid, dense 64": (
        CNN(channels=[32, 64], dense=64, batch_norm=False, dropout=0.0),
        PLAIN | {"batch_size": 64},
    ),
    "16-32 same, dense 128": (
        CNN(channels=[16, 32], padding="same", batch_norm=False, dropout=0.0),
        PLAIN | {"batch_size": 64},
    ),
    "20-50 5x5, dense 500": (
        CNN(channels=[20, 50], kernel=5, dense=500, batch_norm=False, dropout=0.0),
        PLAIN | {"batch_size": 64, "optimizer": "sgd", "learning_rate": 0.01, "momentum": 0.5},
    ),
    "MLP 1024": (MLP(hidden=[1024]), PLAIN | {"batch_size": 128}),
}
# What `--choose` compares: each differs in what it names from the defaults, at 5 epochs.
CANDIDATES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({}, {"max_epochs": 10}),
    ({}, {"max_epochs": 20}),
    ({}, {"learning_rate": 0.004}),
    ({}, {"learning_rate": 0.016}),
    ({}, {"max_shift": 1}),
    ({}, {"max_shift": 3}),
    ({}, {"label_smoothing": 0.05}),
    ({}, {"weight_decay": 0.1}),
    ({"dropout": 0.3}, {}),
    ({"dense": 256}, {}),
    ({"channels": [64, 128]}, {}),
    ({"channels": [32, 64, 128]}, {}),
    ({"dropout": 0.3}, {"max_epochs": 10}),
    ({"channels": [32, 64, 128]}, {"max_epochs": 10}),
    ({"channels": [32, 64, 128], "dropout": 0.3}, {"max_epochs": 10}),
    ({"dense": 256}, {"max_epochs": 10}),
]
CHOOSING_SEEDS = (10, 11)  # others than those whose test accuracy is reported


def main() -> None:
    """Print accuracy with its interval, and the seconds of training, a line a run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--source", default="../shared/data/mnist", help="four IDX files")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--choose", action="store_true")
    parser.add_argument("--recipes", action="store_true")
    options = parser.parse_args()
    print(describe_hardware())
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        params = default_params("mnist")
        params = params.model_copy(update={"source": str(Path(options.source).resolve())})
        ingest(workspace(root, params))
        validate(workspace(root, params))
        if options.recipes:
            for name, (model, changes) in RECIPES.items():
                run(
                    root,
                    params.model_copy(update={"model": model}),
                    {"max_epochs": 5, **changes},
                    name,
                )
            return
        if options.choose:
            choose(workspace(root, params))
            return
        accuracies = [run(root, params, {"seed": it}, f"seed {it}") for it in options.seeds]
        print(f"RESULT median of {len(accuracies)} seeds: {statistics.median(accuracies):.4f}")


def choose(workspace: Workspace) -> None:
    """Print, on the validation split, log loss, accuracy and calibration error of each candidate.

    The one with the lowest log loss, a mean over seeds, is to be chosen: it is a matter of accuracy
    and of calibration, and less noisy than the few mistakes there are.
    """
    dataset = Dataset(workspace.dataset)
    rows = dataset.rows("validation")
    images, labels = dataset.array("images"), dataset.index["label"].to_numpy()[rows]
    for model, training_settings in CANDIDATES:
        found = []
        for seed in CHOOSING_SEEDS:
            params = workspace.params.model_copy(
                update={
                    "model": workspace.params.model.model_copy(update=model),
                    "train": workspace.params.train.model_copy(
                        update={"max_epochs": 5, **training_settings, "seed": seed}
                    ),
                }
            )
            with redirect_stdout(io.StringIO()):
                network, training = train_network(
                    "mnist", params, dataset, workspace.folder / ".checkpoints"
                )
            probabilities = class_probabilities(network, images, rows)
            correct = probabilities.argmax(1) == labels
            error = calibration_error(reliability(probabilities.max(1), correct))
            loss = log_losses(probabilities, labels).mean()
            found.append((loss, correct.mean(), error, training.seconds))
        loss, accuracy, error, seconds = np.mean(found, axis=0)
        print(
            f"validation log loss {loss:.4f}, accuracy {accuracy:.4f}, calibration error "
            f"{error:.4f}, {seconds:5.1f} s  {({**model, **training_settings}) or 'the defaults'}",
            flush=True,
        )


def workspace(root: Path, params: Params) -> Workspace:
    """A workspace outside any project."""
    return Workspace(root, "mnist", params, root / "mnist")


def run(root: Path, params: Params, changes: dict[str, Any], name: str) -> float:
    """Train and evaluate once; answer the test accuracy."""
    changed = params.model_copy(update={"train": params.train.model_copy(update=changes)})
    here = workspace(root, changed)
    training = train(here)
    metrics = evaluate(here).metrics
    print(
        f"RESULT {name}: test accuracy {metrics['test/accuracy']:.4f} "
        f"({metrics['test/accuracy_low']:.4f} to {metrics['test/accuracy_high']:.4f}), moved "
        f"sideways by up to 4 pixels at least {metrics['test/shift_accuracy']:.4f}, "
        f"calibration error {metrics['test/calibration_error']:.4f}, "
        f"trained in {training.seconds:.1f} s ({training.epochs} epochs)",
        flush=True,
    )
    return metrics["test/accuracy"]


if __name__ == "__main__":
    main()
