"""Detection: how the defaults were chosen, what they reach on blood cells, how fast it is.

    python benchmarks/detection.py choose --source ../shared/data/detection/BCCD     # on validation
    python benchmarks/detection.py compare --source ../shared/data/detection/BCCD \
        --seeds 0 1 2 --minutes 5 15 --threads 2 --jobs 6                           # on test images
    python benchmarks/detection.py throughput --source ../shared/data/detection/BCCD
    python benchmarks/detection.py speed --source ../shared/data/detection/BCCD

Each training takes `--minutes` on `--threads` cores: its first steps tell how many come into that.
With `--jobs`, trainings run side by side, each on cores of its own; more jobs than there are cores
for are refused. `choose` learns from the training split and never asks the test split; `compare`
learns from training and validation split, once all is chosen, and asks the test split once for each
seed. `throughput` compares the Lightning stage with a bare loop, `speed` measures a model as it is
served.
"""

import argparse
import io
import json
import os
import re
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
import psutil
import torch
from torch import nn

from hardware import describe_hardware
from pairs import compare as compare_pairs
from penstock import pipeline
from penstock.datasets.dataset import Dataset, DatasetWriter
from penstock.kinds.images.decode import encode
from penstock.learning.learner import make_optimizer, make_schedule
from penstock.learning.loading import batches
from penstock.learning.training import fit, seed
from penstock.pipelines.detection import detections
from penstock.pipelines.detection.augmentation import Augmentation
from penstock.pipelines.detection.average_precision import mark
from penstock.pipelines.detection.counting import count
from penstock.pipelines.detection.evaluate import detect_all
from penstock.pipelines.detection.ingest import ingest
from penstock.pipelines.detection.loss import detection_loss, places_of
from penstock.pipelines.detection.predict import CONFIDENCE, OPTIONS, predict, truths_of
from penstock.pipelines.detection.targets import targets_of
from penstock.settings.explanation import default_params
from penstock.settings.file import parse_section
from penstock.stages.train import train_network

Settings = dict[str, dict[str, Any]]

# What `choose` compares: settings that differ from the defaults.
CANDIDATES: dict[str, Settings] = {
    "default": {},
    "learning rate 0.001": {"train": {"learning_rate": 0.001}},
    "learning rate 0.004": {"train": {"learning_rate": 0.004}},
    "batch 4": {"train": {"batch_size": 4}},
    "batch 16": {"train": {"batch_size": 16}},
    "focus 2": {"train": {"focus": 2.0}},
    "focus 0": {"train": {"focus": 0.0}},
    "no mosaic": {"train": {"mosaic": 0.0}},
    "mosaic 0.6": {"train": {"mosaic": 0.6}},
    "mirrored only": {"train": {"turns": "mirror"}},
    "colour 0.1": {"train": {"colour": 0.1}},
    "colour 0.3": {"train": {"colour": 0.3}},
    "zoom 0.5 to 2": {"train": {"zoom": [0.5, 2.0]}},
    "zoom 0.8 to 1.2": {"train": {"zoom": [0.8, 1.25]}},
    "weight decay 0.2": {"train": {"weight_decay": 0.2}},
    "average 0.999": {"train": {"average": 0.999}},
    "no average": {"train": {"average": 0.0}},
    "bf16": {"train": {"precision": "bf16-mixed"}},
    "stride 4": {"model": {"stride": 4}},
    "half the channels": {"model": {"channels": [8, 16, 32, 64, 80], "features": 32}},
    "more channels": {"model": {"channels": [16, 32, 96, 192, 256], "features": 96}},
    "efficientnet_lite0": {
        "model": {"kind": "efficientnet_lite0", "features": 64, "stride": 8},
        "train": {"learning_rate": 0.001},
    },
    "192x256": {"data": {"height": 192, "width": 256}},
    "288x384": {"data": {"height": 288, "width": 384}},
}
PILOT = 48  # steps
CONFIDENCES = np.arange(0.2, 0.9, 0.05)
OVERLAPS = (0.4, 0.5, 0.6, 0.7)


def make(settings: Settings) -> Any:
    """The pipeline's parameters with some of them changed."""
    section = default_params("detection").model_dump(mode="json")
    for part, values in settings.items():
        whole = values.get("kind", section[part].get("kind")) == section[part].get("kind")
        section[part] = {**(section[part] if whole else {}), **values}
    return parse_section("detection", section, Path("params.yaml"))


def train(dataset: Dataset, params: Any, minutes: float) -> tuple[nn.Module, Any]:
    """Train for so long, by what the first steps take; the network, and how it went."""
    _, pilot = _train(dataset, params, PILOT)
    return _train(dataset, params, int(60 * minutes * pilot.steps / pilot.seconds))


def _train(dataset: Dataset, params: Any, steps: int) -> tuple[nn.Module, Any]:
    module = pipeline.load("detection", "train")
    source = module.source(dataset, params.train.splits, params)
    each = max(1, len(source) // params.train.batch_size)
    epochs = max(1, round(steps / each))
    settings = params.train.model_copy(update={"max_epochs": epochs, "min_steps": 0})
    seed(settings)
    network = pipeline.load("detection", "network").network(params.model, dataset.info)
    learner = module.learner(network, params.model_copy(update={"train": settings}), dataset)
    memory = psutil.virtual_memory().available
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        done = fit(learner, source, None, settings, Path(folder), lambda *_: None, memory)
    return network, done


@contextmanager
def ingested(source: Path, params: Any) -> Iterator[Dataset]:
    """The dataset of a source, in a scratch folder."""
    with tempfile.TemporaryDirectory() as folder:
        with DatasetWriter(Path(folder) / "dataset") as writer, redirect_stdout(io.StringIO()):
            ingest(source, writer, params)
        yield Dataset(Path(folder) / "dataset")


def choose_one(
    source: Path, name: str, minutes: float, threads: int, number: int
) -> dict[str, Any]:
    """Train by one candidate's settings; mean average precision on validation images."""
    settings = CANDIDATES[name]
    fixed = {"threads": threads, "seed": number, "on_validation_too": False}
    params = make({**settings, "train": {**settings.get("train", {}), **fixed}})
    with ingested(source, params) as dataset, redirect_stdout(io.StringIO()):
        network, done = train(dataset, params, minutes)
        chosen = {str(it): _measured(network, dataset, it) for it in OVERLAPS}
    return {"by overlap": chosen, "seconds": done.seconds, "steps": done.steps}


def _measured(network: nn.Module, dataset: Dataset, overlap: float) -> dict[str, Any]:
    """Average precision and errors of counts on validation images, where boxes drop at an IoU."""
    detections.OVERLAP = overlap
    found, truths = detect_all(network, dataset, "validation"), truths_of(dataset, "validation")
    classes = dataset.info["classes"]
    precision = mark(truths, found, len(classes)).average_precision(np.ones(len(truths)))
    errors = {it: count(truths, found, classes, it).error() for it in CONFIDENCES.tolist()}
    return {
        "map50": float(np.nanmean(precision[0])),
        "map": float(np.nanmean(precision)),
        "classes": dict(zip(classes, precision[0].round(3).tolist(), strict=True)),
        "count error by confidence": {f"{it:.2f}": round(e, 3) for it, e in errors.items()},
    }


def compare_one(
    source: Path, name: str, minutes: float, threads: int, number: int
) -> dict[str, Any]:
    """Train by the defaults on all but the test split; all that evaluate measures."""
    fixed = {"threads": threads, "seed": number, "on_validation_too": True}
    settings = CANDIDATES[name]
    params = make({**settings, "train": {**settings.get("train", {}), **fixed}})
    with ingested(source, params) as dataset, redirect_stdout(io.StringIO()):
        network, done = train(dataset, params, minutes)
        evaluation = pipeline.load("detection", "evaluate").evaluate(network, dataset, params)
    tables = {it.title: it.rows for it in evaluation.exhibits if hasattr(it, "rows")}
    return {
        "seconds": done.seconds,
        "steps": done.steps,
        "metrics": evaluation.metrics,
        **{name: tables[name].to_dict("records") for name in ("Per class", "Counting")},
    }


def in_parallel(
    what: str, source: Path, tasks: list[tuple[str, float, int]], threads: int, jobs: int
) -> Iterator[tuple[tuple[str, float, int], dict[str, Any]]]:
    """Run trainings side by side in processes of their own, each on cores of its own."""
    cores = sorted(os.sched_getaffinity(0))
    if jobs * threads > len(cores):
        raise SystemExit(
            f"--jobs {jobs} on {threads} cores each: there are {len(cores)}; give fewer"
        )
    free = [cores[it * threads : (it + 1) * threads] for it in range(jobs)]
    running: list[tuple[tuple[str, float, int], list[int], subprocess.Popen[str]]] = []
    waiting = list(tasks)
    while waiting or running:
        while waiting and free:
            task, own = waiting.pop(0), free.pop(0)
            running.append((task, own, _start(what, source, task, threads, own)))
        time.sleep(0.5)
        for entry in [it for it in running if it[2].poll() is not None]:
            running.remove(entry)
            task, own, process = entry
            free.append(own)
            answer, _ = process.communicate()
            if process.returncode:
                raise SystemExit(f"{task}: ended with {process.returncode}")
            yield task, json.loads(answer.splitlines()[-1])


def _start(
    what: str, source: Path, task: tuple[str, float, int], threads: int, cores: list[int]
) -> "subprocess.Popen[str]":
    name, minutes, number = task
    options = [what, "--source", source, "--one", name, "--minutes", minutes, "--seeds", number]
    return subprocess.Popen(
        [sys.executable, __file__, *map(str, options), "--threads", str(threads)],
        env={**os.environ, "OMP_NUM_THREADS": str(threads)},
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    )


def choose(options: argparse.Namespace) -> None:
    """Mean average precision on validation images, by settings."""
    names = [it for it in CANDIDATES if not options.only or it in options.only]
    tasks = [(it, options.minutes[0], number) for number in options.seeds for it in names]
    for (name, _, number), found in in_parallel(
        "choose", options.source, tasks, options.threads, options.jobs
    ):
        print(f"{name}, seed {number}: {found['steps']:,} steps in {found['seconds']:.0f} s")
        for overlap, it in found["by overlap"].items():
            print(
                f"  boxes dropped at {overlap}: mAP50 {it['map50']:.4f}  mAP {it['map']:.4f}  "
                f"{it['classes']}  count error {it['count error by confidence']}",
                flush=True,
            )


def compare(options: argparse.Namespace) -> None:
    """What is reached on test images after each time, by seeds."""
    names = options.only or ["default"]
    tasks = [(it, m, s) for it in names for m in sorted(options.minutes) for s in options.seeds]
    found: dict[tuple[str, float], list[dict[str, Any]]] = defaultdict(list)
    for (name, minutes, number), it in in_parallel(
        "compare", options.source, tasks, options.threads, options.jobs
    ):
        found[name, minutes].append(it)
        metrics = it["metrics"]
        print(
            f"{name}, {minutes:g} minutes, seed {number}: "
            + "  ".join(
                f"{key} {metrics[f'test/{key}']:.4f} "
                f"({metrics[f'test/{key}_low']:.4f} to {metrics[f'test/{key}_high']:.4f})"
                for key in ("map50", "map", "count_error")
            )
            + f"  calibration error {metrics['test/calibration_error']:.3f}  "
            f"{it['steps']:,} steps in {it['seconds']:.0f} s",
            flush=True,
        )
    for (name, minutes), runs in sorted(found.items()):
        print(f"\n{name}, {minutes:g} minutes, mean of {len(runs)} seeds:")
        keys = ("map50", "map50_low", "map50_high", "map", "count_error")
        means = {key: np.mean([it["metrics"][f"test/{key}"] for it in runs]) for key in keys}
        print("  ".join(f"{key} {value:.4f}" for key, value in means.items()))
        for title in ("Per class", "Counting"):
            table = pd.concat([pd.DataFrame(it[title]) for it in runs])
            print(table.groupby("class").mean().round(3).to_string(), flush=True)


def throughput(options: argparse.Namespace) -> None:
    """Training examples/s of the stage and of a bare loop, in turns."""
    params = make({"train": {"threads": options.threads, "max_epochs": 2, "min_steps": 0}})
    with ingested(options.source, params) as dataset:
        bare(dataset, params)
        compare_pairs(
            "Lightning stage",
            lambda: lightning(dataset, params),
            "a bare loop",
            lambda: bare(dataset, params),
            "examples/s",
            options.rounds,
        )


def lightning(dataset: Dataset, params: Any) -> float:
    """Examples/s of the train stage, without validation."""
    train = params.train.model_copy(update={"on_validation_too": True})
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        changed = params.model_copy(update={"train": train})
        _, training = train_network("detection", changed, dataset, Path(folder) / "checkpoints")
    return training.examples_per_second


def bare(dataset: Dataset, params: Any) -> float:
    """Examples/s of the same training in a loop as one would write it by hand."""
    seed(params.train)
    module = pipeline.load("detection", "train")
    network = pipeline.load("detection", "network").network(params.model, dataset.info)
    settings = params.train
    augment = Augmentation(settings.zoom, settings.turns, settings.colour, settings.mosaic)
    source = module.source(dataset, ("train", "validation"), params)
    started = time.perf_counter()
    loader = batches(source, settings.batch_size, seed=0, loading="memory")
    optimizer = make_optimizer(network, settings)
    schedule = make_schedule(optimizer, settings, settings.max_epochs * len(loader))
    average = [it.clone() for it in network.state_dict().values() if it.is_floating_point()]
    seen = 0
    for _ in range(settings.max_epochs):
        for batch in loader:
            images, targets = augment(batch["inputs"], targets_of(batch), batch["inside"])
            around = places_of(images, network.stride)
            loss = sum(detection_loss(*network(images), targets, around, settings.focus))
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), settings.gradient_clip)
            optimizer.step()
            schedule.step()
            state = [it for it in network.state_dict().values() if it.is_floating_point()]
            torch._foreach_lerp_(average, state, 1 - settings.average)
            seen += len(images)
    return seen / (time.perf_counter() - started)


def speed(options: argparse.Namespace) -> None:
    """Images/s as they are served, and memory for images of 16 million pixels."""
    params = make({"train": {"threads": options.threads}})
    torch.set_num_threads(options.threads)
    files = sorted((options.source / "JPEGImages").glob("*.jpg"))[:64]
    classes = {"classes": ["Platelets", "RBC", "WBC"]}
    info = {"image_size": [params.data.height, params.data.width], "max_pixels": 10**8, **classes}
    network = pipeline.load("detection", "network").network(params.model, info).eval()
    inputs = pd.DataFrame({"image": [it.read_bytes() for it in files]})
    for draw in (False, True):
        answer = {**OPTIONS, "confidence": CONFIDENCE, "draw": draw}
        predict(network, inputs[:4], info, answer)
        started = time.perf_counter()
        predict(network, inputs, info, answer)
        rate = len(files) / (time.perf_counter() - started)
        print(f"{rate:,.0f} images/s{', drawn' if draw else ''}, from files of 640x480 pixels")
    large = np.random.default_rng(0).integers(0, 256, (4000, 4000, 3), np.uint8)
    before = _peak()
    predict(network, pd.DataFrame({"image": [encode(large)] * 4}), info, OPTIONS)
    print(f"four files of 4,000x4,000 pixels: {(_peak() - before) / 1e6:,.0f} MB more at the peak")


def _peak() -> int:
    """The most memory that this process has held, in bytes."""
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    return 1024 * int(found[1]) if found else 0


def main() -> None:
    """Print the hardware, then what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=["choose", "compare", "throughput", "speed"])
    parser.add_argument("--source", type=Path, required=True, help="boxes in any format")
    parser.add_argument("--minutes", type=float, nargs="+", default=[5.0], help="of training")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--threads", type=int, default=2, help="of each training")
    parser.add_argument("--jobs", type=int, default=1, help="trainings side by side")
    parser.add_argument("--only", nargs="+", choices=CANDIDATES, help="these candidates")
    parser.add_argument("--rounds", type=int, default=5, help="pairs of `throughput`")
    parser.add_argument("--one", choices=CANDIDATES, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        work = {"choose": choose_one, "compare": compare_one}[options.what]
        task = options.minutes[0], options.threads, options.seeds[0]
        print(json.dumps(work(options.source, options.one, *task)))
        return
    print(describe_hardware(), flush=True)
    {"choose": choose, "compare": compare, "throughput": throughput, "speed": speed}[options.what](
        options
    )


if __name__ == "__main__":
    main()
