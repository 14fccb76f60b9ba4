"""Words spoken by a formant synthesiser, in several voices."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from scipy import signal

from .params import RATE

SPEAKERS, TAKES = 16, 3
STEP = RATE // 200  # samples from one set of formants to the next
HARMONICS = 40
WIDTHS = np.array([60.0, 90.0, 150.0])  # of formants, in hertz
# First three formants of men's vowels (Peterson and Barney 1952); the other sounds by ear.
VOICED = {
    "i": (270, 2290, 3010),
    "E": (530, 1840, 2480),
    "A": (730, 1090, 2440),
    "V": (640, 1190, 2390),
    "o": (450, 800, 2400),
    "u": (300, 870, 2240),
    "I": (390, 1990, 2550),
    "j": (250, 2300, 3000),
    "r": (350, 1200, 1600),
    "l": (360, 1100, 2700),
    "n": (250, 1400, 2300),
    "g": (250, 1700, 2200),
    "d": (250, 1750, 2600),
}
WEAK = {"n": 0.45, "l": 0.6, "g": 0.25, "d": 0.25, "r": 0.7, "j": 0.7}
HISS = {
    "s": (4500, 7800, 0.35),
    "f": (1500, 7000, 0.12),
    "t": (3000, 7000, 0.4),
    "p": (500, 2500, 0.3),
}
STOPS = "tpgd"  # closed for a moment first
LENGTHS = {"s": 0.13, "f": 0.1, "t": 0.03, "p": 0.03, "n": 0.08, "l": 0.07, "j": 0.06, "r": 0.07}
WORDS = {
    "yes": "jEs",
    "no": "nou",
    "up": "Vp",
    "down": "dAun",
    "left": "lEft",
    "right": "rAIt",
    "stop": "stAp",
    "go": "gou",
}


@dataclass(frozen=True)
class Voice:
    """What makes a speaker: pitch in hertz, factors of formants and pace, breath, room noise."""

    pitch: float
    tract: np.ndarray
    pace: float
    breath: float
    tilt: float
    noise: float


def sample(folder: Path) -> None:
    """Write 8 words by 16 voices, 3 times each: 384 WAV files, named as Speech Commands are."""
    for number in range(SPEAKERS):
        chance = np.random.default_rng([2026, number])
        voice = _voice(chance)
        for word, sounds in WORDS.items():
            (folder / word).mkdir(exist_ok=True)
            for take in range(TAKES):
                waveform = _speak(chance, voice, sounds)
                file = folder / word / f"voice{number:02}_nohash_{take}.wav"
                soundfile.write(file, waveform, RATE, "PCM_16")


def _voice(chance: np.random.Generator) -> Voice:
    size = chance.uniform(0.86, 1.22)  # a short vocal tract has high formants, and mostly a pitch
    return Voice(
        pitch=110 * size**3 * chance.uniform(0.85, 1.2),
        tract=size * chance.normal(1, 0.04, 3),
        pace=chance.uniform(0.8, 1.3),
        breath=chance.uniform(0.01, 0.06),
        tilt=chance.uniform(0.8, 1.4),
        noise=10 ** chance.uniform(-3.2, -2.0),
    )


def _speak(chance: np.random.Generator, voice: Voice, sounds: str) -> np.ndarray:
    """One word in a second or so, with the noise of the room, shape (samples,)."""
    formants, loudness, hiss = _plan(chance, voice, sounds)
    word = _voiced(chance, voice, formants, loudness) + _hissed(chance, hiss, len(loudness))
    word /= np.abs(word).max()
    before, after = (chance.integers(RATE // 10, RATE // 4) for _ in range(2))
    waveform = np.pad(word * chance.uniform(0.3, 0.9), (before, after))
    return waveform + voice.noise * chance.normal(size=len(waveform))


def _plan(
    chance: np.random.Generator, voice: Voice, sounds: str
) -> tuple[np.ndarray, np.ndarray, list[tuple[str, int, int]]]:
    """Formants, (steps, 3), and loudness of the voice, (steps,); noises with their steps."""
    targets, loudness, hiss = [], [], []
    last = next(VOICED[it] for it in sounds if it in VOICED)
    for sound in sounds:
        if sound in STOPS:
            closed = round(0.05 * 200 / voice.pace)
            targets += [last] * closed
            loudness += [0.0] * closed
        steps = max(
            4, round(LENGTHS.get(sound, 0.14) * 200 / voice.pace * chance.uniform(0.85, 1.2))
        )
        if sound in HISS:
            hiss.append((sound, len(targets), steps))
            loudness += [0.0] * steps
        else:
            last = VOICED[sound]
            loudness += [WEAK.get(sound, 1.0)] * steps
        targets += [last] * steps
    smooth = np.hanning(11) / np.hanning(11).sum()
    edges = ((5, 5), (0, 0))
    padded = np.pad(np.array(targets) * voice.tract * chance.normal(1, 0.02, 3), edges, mode="edge")
    formants = np.stack([np.convolve(column, smooth, "valid") for column in padded.T], axis=1)
    return formants, np.convolve(np.array(loudness), smooth, "same"), hiss


def _voiced(
    chance: np.random.Generator, voice: Voice, formants: np.ndarray, loudness: np.ndarray
) -> np.ndarray:
    """Harmonics of a falling pitch, each as loud as the formants let it through; and breath."""
    samples = len(loudness) * STEP
    steps, places = np.arange(len(loudness)), np.arange(samples) / STEP
    fall = np.linspace(1.08, 0.85, len(steps)) * chance.uniform(0.93, 1.07)
    pitch = voice.pitch * fall * (1 + 0.01 * chance.normal(size=len(steps)))
    phase = 2 * np.pi * np.cumsum(np.interp(places, steps, pitch)) / RATE
    sound = np.zeros(samples)
    for harmonic in range(1, HARMONICS + 1):
        hertz = harmonic * pitch
        heard = _gain(hertz, formants) * loudness / harmonic**voice.tilt
        heard[hertz > 0.45 * RATE] = 0
        sound += np.interp(places, steps, heard) * np.sin(harmonic * phase)
    breath = voice.breath * chance.normal(size=samples) * np.interp(places, steps, loudness)
    return sound / max(np.abs(sound).max(), 1e-9) + breath


def _gain(hertz: np.ndarray, formants: np.ndarray) -> np.ndarray:
    """Of three resonances in parallel, each a peak of 1 and weaker the higher it is."""
    away = (hertz[:, None] - formants) / WIDTHS
    return (np.array([1.0, 0.6, 0.35]) / np.sqrt(1 + away**2)).sum(1)


def _hissed(
    chance: np.random.Generator, hiss: list[tuple[str, int, int]], steps: int
) -> np.ndarray:
    """Bands of noise where the word has sounds without voice, shape (steps * STEP,)."""
    sound = np.zeros(steps * STEP)
    for name, start, length in hiss:
        low, high, loud = HISS[name]
        moved = chance.uniform(0.9, 1.1)
        band = signal.butter(
            2, [low * moved, min(high * moved, 7900)], "band", fs=RATE, output="sos"
        )
        noise = signal.sosfilt(band, chance.normal(size=length * STEP))
        shape = np.hanning(length * STEP) ** 0.3
        sound[start * STEP : (start + length) * STEP] += loud * shape * noise / noise.std() / 3
    return sound
