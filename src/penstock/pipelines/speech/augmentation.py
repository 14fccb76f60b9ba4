"""Random changes to recordings of speech, batched on the device that holds them.

Each changes every recording of a batch by an amount of its own. First what an unseen speaker's
voice differs by: the length of the vocal tract, pitch and pace; then the room and the microphone.
"""

import torch
from torch import nn
from torch.nn import functional as F

from .audio import as_float

QUIET = 1e-8  # power below which there is nothing to measure noise against


class RandomResample(nn.Module):
    """Plays each recording faster or slower about its middle, which moves pitch and formants too.

    Ko et al. 2015 (speed perturbation). Moves it in time by up to `shift` as well, in one step.
    """

    def __init__(self, speed: float, shift: int) -> None:
        """Set the largest change of speed as a share, and the largest shift in samples."""
        super().__init__()
        self.speed = speed
        self.shift = shift

    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Change a batch of waveforms, shape (batch, samples), int16 or from -1 to 1."""
        waveforms = as_float(waveforms)
        if not (self.speed or self.shift):
            return waveforms
        samples = waveforms.shape[1]
        middle = (samples - 1) / 2
        rate = (1 + self.speed) ** _uniform(waveforms, -1, 1)
        moved = self.shift * _uniform(waveforms, -1, 1)
        steps = torch.arange(samples, device=waveforms.device) - middle
        places = steps * rate + middle + moved
        before = places.floor()
        share = places - before
        padded = F.pad(waveforms, (1, 1))  # silence at both ends
        left = (before.long() + 1).clamp(0, samples + 1)
        right = (before.long() + 2).clamp(0, samples + 1)
        return padded.gather(1, left) * (1 - share) + padded.gather(1, right) * share


class RandomNoise(nn.Module):
    """Adds noise of a random colour at a random ratio of signal to noise."""

    def __init__(self, share: float, low: float, high: float) -> None:
        """Set the share of recordings that get noise, and the range of the ratio in decibels."""
        super().__init__()
        self.share = share
        self.low = low
        self.high = high

    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Change a batch of waveforms from -1 to 1, shape (batch, samples)."""
        if not self.share:
            return waveforms
        noise = torch.randn_like(waveforms)
        colour = _uniform(waveforms, -0.95, 0.95)  # hiss to rumble
        noise[:, 1:] += colour * noise[:, :-1].clone()
        ratio = _uniform(waveforms, self.low, self.high)
        chosen = _uniform(waveforms, 0, 1) < self.share
        return waveforms + chosen * scale_noise(waveforms, noise, ratio)


def scale_noise(
    waveforms: torch.Tensor, noise: torch.Tensor, ratio: torch.Tensor | float
) -> torch.Tensor:
    """Scale noise to a ratio in decibels below the loud parts of each recording.

    The power of speech is that of the samples above its mean power: padding and pauses would
    make a short word in a long recording look quiet.
    """
    power = waveforms.square()
    loud = power >= power.mean(1, keepdim=True)
    speech = (power * loud).sum(1, keepdim=True) / loud.sum(1, keepdim=True)
    wanted = speech.clamp(min=QUIET) / 10 ** (ratio / 10)
    return noise * (wanted / noise.square().mean(1, keepdim=True)).sqrt()


class RandomGain(nn.Module):
    """Makes each recording louder or softer; a front end that normalises does not notice."""

    def __init__(self, decibels: float) -> None:
        super().__init__()
        self.decibels = decibels

    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Change a batch of waveforms, shape (batch, samples)."""
        if not self.decibels:
            return waveforms
        return waveforms * 10 ** (self.decibels / 20 * _uniform(waveforms, -1, 1))


class RandomWarp(nn.Module):
    """Stretches each spectrogram along both axes: another vocal tract, another pace.

    On the mel scale, which is logarithmic above 1 kHz, a shorter vocal tract is nearly a shift,
    and nearly a stretch below (Jaitly and Hinton 2013). Pace changes without pitch.
    """

    def __init__(self, tract: float, pace: float) -> None:
        """Set the largest changes: of frequency, as a share of the bands, and of pace."""
        super().__init__()
        self.tract = tract
        self.pace = pace

    def forward(self, spectrograms: torch.Tensor) -> torch.Tensor:
        """Change a batch of spectrograms, shape (batch, bands, frames)."""
        if not (self.tract or self.pace):
            return spectrograms
        one = spectrograms[:, 0]
        matrix = torch.zeros(len(one), 2, 3, device=one.device, dtype=one.dtype)
        matrix[:, 0, 0] = ((1 + self.pace) ** _uniform(one, -1, 1))[:, 0]
        warp = self.tract * _uniform(one, -1, 1)[:, 0]
        matrix[:, 1, 1] = 1 + warp
        matrix[:, 1, 2] = warp  # the lowest band stays where it is
        shape = [len(one), 1, *spectrograms.shape[1:]]
        grid = F.affine_grid(matrix, shape, align_corners=False)
        moved = F.grid_sample(
            spectrograms[:, None], grid, padding_mode="border", align_corners=False
        )
        return moved[:, 0]


class SpecAugment(nn.Module):
    """Hides bands and stretches of time: each becomes the mean of its spectrogram.

    Park et al. 2019, without its time warping.
    """

    def __init__(self, masks: int, bands: int, frames: int) -> None:
        """Set how many masks of each sort, and the most bands and frames that one hides."""
        super().__init__()
        self.masks = masks
        self.sizes = (bands, frames)

    def forward(self, spectrograms: torch.Tensor) -> torch.Tensor:
        """Change a batch of spectrograms, shape (batch, bands, frames)."""
        one = spectrograms[:, 0]
        hidden = torch.zeros_like(spectrograms, dtype=torch.bool)
        for axis, most in zip((1, 2), self.sizes, strict=True):
            length = spectrograms.shape[axis]
            places = torch.arange(length, device=one.device)
            for _ in range(self.masks if most else 0):
                size = _uniform(one, 0, most + 1).floor()
                start = (_uniform(one, 0, 1) * (length - size + 1)).floor()
                mask = (places >= start) & (places < start + size)
                hidden |= mask[:, :, None] if axis == 1 else mask[:, None]
        means = spectrograms.mean((1, 2), keepdim=True)
        return torch.where(hidden, means, spectrograms)


def _uniform(like: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """A number for each row of a batch, shape (batch, 1)."""
    return torch.empty(len(like), 1, device=like.device).uniform_(low, high)
