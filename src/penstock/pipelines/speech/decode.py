"""From the bytes of one sound file to the waveform the network hears, and back."""

import io
import re
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import soundfile
import soxr

from .params import RATE

FORMATS = ("WAV", "WAVEX", "RF64", "W64", "FLAC", "OGG")
RATES = (2_000, 768_000)  # of a file, lowest and highest
MOST_CHANNELS = 64
MOST_FRAMES = 2**28  # an hour and a half at 48 kHz: 1 GB as mono
BLOCK = 2**16  # frames read at a time
FULL = 0.999  # of full scale: a sample at least so large is clipped
SILENCE = 10 ** (-60 / 20)  # of full scale: a recording that is nowhere louder is silent
STREAMED = 2**31 - 2**16  # bytes: a header that promises more was written before the sound
SETTLED = 2  # samples: a window that would move by no more stays


@dataclass(frozen=True)
class Recording:
    """A whole recording as mono at RATE, and what its file said.

    Attributes:
        waveform: float32 from -1 to 1, shape (samples,).
        rate: of the file, samples a second.
        channels: likewise.
        encoding: how the file stores it, `WAV PCM_16` say.
        seconds: its length.
        peak: largest absolute value, 1 is full scale.
        clipped: share of the samples at full scale.
    """

    waveform: np.ndarray
    rate: int
    channels: int
    encoding: str
    seconds: float
    peak: float
    clipped: float


def decode(content: bytes, samples: int, least: float, most: float) -> np.ndarray:
    """Decode one sound file to the part of it that holds the word.

    Args:
        content: WAV, FLAC or OGG of any rate, width and number of channels.
        samples: length of the answer, at RATE.
        least: seconds a recording must have.
        most: seconds it may have, checked before anything is decoded.

    Returns:
        int16, shape (samples,).

    Raises:
        ValueError: not a sound file, damaged, empty, silent, too short or too long.
    """
    return centre(open_recording(content, least, most).waveform, samples)


def open_recording(content: bytes, least: float, most: float) -> Recording:
    """Decode a whole recording, and say what its header says; raises as `decode` does."""
    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            _check_header(file, least, most)
            sound = _read(file)
            encoding = f"{file.format} {file.subtype}"
            missing = _missing_bytes(file) or file.frames - len(sound.mono)
            rate, channels = file.samplerate, file.channels
    except soundfile.LibsndfileError as error:
        if content[:4] not in (b"RIFF", b"RF64", b"riff", b"fLaC", b"OggS"):
            raise ValueError("not a sound file; expected WAV, FLAC or OGG") from None
        raise ValueError(f"damaged sound file: {str(error.error_string).rstrip('.')}") from None
    if missing:
        raise ValueError("cut off: part of the sound that its header promises is missing")
    if sound.peak < SILENCE:
        raise ValueError("silent: it is nowhere louder than -60 dB of full scale")
    frames = len(sound.mono)
    return Recording(
        waveform=sound.mono if rate == RATE else soxr.resample(sound.mono, rate, RATE),
        rate=rate,
        channels=channels,
        encoding=encoding,
        seconds=frames / rate,
        peak=sound.peak,
        clipped=sound.clipped / frames,
    )


class _Sound(NamedTuple):
    """The mean of all channels, (frames,); the largest value of any; frames at full scale."""

    mono: np.ndarray
    peak: float
    clipped: int


def _read(file: soundfile.SoundFile) -> _Sound:
    """Read block by block: of many channels only their mean is held."""
    parts, peak, clipped = [], 0.0, 0
    while len(block := file.read(BLOCK, dtype="float32", always_2d=True)):
        if not np.isfinite(block).all():
            raise ValueError("damaged: it holds samples that are no numbers (NaN or infinite)")
        loudest = np.abs(block).max(1)
        peak, clipped = max(peak, float(loudest.max())), clipped + int((loudest >= FULL).sum())
        parts.append(block.mean(1))
    return _Sound(np.concatenate(parts or [np.empty(0, np.float32)]), peak, clipped)


def centre(waveform: np.ndarray, samples: int) -> np.ndarray:
    """Cut out `samples` about the middle of the energy; silence stands where nothing was said.

    The window starts where it holds most energy and moves to the middle of what it holds until
    that is its own middle (mean shift; Comaniciu and Meer 2002). So a word ends up in the middle
    wherever in the recording it is, and what was cut out before stays as it is.

    Args:
        waveform: from -1 to 1, shape (any,).
        samples: length of the window.

    Returns:
        int16, shape (samples,).
    """
    sound = np.rint(waveform * 2**15).clip(-(2**15), 2**15 - 1).astype(np.int16)
    # Before and after the recording as much silence as a window can reach into.
    padded = np.pad(sound, samples)
    start = samples if len(sound) == samples else _loudest(padded, samples)
    places = np.arange(samples) - samples / 2
    for _ in range(len(sound)):
        energy = padded[start : start + samples].astype(np.float64) ** 2
        total = energy.sum()
        move = int(np.rint(energy @ places / total)) if total else 0
        if abs(move) <= SETTLED:
            break
        start += move
    return padded[start : start + samples]


def encode(waveform: np.ndarray) -> bytes:
    """Encode an int16 waveform at RATE as a WAV file that decodes to the same samples."""
    buffer = io.BytesIO()
    soundfile.write(buffer, waveform, RATE, "PCM_16", format="WAV")
    return buffer.getvalue()


def _loudest(sound: np.ndarray, samples: int) -> int:
    """Start of the window that holds most energy; the middle one of several."""
    energy = np.concatenate([[0], np.cumsum(sound.astype(np.int64) ** 2)])
    held = energy[samples:] - energy[:-samples]
    best = np.flatnonzero(held == held.max())
    return int((best[0] + best[-1]) // 2)


def _missing_bytes(file: soundfile.SoundFile) -> int:
    """How many bytes of sound a WAV header promises that are not there."""
    found = re.search(r"data : (\d+) \(should be (\d+)\)", file.extra_info)
    promised, there = map(int, found.groups()) if found else (0, 0)
    # A recorder that writes to a pipe leaves the length open: all ones, or nearly.
    return promised - there if there < promised < STREAMED else 0


def _check_header(file: soundfile.SoundFile, least: float, most: float) -> None:
    low, high = RATES
    if file.format not in FORMATS:
        raise ValueError(f"a {file.format} file; expected WAV, FLAC or OGG")
    if not low <= file.samplerate <= high:
        raise ValueError(f"{file.samplerate:,} samples a second; expected {low:,} to {high:,}")
    if file.channels > MOST_CHANNELS:
        raise ValueError(f"{file.channels} channels; expected at most {MOST_CHANNELS}")
    if not file.frames:
        raise ValueError("empty: no samples")
    seconds = file.frames / file.samplerate
    if seconds > most:
        raise ValueError(f"too long: {seconds:,.1f} s; at most {most:g} s")
    if file.frames > MOST_FRAMES:
        raise ValueError(f"too large: {file.frames:,} samples a channel; at most {MOST_FRAMES:,}")
    if seconds < least:
        raise ValueError(f"too short: {seconds:.3f} s; at least {least:g} s")
