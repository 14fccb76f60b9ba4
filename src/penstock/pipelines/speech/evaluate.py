"""How well words are understood: by whom, in what noise, and which recordings are hardest."""

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional as F

from ...datasets.dataset import Dataset
from ...evaluation import exhibits, figures
from ...evaluation.classification import evaluate_classes, named_accuracy
from ...evaluation.grouped import accuracy_by_group, accuracy_interval
from ...evaluation.inference import class_probabilities
from ...evaluation.predictions import as_predictions, outcome
from ...pipeline import Evaluation
from .audio import as_float
from .augmentation import scale_noise
from .decode import encode
from .network import KeywordNetwork
from .params import Params
from .predict import OPTIONS

SHIFTS = 9  # places in time at which accuracy is measured
CHUNK = 256  # recordings changed at a time
ACCURACY = ["accuracy", "low", "high"]

Change = Callable[[torch.Tensor], torch.Tensor]  # of a batch of waveforms
Measure = Callable[[Change], tuple[float, float, float]]  # accuracy, low, high


def evaluate(network: KeywordNetwork, dataset: Dataset, params: Params) -> Evaluation:
    """Score every test recording: as it is, in noise, moved in time."""
    settings, rows = params.evaluate, dataset.rows("test")
    waveforms, classes = dataset.array("waveforms")[rows], dataset.info["classes"]
    probabilities = class_probabilities(network, waveforms)
    scores = outcome(as_predictions(probabilities, classes), dataset.index.iloc[rows])
    evaluation = evaluate_classes(scores, classes, settings.resamples)
    measure = partial(_accuracy, network, waveforms, scores, settings.resamples)
    evaluation.metrics |= served(scores, OPTIONS["confidence"])
    _add_speakers(evaluation)
    _add_noise(evaluation, measure, settings.noise_ratios)
    _add_shifts(evaluation, measure, settings.max_shift, dataset.info["rate"])
    _add_hardest(evaluation, network, waveforms, classes, settings.gallery)
    return evaluation


def served(scores: pd.DataFrame, confidence: float) -> dict[str, float]:
    """What is served: below the confidence a word is `unknown`.

    Returns:
        Coverage, the share of recordings that get a word; and the share of those words that are
        right, if there are any.
    """
    named = scores["confidence"].to_numpy() >= confidence
    metrics = {"test/coverage": float(named.mean())}
    if named.any():
        metrics["test/served_accuracy"] = float(scores["correct"].to_numpy()[named].mean())
    return metrics


def _add_speakers(evaluation: Evaluation) -> None:
    table = accuracy_by_group(evaluation.scores).rename(columns={"group": "speaker"})
    evaluation.metrics["test/speakers"] = len(table)
    evaluation.metrics["test/worst_speaker_accuracy"] = float(table["accuracy"].min())
    table = table.sort_values(["accuracy", "speaker"], ignore_index=True)
    evaluation.exhibits.append(exhibits.Table("Speakers, the worst first", table))


def _add_noise(evaluation: Evaluation, measure: Measure, ratios: list[float]) -> None:
    """Accuracy in white noise, the same noise each time: ratio, accuracy, low, high."""
    records = []
    for ratio in ratios:
        change = partial(_in_noise, ratio=ratio, chance=torch.Generator().manual_seed(0))
        accuracy, low, high = measure(change)
        records.append((ratio, accuracy, low, high))
        evaluation.metrics |= named_accuracy(f"accuracy_{ratio:g}db", accuracy, low, high)
    noise = pd.DataFrame(records, columns=["ratio", *ACCURACY])
    evaluation.plots["noise"] = noise
    note = (
        "Accuracy in white noise, by the ratio of speech to noise in decibels; without noise it is "
        f"{evaluation.metrics['test/accuracy']:.4f}."
    )
    drawn = figures.line_figure(noise, "ratio", *ACCURACY)
    evaluation.exhibits.append(exhibits.figure("Noise", drawn, note))


def _in_noise(batch: torch.Tensor, ratio: float, chance: torch.Generator) -> torch.Tensor:
    return batch + scale_noise(batch, torch.randn(batch.shape, generator=chance), ratio)


def _add_shifts(evaluation: Evaluation, measure: Measure, limit: float, rate: int) -> None:
    """Accuracy with all recordings moved by each time: shift in seconds, accuracy, low, high."""
    shifts = pd.DataFrame(
        [
            (round(float(shift), 3), *measure(partial(_moved, samples=round(shift * rate))))
            for shift in np.linspace(-limit, limit, SHIFTS)
        ],
        columns=["shift", *ACCURACY],
    )
    worst = shifts.iloc[int(shifts["accuracy"].argmin())]
    evaluation.metrics |= named_accuracy(
        "shift_accuracy", *(float(worst[name]) for name in ACCURACY)
    )
    evaluation.plots["time_shift"] = shifts
    note = "Accuracy when every recording is moved by so many seconds."
    drawn = figures.line_figure(shifts, "shift", *ACCURACY)
    evaluation.exhibits.append(exhibits.figure("Time shift", drawn, note))


def _moved(batch: torch.Tensor, samples: int) -> torch.Tensor:
    """Moved in time; silence comes in."""
    return F.pad(batch, (samples, -samples))


def _accuracy(
    network: nn.Module,
    waveforms: np.ndarray,
    scores: pd.DataFrame,
    resamples: int,
    change: Change,
) -> tuple[float, float, float]:
    """Accuracy on changed waveforms, a part of them at a time; with its interval by speaker."""
    predicted = []
    for start in range(0, len(waveforms), CHUNK):
        part = as_float(torch.from_numpy(waveforms[start : start + CHUNK]))
        predicted.append(class_probabilities(network, change(part).numpy()).argmax(1))
    correct = np.concatenate(predicted) == scores["label"].to_numpy()
    interval = accuracy_interval(correct, scores["group"].to_numpy(), resamples)
    return float(correct.mean()), *interval


def _add_hardest(
    evaluation: Evaluation,
    network: KeywordNetwork,
    waveforms: np.ndarray,
    classes: list[str],
    count: int,
) -> None:
    """Spectrogram and player of the recordings with the highest loss."""
    scores, device = evaluation.scores, next(network.parameters()).device
    hardest = np.argsort(-scores["loss"].to_numpy(), kind="stable")[:count]
    for number, row in enumerate(hardest, 1):
        shown, title = scores.iloc[row], f"Hardest {number}"
        waveform = torch.from_numpy(waveforms[[row]]).to(device)
        with torch.inference_mode():
            spectrogram = network.spectrogram(waveform)[0].cpu().numpy()
        heard, word = classes[shown["predicted"]], classes[shown["label"]]
        note = f"{shown['id']}: {word}, heard as {heard} ({shown['confidence']:.2f})."
        drawn = figures.spectrogram(spectrogram)
        picture = exhibits.figure(title, drawn, note, sound=encode(waveforms[row]))
        evaluation.exhibits.append(picture)
