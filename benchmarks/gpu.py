"""MNIST on a GPU: speed in fp32 and bf16, and the seconds to 98.9 % and 99.5 %.

    python benchmarks/gpu.py --source ../shared/data/mnist

Needs torch, pytorch-lightning, numpy, pandas, pyarrow and scikit-learn, nothing else of Penstock's:
it runs on a bare GPU machine, with this repository's code for the network, the learner, loading
and training. Without a GPU it measures the CPU.
"""

import argparse
import io
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from sklearn.metrics import accuracy_score

sys.path.insert(0, str(Path(__file__).parent.parent / "src"))
from hardware import describe_hardware
from penstock.kinds.images.idx import find_idx, read_idx
from penstock.learning.classifier import Classifier
from penstock.learning.device import choose_device
from penstock.learning.sources import Rows
from penstock.learning.training import Training, fit, seed
from penstock.pipelines.mnist.augmentation import RandomShift
from penstock.pipelines.mnist.network import network

INFO = {"image_size": [28, 28], "classes": list("0123456789")}
# The defaults of params.yaml, which a bare machine cannot read; a test compares them.
MODEL = {
    "kind": "cnn",
    "channels": [32, 64],
    "kernel": 3,
    "padding": "valid",
    "dense": 128,
    "batch_norm": True,
    "dropout": 0.0,
}
TRAIN = {
    "seed": 0,
    "threads": 2,
    "accelerator": "auto",
    "precision": "auto",
    "loading": "auto",
    "workers": 2,
    "batch_size": 128,
    "max_epochs": 20,
    "min_steps": 600,
    "optimizer": "adamw",
    "learning_rate": 0.008,
    "momentum": 0.9,
    "weight_decay": 0.01,
    "schedule": "one_cycle",
    "warmup": 0.3,
    "label_smoothing": 0.0,
    "gradient_clip": None,
    "patience": None,
    "keep": "last",
    "max_shift": 2,
}
# The shortest trainings that reach an accuracy; one-cycle gets there at its end, not before.
TARGETS = {
    0.989: {"max_epochs": 1, "min_steps": 0},
    0.995: {"max_epochs": 5, "label_smoothing": 0.05},
}
MEMORY = 8 * 2**30  # bytes; MNIST takes 47 MB


def main() -> None:
    """Print the hardware, then a line per measurement."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--source", type=Path, default="../shared/data/mnist")
    parser.add_argument("--rounds", type=int, default=3, help="of each; medians are printed")
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[128, 1024])
    parser.add_argument("--epochs", type=int, default=2, help="of a speed measurement")
    options = parser.parse_args()
    train, test = (read_pair(options.source, prefix) for prefix in ("train", "t10k"))
    print(describe_hardware())
    for batch_size in options.batch_sizes:
        measure_speed(train, batch_size, options)
    for target, changes in TARGETS.items():
        measure_target(train, test, target, changes, options.rounds)


def read_pair(source: Path, prefix: str) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of one of MNIST's splits."""
    return (
        read_idx(find_idx(source, f"{prefix}-images-idx3-ubyte"), 3),
        read_idx(find_idx(source, f"{prefix}-labels-idx1-ubyte"), 1),
    )


def measure_speed(train: Any, batch_size: int, options: argparse.Namespace) -> None:
    """Examples/s in fp32 and bf16, in turns, and the share of time the GPU computes."""
    found: dict[str, list[tuple[float, float]]] = {"32-true": [], "bf16-mixed": []}
    changes = {"batch_size": batch_size, "max_epochs": options.epochs, "min_steps": 0}
    for _ in range(options.rounds):
        for precision, numbers in found.items():
            with gpu_busy() as busy:
                training, _ = run(train, {**changes, "precision": precision})
            numbers.append((training.examples_per_second, statistics.fmean(busy or [np.nan])))
    for precision, numbers in found.items():
        speed, share = (statistics.median(column) for column in zip(*numbers, strict=True))
        busy_text = "no GPU" if np.isnan(share) else f"GPU busy {share:.0f} % of the time"
        print(f"batch {batch_size}, {precision}: {speed:,.0f} examples/s, {busy_text}", flush=True)


def measure_target(train: Any, test: Any, target: float, changes: dict, rounds: int) -> None:
    """Seconds of a training that ends above an accuracy on the test split."""
    results = []
    for number in range(rounds):
        training, model = run(train, {**changes, "seed": number})
        results.append((training.seconds, accuracy(model, test)))
    seconds, reached = zip(*results, strict=True)
    shown = ", ".join(f"{value:.4f}" for value in reached)
    verdict = "reached" if statistics.median(reached) >= target else "NOT reached"
    print(
        f"{target:.1%}: {verdict} by {changes}: {statistics.median(seconds):.1f} s "
        f"({min(seconds):.1f} to {max(seconds):.1f}); test accuracy {shown}",
        flush=True,
    )


def run(train: Any, changes: dict[str, Any]) -> tuple[Training, torch.nn.Module]:
    """Train once by the code of the train stage; data is held on the device."""
    images, labels = train
    params: Any = SimpleNamespace(**{**TRAIN, **changes})
    seed(params)
    model = network(SimpleNamespace(**MODEL), INFO)
    rows = np.random.default_rng(0).permutation(len(labels))
    held_out = len(rows) // 10  # for validation, as the pipeline's default
    arrays = {"inputs": images, "label": labels}
    with tempfile.TemporaryDirectory() as checkpoints, redirect_stdout(io.StringIO()):
        training = fit(
            Classifier(model, params, augment=RandomShift(params.max_shift)),
            Rows(arrays, rows[held_out:]),
            Rows(arrays, rows[:held_out]),
            params,
            Path(checkpoints) / "c",
            lambda epoch: None,
            MEMORY,
        )
    return training, model


def accuracy(model: torch.nn.Module, test: Any) -> float:
    """Share of the test split that is named right."""
    images, labels = test
    device = choose_device()
    model.to(device).eval()
    with torch.inference_mode():
        parts = [
            model(torch.from_numpy(images[start : start + 1000]).to(device)).argmax(1).cpu()
            for start in range(0, len(images), 1000)
        ]
    return float(accuracy_score(labels, torch.cat(parts).numpy()))


@contextmanager
def gpu_busy() -> Iterator[list[float]]:
    """Collect, while the block runs, the share of time in which a kernel ran, in percent."""
    busy: list[float] = []
    if not torch.cuda.is_available():
        yield busy
        return
    query = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
    process = subprocess.Popen([*query, "-lms", "100"], stdout=subprocess.PIPE, text=True)
    try:
        yield busy
    finally:
        process.terminate()
        output, _ = process.communicate()
        busy += [float(line) for line in output.split() if line.isdigit()]


if __name__ == "__main__":
    main()
