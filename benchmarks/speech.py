"""Speech: how settings were chosen, what unseen speakers get, and how fast it is.

    python benchmarks/speech.py choose --source SPEECH_COMMANDS     # kinds, by unseen speakers
    python benchmarks/speech.py pairs --source SPOKEN_DIGITS        # augmentation, by two left out
    python benchmarks/speech.py unseen --source SPOKEN_DIGITS    # one speaker left out, 3 seeds
    python benchmarks/speech.py known --source SPOKEN_DIGITS        # augmentation for known voices
    python benchmarks/speech.py takes --source SPOKEN_DIGITS        # recordings 0-4 of each as test
    python benchmarks/speech.py commands --source SPEECH_COMMANDS   # held-out speakers, 3 seeds
    python benchmarks/speech.py frontend --source SPOKEN_DIGITS     # against librosa, file by file
    python benchmarks/speech.py ingest --source SPOKEN_DIGITS       # files/s
    python benchmarks/speech.py train --source SPOKEN_DIGITS        # clips/s against a bare loop

`choose` learns from six speakers of Speech Commands and tests on the others, but for those whom
`commands` tests on. `pairs` leaves out two speakers at a time; what it says for one comes from
models that never heard that speaker, tested on another. `known` tests on recordings 5 to 14 and
leaves out those that `takes` tests on. So nothing that is reported on was chosen by. Beside ours,
the published recipe (13 MFCC, convolutions 32 and 64, dense 128, dropout 0.5; Adam, 10 epochs, no
augmentation) learns from the same rows in the same run.
"""

import argparse
import io
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import librosa
import numpy as np
import soundfile
import torch
from torch.nn import functional as F

from hardware import describe_hardware
from pairs import compare, per_second
from penstock.datasets.dataset import Dataset, DatasetWriter
from penstock.evaluation.grouped import accuracy_interval
from penstock.evaluation.inference import class_probabilities
from penstock.learning.learner import make_optimizer
from penstock.learning.training import seed
from penstock.pipelines.speech.audio import Cepstrum, LogMel
from penstock.pipelines.speech.decode import RATE
from penstock.pipelines.speech.ingest import ingest
from penstock.pipelines.speech.network import network
from penstock.pipelines.speech.params import CNN, BCResNet, Params
from penstock.pipelines.speech.train import learner
from penstock.settings.explanation import default_params
from penstock.stages.train import train_network

PARAMS: Any = default_params("speech")
RECIPE = CNN(features="mfcc", normalise="none", mels=128, window=2048, hop=512, f_min=0.0)
PLAINLY = {
    **{"optimizer": "adam", "learning_rate": 0.001, "schedule": "constant", "weight_decay": 0.0},
    **{"batch_size": 32, "max_epochs": 10, "min_steps": 0},
    **{"speed": 0.0, "time_shift": 0.0, "gain": 0.0, "noise": 0.0},
    **{"tract": 0.0, "pace": 0.0, "masks": 0, "label_smoothing": 0.0},
}
AUGMENTATION = ("speed", "time_shift", "gain", "noise", "tract", "pace", "masks")
SHORTER = {"max_epochs": 1, "min_steps": 500}
MILDER = {
    **{"speed": 0.15, "tract": 0.15, "pace": 0.2, "label_smoothing": 0.0},
    **{"learning_rate": 0.003, "max_epochs": 1, "min_steps": 300},
}
STRONGER = {
    **{"speed": 0.35, "tract": 0.25, "pace": 0.3, "masks": 2},
    **{"learning_rate": 0.005, "max_epochs": 1, "min_steps": 700},
}
HALF = {"speed": 0.1, "tract": 0.1, "pace": 0.15}
KNOWN = {"speed": 0.05, "tract": 0.05, "pace": 0.1, "noise": 0.3}
CANDIDATES: dict[str, dict[str, Any]] = {
    "milder": MILDER,
    "stronger": STRONGER,
    "shorter": SHORTER,
    "the defaults": {},
}
GROUPS, RICHEST = 4, 24  # of `choose`: six speakers each are learned from
FRONTEND_BATCH, PASSES = 16, 8  # clips: what they become stays in a cache; passes in a pair


def main() -> None:
    """Print the hardware, then what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = ["choose", "pairs", "known", "unseen", "takes", "commands"]
    parser.add_argument("what", choices=[*what, "frontend", "ingest", "train"])
    parser.add_argument("--source", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=5, help="pairs of measurements")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    options = parser.parse_args()
    print(f"{describe_hardware()}; {PARAMS.train.threads} threads", flush=True)
    measure: Callable[[argparse.Namespace], None] = globals()[f"measure_{options.what}"]
    measure(options)


@contextmanager
def ingested(source: Path, **data: Any) -> Iterator[Dataset]:
    """The dataset of a source, with the defaults unless told otherwise."""
    chosen = PARAMS.data.model_copy(update={"split": "ranked", **data})
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "dataset"
        with DatasetWriter(folder) as writer:
            ingest(source, writer, SimpleNamespace(data=chosen))  # type: ignore[arg-type]
        yield Dataset(folder)


def with_settings(model: Any = None, **train: Any) -> Params:
    """The defaults, with another model or other settings of training."""
    settings = PARAMS.train.model_copy(update=train)
    updated: Params = PARAMS.model_copy(update={"model": model or PARAMS.model, "train": settings})
    return updated


def accuracy(dataset: Dataset, splits: np.ndarray, params: Params) -> tuple[np.ndarray, float]:
    """Train on other splits; which test examples are right, and the seconds of training."""
    with tempfile.TemporaryDirectory() as temporary, redirect_stdout(io.StringIO()):
        folder = Path(temporary)
        with DatasetWriter(folder / "dataset") as writer:
            writer.resplit(dataset, splits)
        part = Dataset(folder / "dataset")
        model, training = train_network("speech", params, part, folder / "checkpoints")
        rows = part.rows("test")
        predicted = class_probabilities(model, part.array("waveforms"), rows).argmax(1)
        return predicted == part.index["label"].to_numpy()[rows], training.seconds


OURS_AND_RECIPE = {"ours": with_settings(), "the recipe": with_settings(RECIPE, **PLAINLY)}


def split_by(tested: np.ndarray) -> np.ndarray:
    """Splits that learn from all that is not tested: settings are chosen already."""
    splits = np.where(tested, "test", "train").astype("<U10")
    splits[np.flatnonzero(~tested)[:1]] = "validation"  # learned from too, `on_validation_too`
    return splits


def measure_choose(options: argparse.Namespace) -> None:
    """Words of many unseen speakers, after learning from six; four times, six others each."""
    by_utterance = PARAMS.model.model_copy(update={"normalise": "utterance"})
    kinds: dict[str, dict[str, Any]] = {
        "the defaults": {},
        "kind: bcresnet, width 1": {"model": BCResNet(width=1.0), "learning_rate": 0.01},
        "normalise: utterance": {"model": by_utterance},
        "augmentation as before `pairs`": MILDER,
        "no augmentation": {name: PLAINLY[name] for name in AUGMENTATION},
        "the published recipe": {"model": RECIPE, **PLAINLY},
    }
    with ingested(options.source) as dataset:
        for name, settings in kinds.items():
            params = with_settings(**settings)
            found = [
                accuracy(dataset, few_speakers(dataset, group), params)[0].mean()
                for group in range(GROUPS)
            ]
            shown = ", ".join(f"{it:.3f}" for it in found)
            print(f"choose: {name}: {np.mean(found):.4f} ({shown})", flush=True)


def measure_pairs(options: argparse.Namespace) -> None:
    """Two neighbours of a ring of speakers left out: for each, the accuracy on the other."""
    with ingested(options.source) as dataset:
        speakers = dataset.index["speaker"].to_numpy()
        ring = np.unique(speakers)
        for name, settings in CANDIDATES.items():
            inner: dict[str, list[float]] = {str(speaker): [] for speaker in ring}
            for pair in zip(ring, np.roll(ring, -1), strict=True):
                tested = np.isin(speakers, pair)
                correct, _ = accuracy(dataset, split_by(tested), with_settings(**settings))
                for left_out, other in (pair, pair[::-1]):
                    inner[str(left_out)].append(float(correct[speakers[tested] == other].mean()))
            means = {speaker: np.mean(values) for speaker, values in inner.items()}
            shown = ", ".join(f"{speaker} {value:.3f}" for speaker, value in means.items())
            print(f"pairs: {name}: {np.mean(list(means.values())):.4f} ({shown})", flush=True)


def few_speakers(dataset: Dataset, group: int) -> np.ndarray:
    """Learn from six of the speakers with most recordings; test on the others.

    Those whom `commands` tests on are in no split.
    """
    index = dataset.index
    dev = index[index["split"] != "test"]
    richest = dev["speaker"].value_counts().sort_index().sort_values(ascending=False, kind="stable")
    learned = list(richest.index[:RICHEST])[group::GROUPS]
    splits = np.full(len(index), "held out")
    splits[(index["split"] != "test") & ~index["speaker"].isin(learned)] = "test"
    rows = np.flatnonzero((index["split"] != "test") & index["speaker"].isin(learned))
    splits[rows] = "train"
    splits[rows[:1]] = "validation"
    return splits


def measure_unseen(options: argparse.Namespace) -> None:
    """Every speaker left out in turn: ours and the published recipe, three seeds each."""
    with ingested(options.source) as dataset:
        speakers = dataset.index["speaker"].to_numpy()
        for name, params in OURS_AND_RECIPE.items():
            table: dict[str, list[float]] = {}
            for number in options.seeds:
                started = time.perf_counter()
                for speaker in np.unique(speakers):
                    correct, _ = accuracy(
                        dataset, split_by(speakers == speaker), reseeded(params, number)
                    )
                    table.setdefault(str(speaker), []).append(float(correct.mean()))
                    print(f"  {speaker}: {correct.mean():.4f}", flush=True)
                means = [values[-1] for values in table.values()]
                print(
                    f"unseen speakers, {name}, seed {number}: mean {np.mean(means):.4f}, worst "
                    f"{min(means):.4f}; {time.perf_counter() - started:.0f} s for one pass",
                    flush=True,
                )
            for speaker, values in table.items():
                shown = ", ".join(f"{it:.3f}" for it in values)
                print(f"  {speaker}: {np.mean(values):.4f} ({shown})")
            means = [float(np.mean(values)) for values in table.values()]
            low, high = mean_interval(np.array(means))
            print(
                f"unseen speakers, {name}: mean {np.mean(means):.4f} (95 % by speaker: {low:.3f} "
                f"to {high:.3f}), worst {min(means):.4f}",
                flush=True,
            )


def mean_interval(values: np.ndarray) -> tuple[float, float]:
    """95 % interval of a mean of few speakers (Student's t)."""
    from scipy.stats import t

    half = t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean() - half), float(min(1, values.mean() + half))


def measure_known(options: argparse.Namespace) -> None:
    """How much to change voices that are known: recordings 5 to 14 tested, 0 to 4 left out."""
    with ingested(options.source, split="pattern", test_pattern=r"_[0-4]\.wav$") as dataset:
        reported = (dataset.index["split"] == "test").to_numpy()
        tested = dataset.index["id"].str.contains(r"_(?:[5-9]|1[0-4])\.wav$").to_numpy()
        splits = np.where(reported, "held out", split_by(reported | tested))
        splits[tested] = "test"
        for name, settings in {"the defaults": {}, "half": HALF, "a quarter": KNOWN}.items():
            correct, _ = accuracy(dataset, splits, with_settings(**settings))
            print(f"known: {name}: {correct.mean():.4f}, {(~correct).sum()} errors", flush=True)


def measure_takes(options: argparse.Namespace) -> None:
    """Recordings 0 to 4 of each speaker and word as test, all others to learn from."""
    with ingested(options.source, split="pattern", test_pattern=r"_[0-4]\.wav$") as dataset:
        candidates = {"for known voices": with_settings(**KNOWN), **OURS_AND_RECIPE}
        compare_on_test("takes", dataset, options.seeds, candidates)


def measure_commands(options: argparse.Namespace) -> None:
    """A fifth of the speakers as test, all others to learn from."""
    with ingested(options.source) as dataset:
        compare_on_test("commands", dataset, options.seeds, OURS_AND_RECIPE)


def compare_on_test(
    what: str, dataset: Dataset, seeds: list[int], candidates: dict[str, Params]
) -> None:
    """Each candidate on the test split, three seeds each."""
    tested = (dataset.index["split"] == "test").to_numpy()
    speakers = dataset.index["speaker"].to_numpy()[tested]
    print(
        f"{what}: {tested.sum()} test recordings of {len(np.unique(speakers))} speakers; "
        f"{(~tested).sum()} to learn from",
        flush=True,
    )
    for name, params in candidates.items():
        found, seconds = [], []
        for number in seeds:
            correct, took = accuracy(dataset, split_by(tested), reseeded(params, number))
            found.append(correct)
            seconds.append(took)
        shown = ", ".join(f"{it.mean():.4f}" for it in found)
        means = np.mean(found, axis=0)  # of the seeds, for each recording
        low, high = accuracy_interval(means, speakers, 1000)
        print(
            f"{what}, {name}: accuracy {means.mean():.4f} (95 % by speaker: {low:.4f} to "
            f"{high:.4f}), of seeds {seeds}: {shown}; training {max(seconds):.0f} s at most",
            flush=True,
        )


def reseeded(params: Params, number: int) -> Params:
    """The same settings with another seed."""
    train = params.train.model_copy(update={"seed": number})
    return params.model_copy(update={"train": train})


def measure_frontend(options: argparse.Namespace) -> None:
    """Our MFCC of batches against librosa's, file by file, of the same clips."""
    with ingested(options.source) as dataset:
        waveforms = np.array(dataset.array("waveforms")[:1024])
    ours = torch.nn.Sequential(LogMel(RATE, 512, 256, 40, 50.0, 8000.0, 80.0), Cepstrum(40, 13))
    settings = {"sr": RATE, "n_mfcc": 13, "n_fft": 512, "hop_length": 256}
    settings |= {"n_mels": 40, "fmin": 50, "fmax": 8000}
    sounds = waveforms.astype(np.float32) / 2**15
    seed(PARAMS.train)  # threads and memory as in training

    def in_batches() -> np.ndarray:
        with torch.inference_mode():
            parts = torch.from_numpy(waveforms).split(FRONTEND_BATCH)
            return torch.cat([ours(part) for part in parts]).numpy()

    def file_by_file() -> np.ndarray:
        return np.stack([librosa.feature.mfcc(y=sound, **settings) for sound in sounds])

    difference = np.abs(in_batches() - file_by_file()).max()
    print(f"front end: largest difference {difference:.1e}")

    def often() -> None:  # about as long as librosa takes: threads and caches settle in the first
        for _ in range(PASSES):
            in_batches()

    compare(
        "front end",
        lambda: per_second(PASSES * len(sounds), often),
        "librosa, file by file",
        lambda: per_second(len(sounds), file_by_file),
        "clips/s",
        options.rounds,
    )


def measure_ingest(options: argparse.Namespace) -> None:
    """The stage's reading, with all its checks, against soundfile in a loop."""
    files = sorted(options.source.rglob("*.wav"))

    def ours() -> None:
        with ingested(options.source):
            pass

    def theirs() -> None:
        for file in files:
            soundfile.read(file)

    compare(
        "ingest",
        lambda: per_second(len(files), ours),
        "soundfile alone, one process, no resampling",
        lambda: per_second(len(files), theirs),
        "files/s",
        options.rounds,
    )


def measure_train(options: argparse.Namespace) -> None:
    """The train stage against a plain loop over the same batches, network and augmentation."""
    params = with_settings(max_epochs=2, min_steps=0)
    with ingested(options.source) as dataset:
        train_loop(dataset, params)  # warm up
        compare(
            "training",
            lambda: train_stage(dataset, params),
            "a bare loop",
            lambda: train_loop(dataset, params),
            "clips/s",
            options.rounds,
        )


def train_stage(dataset: Dataset, params: Params) -> float:
    """Clips/s of the train stage."""
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        _, training = train_network("speech", params, dataset, Path(folder) / "checkpoints")
    return training.examples_per_second


def train_loop(dataset: Dataset, params: Params) -> float:
    """Clips/s of what one would write by hand, validation included."""
    train = params.train
    seed(train)
    model = network(params.model, dataset.info)
    step = learner(model, params, dataset).train()
    optimizer = make_optimizer(model, train)
    rows, held_out = dataset.rows(*train.splits), dataset.rows("validation")
    waveforms = torch.from_numpy(np.array(dataset.array("waveforms")))
    labels = torch.tensor(dataset.index["label"].to_numpy(), dtype=torch.long)
    steps = len(rows) // train.batch_size
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer,
        train.learning_rate,
        total_steps=steps * train.max_epochs,
        pct_start=train.warmup,
        cycle_momentum=False,
    )
    started = time.perf_counter()
    for _ in range(train.max_epochs):
        model.train()
        order = torch.from_numpy(rows)[torch.randperm(len(rows))]
        for number in range(steps):
            batch = order[number * train.batch_size : (number + 1) * train.batch_size]
            loss = F.cross_entropy(
                step.augmented_logits(waveforms[batch]),
                labels[batch],
                label_smoothing=train.label_smoothing,
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        class_probabilities(model, dataset.array("waveforms"), held_out)
    took = time.perf_counter() - started
    return train.max_epochs * steps * train.batch_size / took


if __name__ == "__main__":
    main()
