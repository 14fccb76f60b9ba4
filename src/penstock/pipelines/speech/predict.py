"""What is served: sound files -> words; and in a long recording, which words are said when."""

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
from torch import nn

from ...evaluation.inference import class_probabilities
from ...evaluation.predictions import ACCURACY, CLASS_OUTPUTS, as_predictions, decode_all
from ...evaluation.predictions import outcome as outcome
from ...pipeline import Interface
from .decode import decode, open_recording

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset

OUTPUTS = {**CLASS_OUTPUTS, "words": "strings", "starts": "array", "scores": "array"}
OPTIONS: dict[str, Any] = {
    "confidence": 0.5,  # a word less sure than that is unknown
    "detect": False,  # whether to look for words all over the recording
    "threshold": 0.7,  # of a detected word's smoothed probability
}
UNKNOWN = "unknown"
LONGEST = 3600.0  # seconds of a recording that words are looked for in
STEPS = 10  # windows that begin within the length of one
SMOOTHED = 3  # neighbouring windows whose probabilities are averaged
FAINT = 10 ** (-30 / 10)  # of the loudest window's energy: nobody speaks below that
CHUNK = 256  # recordings decoded at a time


class Word(NamedTuple):
    """A word found in a recording: the second its window starts at, and how sure it is."""

    start: float
    word: str
    score: float


def interface(info: dict[str, Any], model: dict[str, Any]) -> Interface:
    """The bytes of a sound file -> a word; if asked, all words in it."""
    return Interface({"audio": "binary"}, OUTPUTS, ACCURACY, OPTIONS)


def predict(
    network: nn.Module, inputs: pd.DataFrame, info: dict[str, Any], options: dict[str, Any]
) -> pd.DataFrame:
    """Name the word of each sound file.

    Returns:
        label (`unknown` below the confidence asked for), confidence, probabilities (a list in the
        order of the words), error: what was wrong with a file that could not be decoded, whose
        other columns are empty. If words are to be detected: words, with the second each starts
        at and its score, in the order of time; label is then the surest of them.
    """
    answer = _detect if options["detect"] else _name
    parts = [
        answer(network, inputs["audio"].iloc[start : start + CHUNK], info, options)
        for start in range(0, max(1, len(inputs)), CHUNK)
    ]
    return pd.concat(parts, ignore_index=True)


def _name(
    network: nn.Module, contents: pd.Series, info: dict[str, Any], options: dict[str, Any]
) -> pd.DataFrame:
    samples, lengths = info["samples"], (info["min_duration"], info["max_duration"])
    read = partial(decode, samples=samples, least=lengths[0], most=lengths[1])
    waveforms, errors = decode_all(contents, read, (samples,), np.int16)
    probabilities = class_probabilities(network, waveforms)
    predictions = as_predictions(probabilities, info["classes"], errors)
    unsure = predictions["confidence"].astype(float) < options["confidence"]
    predictions.loc[unsure, "label"] = UNKNOWN
    for column in ("words", "starts", "scores"):
        predictions[column] = pd.Series([None] * len(predictions), dtype=object)
    return predictions


def _detect(
    network: nn.Module, contents: pd.Series, info: dict[str, Any], options: dict[str, Any]
) -> pd.DataFrame:
    rows = []
    for content in contents:
        try:
            waveform = open_recording(content, info["min_duration"], LONGEST).waveform
        except ValueError as error:
            rows.append(_row(error=str(error)))
            continue
        rows.append(_row(find_words(network, waveform, info, options["threshold"])))
    return pd.DataFrame(rows)


def _row(found: list[Word] | None = None, error: str = "") -> dict[str, Any]:
    if not found:
        nothing = {} if found is None else {"label": UNKNOWN, "words": []}
        return {**dict.fromkeys(OUTPUTS), **nothing, "error": error}
    best = max(found, key=lambda word: word.score)
    return {
        "label": best.word,
        "confidence": best.score,
        "probabilities": None,
        "error": "",
        "words": [it.word for it in found],
        "starts": [it.start for it in found],
        "scores": [it.score for it in found],
    }


def find_words(
    network: nn.Module, waveform: np.ndarray, info: dict[str, Any], threshold: float
) -> list[Word]:
    """Find words in a recording of any length by a window that slides over it.

    The probabilities of neighbouring windows are averaged; where the average of a word is above
    the threshold, and is highest, the word is said. Windows that are faint are passed over.

    Args:
        network: the keyword network.
        waveform: float32 from -1 to 1, shape (samples,).
        info: the dataset's: classes, rate, samples.
        threshold: of the averaged probability.

    Returns:
        The words in the order of time.
    """
    samples, rate = info["samples"], info["rate"]
    step = samples // STEPS
    sound = np.rint(waveform * 2**15).clip(-(2**15), 2**15 - 1).astype(np.int16)
    sound = np.pad(sound, (samples // 2, samples))
    windows = np.lib.stride_tricks.sliding_window_view(sound, samples)[::step]
    energy = np.array([np.square(it, dtype=np.float64).sum() for it in windows])
    heard = np.flatnonzero(energy > FAINT * energy.max())
    probabilities = np.zeros((len(windows), len(info["classes"])))
    probabilities[heard] = class_probabilities(network, windows, heard)
    kernel = np.ones(SMOOTHED) / SMOOTHED
    smooth = np.stack([np.convolve(it, kernel, "same") for it in probabilities.T], axis=1)
    best, label = smooth.max(1), smooth.argmax(1)
    found: list[Word] = []
    # The surest first; no two words within half a window of each other.
    taken = np.zeros(len(windows), bool)
    for at in np.argsort(-best, kind="stable"):
        if best[at] < threshold:
            break
        if not taken[at]:
            taken[max(0, at - STEPS // 2) : at + STEPS // 2 + 1] = True
            start = max(0.0, (at * step - samples // 2) / rate)
            found.append(Word(round(start, 3), info["classes"][label[at]], float(best[at])))
    return sorted(found)


def exam(dataset: "Dataset", split: str) -> pd.DataFrame:
    """The examples of the test split with the sound files they were read from."""
    examples = dataset.examples(split)
    return examples.assign(audio=dataset.raw(examples["id"]))
