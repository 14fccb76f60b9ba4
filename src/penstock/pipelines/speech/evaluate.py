"""How well words are understood: by whom, in what noise, and which recordings are hardest."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional as F

from ...datasets.dataset import Dataset
from ...evaluation import figures
from ...evaluation.classification import evaluate_classes
from ...evaluation.grouped import group_intervals, share_without_exception
from ...evaluation.inference import class_probabilities
from ...evaluation.metrics import proportion_interval
from ...evaluation.predictions import as_predictions, outcome
from ...learning.audio import as_float
from ...learning.audio_augmentation import scale_noise
from ...pipeline import Evaluation
from .decode import encode
from .network import KeywordNetwork
from .params import Params

SHIFTS = 9  # places in time at which accuracy is measured
CHUNK = 256  # recordings changed at a time


def evaluate(network: KeywordNetwork, dataset: Dataset, params: Params) -> Evaluation:
    """Score every test recording: as it is, in noise, moved in time."""
    settings, rows = params.evaluate, dataset.rows("test")
    waveforms, classes = dataset.array("waveforms")[rows], dataset.info["classes"]
    probabilities = class_probabilities(network, waveforms)
    scores = outcome(as_predictions(probabilities, classes), dataset.index.iloc[rows])
    evaluation = evaluate_classes(scores, classes)
    metrics = evaluation.metrics
    low, high = _interval(scores, settings.resamples)
    metrics |= {"test/accuracy_low": low, "test/accuracy_high": high}
    by_speaker = _by_speaker(scores)
    metrics["test/speakers"] = len(by_speaker)
    metrics["test/worst_speaker_accuracy"] = float(by_speaker["accuracy"].min())
    evaluation.tables["Speakers, the worst first"] = by_speaker
    labels = scores["label"].to_numpy()
    noise = _in_noise(network, waveforms, labels, settings.noise_ratios)
    shifts = _moved(network, waveforms, labels, settings.max_shift, dataset.info["rate"])
    for ratio, accuracy in zip(noise["ratio"], noise["accuracy"], strict=True):
        metrics[f"test/accuracy_{ratio:g}db"] = accuracy
    metrics["test/shift_accuracy"] = float(shifts["accuracy"].min())
    evaluation.plots |= {"noise": noise, "time_shift": shifts}
    evaluation.figures |= {
        "Noise": figures.line_figure(noise, "ratio", "accuracy", "low", "high"),
        "Time shift": figures.line_figure(shifts, "shift", "accuracy", "low", "high"),
    }
    evaluation.notes |= {
        "Noise": f"Accuracy in white noise, by the ratio of speech to noise in decibels; without "
        f"noise it is {metrics['test/accuracy']:.4f}.",
        "Time shift": "Accuracy when every recording is moved by so many seconds.",
    }
    _add_hardest(evaluation, network, waveforms, classes, settings.gallery)
    return evaluation


def _interval(scores: pd.DataFrame, resamples: int) -> tuple[float, float]:
    """95 % interval of the accuracy, by bootstrap of whole speakers."""
    correct, speakers = scores["correct"].to_numpy(), scores["group"].to_numpy()
    if correct.min() == correct.max():
        return share_without_exception(float(correct[0]), speakers)
    intervals = group_intervals(
        lambda weights: {"accuracy": float(np.average(correct, weights=weights))},
        speakers,
        resamples,
    )
    return intervals["accuracy"]


def _by_speaker(scores: pd.DataFrame) -> pd.DataFrame:
    groups = scores.groupby("group")["correct"]
    table = pd.DataFrame({"accuracy": groups.mean().astype(float), "examples": groups.size()})
    table = table.rename_axis("speaker").reset_index()
    return table.sort_values(["accuracy", "speaker"], ignore_index=True)


def _in_noise(
    network: nn.Module, waveforms: np.ndarray, labels: np.ndarray, ratios: list[float]
) -> pd.DataFrame:
    """Accuracy in white noise, the same noise each time: ratio, accuracy, low, high."""
    records = []
    for ratio in ratios:
        add = partial(_add_noise, ratio=ratio, chance=torch.Generator().manual_seed(0))
        records.append((ratio, *_accuracy(network, waveforms, labels, add)))
    return pd.DataFrame(records, columns=["ratio", "accuracy", "low", "high"])


def _add_noise(batch: torch.Tensor, ratio: float, chance: torch.Generator) -> torch.Tensor:
    return batch + scale_noise(batch, torch.randn(batch.shape, generator=chance), ratio)


def _moved(
    network: nn.Module, waveforms: np.ndarray, labels: np.ndarray, limit: float, rate: int
) -> pd.DataFrame:
    """Accuracy with all recordings moved by each time: shift in seconds, accuracy, low, high."""
    records = []
    for shift in np.linspace(-limit, limit, SHIFTS):
        move = partial(_move, samples=round(shift * rate))
        records.append((round(float(shift), 3), *_accuracy(network, waveforms, labels, move)))
    return pd.DataFrame(records, columns=["shift", "accuracy", "low", "high"])


def _move(batch: torch.Tensor, samples: int) -> torch.Tensor:
    """Move in time; silence comes in."""
    return F.pad(batch, (samples, -samples))


def _accuracy(
    network: nn.Module,
    waveforms: np.ndarray,
    labels: np.ndarray,
    change: Callable[[torch.Tensor], torch.Tensor],
) -> tuple[float, float, float]:
    """Accuracy on changed waveforms, with its interval; a part of them at a time."""
    correct = 0
    for start in range(0, len(waveforms), CHUNK):
        part = as_float(torch.from_numpy(waveforms[start : start + CHUNK]))
        predicted = class_probabilities(network, change(part).numpy()).argmax(1)
        correct += int((predicted == labels[start : start + CHUNK]).sum())
    return correct / len(labels), *proportion_interval(correct, len(labels))


def _add_hardest(
    evaluation: Evaluation,
    network: KeywordNetwork,
    waveforms: np.ndarray,
    classes: list[str],
    count: int,
) -> None:
    """Spectrogram and player of the recordings with the highest loss."""
    scores = evaluation.scores
    hardest = np.argsort(-scores["loss"].to_numpy(), kind="stable")[:count]
    for number, row in enumerate(hardest, 1):
        shown, title = scores.iloc[row], f"Hardest {number}"
        with torch.inference_mode():
            spectrogram = network.spectrogram(torch.from_numpy(waveforms[[row]]))[0].numpy()
        evaluation.figures[title] = figures.spectrogram(spectrogram)
        evaluation.sounds[title] = encode(waveforms[row])
        heard, word = classes[shown["predicted"]], classes[shown["label"]]
        evaluation.notes[title] = (
            f"{shown['id']}: {word}, heard as {heard} ({shown['confidence']:.2f})."
        )
