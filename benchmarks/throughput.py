"""Training throughput of the Lightning stage against a bare PyTorch loop.

Both train the same network on the same data in memory, with the same batches, augmentation, loss,
optimiser and schedule, one epoch with its validation. They alternate, so that what the machine
does besides hits both alike, and take turns at going first; the ratio is the median over the pairs.

    python benchmarks/throughput.py [--source FOLDER] [--rounds 9]
"""

import argparse
import io
import tempfile
import time
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from hardware import describe_hardware
from pairs import compare
from penstock.datasets.dataset import Dataset
from penstock.learning.learner import make_optimizer
from penstock.learning.training import seed
from penstock.pipelines.mnist import network as mnist_network
from penstock.pipelines.mnist.augmentation import RandomShift
from penstock.pipelines.mnist.params import Params
from penstock.project.workspace import Workspace
from penstock.settings.explanation import default_params
from penstock.stages.ingest import ingest
from penstock.stages.train import train_network

EPOCHS = 1


def main() -> None:
    """Print examples/s of both and their ratio, for each batch size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", default="../shared/data/mnist", help="four IDX files")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[128, 64])
    options = parser.parse_args()
    print(describe_hardware())
    with tempfile.TemporaryDirectory() as temporary:
        params = default_params("mnist")
        source = str(Path(options.source).resolve())
        params = params.model_copy(update={"source": source})
        dataset = ingest(Workspace(Path(temporary), "mnist", params, Path(temporary) / "mnist"))
        for batch_size in options.batch_sizes:
            train = params.train.model_copy(
                update={"batch_size": batch_size, "max_epochs": EPOCHS, "min_steps": 0}
            )
            measure(dataset, params.model_copy(update={"train": train}), options.rounds)


def measure(dataset: Dataset, params: Params, rounds: int) -> None:
    """Run both in turns, once each to warm up."""
    bare(dataset, params)
    lightning(dataset, params)
    compare(
        f"batch {params.train.batch_size}: Lightning stage",
        lambda: lightning(dataset, params),
        "a bare loop",
        lambda: bare(dataset, params),
        "examples/s",
        rounds,
    )


def lightning(dataset: Dataset, params: Params) -> float:
    """Examples/s of the train stage."""
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        _, training = train_network("mnist", params, dataset, Path(folder) / "checkpoints")
    return training.examples_per_second


def bare(dataset: Dataset, params: Params) -> float:
    """Examples/s of the same training in a loop as one would write it by hand."""
    seed(params.train)
    network = mnist_network.network(params.model, dataset.info)
    images, labels = dataset.array("images"), dataset.index["label"].to_numpy()
    started = time.perf_counter()
    train, validation = (
        (torch.from_numpy(images[rows]), torch.from_numpy(labels[rows].astype(np.int64)))
        for rows in (dataset.rows("train"), dataset.rows("validation"))
    )
    size = params.train.batch_size
    steps = len(train[0]) // size
    optimizer = make_optimizer(network, params.train)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, params.train.learning_rate, total_steps=EPOCHS * steps, cycle_momentum=False
    )
    augment = RandomShift(params.train.max_shift)
    for _ in range(EPOCHS):
        network.train()
        order = torch.randperm(len(train[0]))
        for step in range(steps):
            index = order[step * size : (step + 1) * size]
            logits = network(augment(train[0][index]))
            loss = F.cross_entropy(
                logits, train[1][index], label_smoothing=params.train.label_smoothing
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        network.eval()
        with torch.inference_mode():
            for start in range(0, len(validation[0]), 8 * size):
                inputs, targets = (part[start : start + 8 * size] for part in validation)
                F.cross_entropy(network(inputs), targets)
    return EPOCHS * steps * size / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
