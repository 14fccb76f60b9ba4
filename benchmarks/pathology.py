"""Pathology's building blocks against what one would write by hand.

    python benchmarks/pathology.py ingest      # images/s against Pillow alone in one process
    python benchmarks/pathology.py memory      # anonymous memory at 2,000 and at 20,000 images
    python benchmarks/pathology.py augment     # batches against the same, image by image in Pillow
    python benchmarks/pathology.py train       # images/s against a bare PyTorch loop

Ratios are of pairs measured in turns, in one process run. --source is a folder of class folders;
without one the images are the pipeline's sample.
"""

import argparse
import io
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from PIL import Image, ImageEnhance, ImageOps
from torch.nn import functional as F

from hardware import describe_hardware
from pairs import compare, per_second
from penstock.datasets.dataset import Dataset, DatasetWriter
from penstock.learning.learner import make_optimizer
from penstock.learning.training import seed
from penstock.pipelines.pathology import train as pathology_train
from penstock.pipelines.pathology.augmentation import RandomAffine, StainJitter
from penstock.pipelines.pathology.ingest import ingest
from penstock.pipelines.pathology.network import network
from penstock.pipelines.pathology.sample import sample
from penstock.settings.explanation import default_params
from penstock.stages.train import train_network

PARAMS = default_params("pathology")
SIZE = PARAMS.data.image_size
BATCHES, PASSES = 100, 5  # in each measurement of augmentation; times as many of ours


def main() -> None:
    """Print the hardware, then what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["ingest", "memory", "augment", "train"])
    parser.add_argument("--source", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(describe_hardware())
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        source = options.source or folder / "sample"
        if not options.source:
            source.mkdir()
            sample(source)
        measure: Callable[[Path, Path, int], None] = globals()[f"measure_{options.what}"]
        measure(source, folder, options.rounds)


def measure_ingest(source: Path, folder: Path, rounds: int) -> None:
    """The stage's reading, with all its checks, against opening and resizing in a loop."""
    files = [path for path in sorted(source.rglob("*.*")) if path.suffix not in (".csv", ".md")]

    def ours() -> None:
        shutil.rmtree(folder / "dataset", ignore_errors=True)
        run_ingest(source, folder / "dataset")

    def theirs() -> None:
        for file in files:
            decode_plainly(file)

    compare(
        "ingest",
        lambda: per_second(len(files), ours),
        "Pillow alone, one process",
        lambda: per_second(len(files), theirs),
        "images/s",
        rounds,
    )


def run_ingest(source: Path, folder: Path) -> Dataset:
    """Ingest into a new folder."""
    with DatasetWriter(folder) as writer:
        ingest(source, writer, PARAMS)
    return Dataset(folder)


def decode_plainly(file: Path) -> np.ndarray:
    """What one would write by hand."""
    with Image.open(file) as image:
        return np.asarray(image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BICUBIC))


def measure_memory(source: Path, folder: Path, _: int) -> None:
    """Peak of anonymous memory, above what was there before, for ten times the images."""
    originals = [np.asarray(Image.open(path)) for path in sorted(source.rglob("*.jp*g"))[:50]]
    for count in (2_000, 20_000):
        many = folder / "many"
        for number in range(count):
            image = originals[number % len(originals)].copy()
            image[:8, :8] = np.random.default_rng(number).integers(0, 255, (8, 8, 3))
            file = many / str(number % 2) / f"{number}.jpg"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(file, quality=90)
        before = anonymous()
        with Peak() as peak:
            dataset = run_ingest(many, folder / f"dataset{count}")
        taken = dataset.info["examples"]
        most, above = peak.bytes / 1e6, (peak.bytes - before) / 1e6
        print(
            f"memory: {taken:,} images: peak {most:.0f} MB, {above:.0f} above the start",
            flush=True,
        )
        shutil.rmtree(many)


def anonymous() -> int:
    """Bytes of this process that are no file's."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("RssAnon"))) * 1024


class Peak(threading.Thread):
    """The largest anonymous memory while a block runs."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.bytes = 0
        self.done = threading.Event()

    def run(self) -> None:
        """Look every 20 ms."""
        while not self.done.wait(0.02):
            self.bytes = max(self.bytes, anonymous())

    def __enter__(self) -> "Peak":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.join()


def measure_augment(_: Path, __: Path, rounds: int) -> None:
    """Rotation, shift, flips, stain and brightness, as the defaults have them, on batches of 32."""
    train = PARAMS.train
    batch = np.random.default_rng(0).integers(0, 255, (32, SIZE, SIZE, 3), np.uint8)
    tensor = torch.from_numpy(batch)
    seed(train)
    jitter = StainJitter(train.stain, train.brightness)
    ours = torch.nn.Sequential(RandomAffine(train.rotation, train.shift, train.flips), jitter)
    stains = jitter.stains.numpy()
    random = np.random.default_rng(0)

    def one_by_one() -> None:
        for _ in range(BATCHES):
            np.stack([change(it, random, stains) for it in batch])

    def in_batches() -> None:  # for about as long: threads and caches settle in the first
        for _ in range(PASSES * BATCHES):
            ours(tensor)

    images = BATCHES * len(batch)
    compare(
        "batches",
        lambda: per_second(PASSES * images, in_batches),
        "image by image with Pillow",
        lambda: per_second(images, one_by_one),
        f"images/s of {SIZE} pixels",
        rounds,
    )
    compare_kornia(tensor, rounds)


def change(image: np.ndarray, random: np.random.Generator, stains: np.ndarray) -> np.ndarray:
    """The same changes of one image, by Pillow; of stains, which it does not know, by numpy."""
    train = PARAMS.train
    picture = Image.fromarray(image)
    if random.random() < 0.5:
        picture = ImageOps.mirror(picture)
    if random.random() < 0.5:
        picture = ImageOps.flip(picture)
    moved = tuple(random.uniform(-train.shift, train.shift, 2) * SIZE)
    angle = random.uniform(-train.rotation, train.rotation)
    picture = picture.rotate(angle, Image.Resampling.BILINEAR, translate=moved)
    factor = 1 + random.uniform(-train.brightness, train.brightness)
    picture = ImageEnhance.Brightness(picture).enhance(factor)
    strength = 1 + random.uniform(-train.stain, train.stain, (3, 1)).astype(np.float32)
    density = -np.log((np.asarray(picture, np.float32) + 1) / 256)
    mixed = density @ (np.linalg.inv(stains) @ (strength * stains))
    return np.clip(256 * np.exp(-mixed) - 1, 0, 255).astype(np.uint8)


def compare_kornia(tensor: torch.Tensor, rounds: int) -> None:
    """The same by kornia, where it is installed; it is no dependency."""
    try:
        import kornia.augmentation as augmentation
    except ImportError:
        print("kornia is not installed: not compared")
        return
    train = PARAMS.train
    planes = tensor.permute(0, 3, 1, 2).float() / 255
    theirs = augmentation.AugmentationSequential(
        augmentation.RandomHorizontalFlip(),
        augmentation.RandomVerticalFlip(),
        augmentation.RandomAffine(train.rotation, (train.shift, train.shift), p=1.0),
        augmentation.RandomBrightness((1 - train.brightness, 1 + train.brightness), p=1.0),
    )
    ours = torch.nn.Sequential(
        RandomAffine(train.rotation, train.shift, train.flips), StainJitter(0.0, train.brightness)
    )
    images = BATCHES * len(tensor)
    compare(
        "one affine grid",
        lambda: per_second(images, lambda: [ours(tensor) for _ in range(BATCHES)]),
        "kornia",
        lambda: per_second(images, lambda: [theirs(planes) for _ in range(BATCHES)]),
        "images/s",
        rounds,
    )


def measure_train(source: Path, folder: Path, rounds: int) -> None:
    """The train stage against the loop one would write by hand, two epochs each."""
    dataset = run_ingest(source, folder / "dataset")
    compare(
        "train stage",
        lambda: lightning(dataset, folder),
        "a bare loop",
        lambda: bare(dataset),
        "images/s",
        rounds,
    )


EPOCHS = 2


def lightning(dataset: Dataset, folder: Path) -> float:
    """Images/s of the train stage."""
    train = PARAMS.train.model_copy(update={"max_epochs": EPOCHS, "min_steps": 0})
    params = PARAMS.model_copy(update={"train": train})
    with redirect_stdout(io.StringIO()):
        return train_network("pathology", params, dataset, folder / "checkpoints")[
            1
        ].examples_per_second


def bare(dataset: Dataset) -> float:
    """Images/s of the same training in a loop as one would write it by hand."""
    train = PARAMS.train
    seed(train)
    model = network(PARAMS.model, dataset.info)
    learner = pathology_train.learner(model, PARAMS, dataset)
    augment, weights = learner.augment, learner.class_weights
    images, labels = dataset.array("images"), dataset.index["label"].to_numpy().astype(np.int64)
    started = time.perf_counter()
    parts = SimpleNamespace(
        **{
            split: (torch.from_numpy(images[rows]), torch.from_numpy(labels[rows]))
            for split in ("train", "validation")
            for rows in [dataset.rows(split)]
        }
    )
    steps = len(parts.train[0]) // train.batch_size
    optimizer = make_optimizer(model, train)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, train.learning_rate, total_steps=EPOCHS * steps, cycle_momentum=False
    )
    for _ in range(EPOCHS):
        model.train()
        for index in torch.randperm(len(parts.train[0]))[: steps * train.batch_size].split(
            train.batch_size
        ):
            loss = F.cross_entropy(
                model(augment(parts.train[0][index])), parts.train[1][index], weights
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        model.eval()
        with torch.inference_mode():
            for inputs, targets in zip(
                *(part.split(256) for part in parts.validation), strict=True
            ):
                F.cross_entropy(model(inputs), targets)
    return EPOCHS * steps * train.batch_size / (time.perf_counter() - started)


if __name__ == "__main__":
    main()
