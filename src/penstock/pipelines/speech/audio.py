"""Audio front end: from waveforms to mel spectrograms and cepstra, on whole batches, in PyTorch.

The definitions are librosa's defaults (`feature.melspectrogram`, `power_to_db`, `feature.mfcc`;
McFee et al. 2015), so that numbers can be compared; here they run on the training device, travel
with the network, and need no librosa.
"""

import numpy as np
import torch
from torch import nn

FLOOR = 1e-10  # of power, before its logarithm is taken


class LogMel(nn.Module):
    """Mel spectrogram in decibels: framing, Hann window, power spectrum, mel bands, logarithm.

    Frames are centred on every `hop`-th sample; beyond its ends a recording is silent.
    """

    window: torch.Tensor
    filters: torch.Tensor

    def __init__(
        self,
        rate: int,
        window: int,
        hop: int,
        mels: int,
        f_min: float,
        f_max: float,
        top_db: float,
    ) -> None:
        """Set up the transform.

        Args:
            rate: samples a second.
            window: samples of a frame, and of its Fourier transform.
            hop: samples from one frame to the next.
            mels: bands.
            f_min: lower edge of the lowest band, in hertz.
            f_max: upper edge of the highest band, in hertz.
            top_db: what lies further than this below a recording's loudest value is raised to it.
        """
        super().__init__()
        self.hop = hop
        self.top_db = top_db
        filters = mel_filters(rate, window, mels, f_min, f_max)
        self.register_buffer("window", torch.hann_window(window), persistent=False)
        self.register_buffer("filters", torch.from_numpy(filters), persistent=False)

    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Waveforms, (batch, samples), int16 or from -1 to 1 -> decibels, (batch, mels, frames)."""
        with torch.autocast(waveforms.device.type, enabled=False):  # bf16 has too few digits
            return to_decibels(self.power(as_float(waveforms)), self.top_db)

    def power(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Waveforms from -1 to 1 -> power in each mel band, shape (batch, mels, frames)."""
        spectrum = torch.stft(
            waveforms,
            len(self.window),
            self.hop,
            window=self.window,
            pad_mode="constant",
            return_complex=True,
        )
        # Frames before bins, as they lie in memory: faster than on the transpose.
        parts = torch.view_as_real(spectrum.transpose(1, 2))
        power = parts[..., 0].square().addcmul_(parts[..., 1], parts[..., 1])
        return (power @ self.filters.T).transpose(1, 2)


class Cepstrum(nn.Module):
    """Mel-frequency cepstral coefficients: the orthonormal cosine transform of decibels."""

    basis: torch.Tensor

    def __init__(self, mels: int, coefficients: int) -> None:
        super().__init__()
        order, band = np.arange(coefficients)[:, None], np.arange(mels) + 0.5
        basis = np.cos(np.pi / mels * order * band) * np.sqrt(2 / mels)
        basis[0] /= np.sqrt(2)
        self.register_buffer("basis", torch.from_numpy(basis.astype(np.float32)), persistent=False)

    def forward(self, decibels: torch.Tensor) -> torch.Tensor:
        """Decibels, (batch, mels, frames) -> coefficients, (batch, coefficients, frames)."""
        with torch.autocast(decibels.device.type, enabled=False):
            cepstrum: torch.Tensor = self.basis @ decibels
            return cepstrum


def as_float(waveforms: torch.Tensor) -> torch.Tensor:
    """Waveforms from -1 to 1, whatever they are stored as."""
    return waveforms.float() / 2**15 if waveforms.dtype == torch.int16 else waveforms


def to_decibels(power: torch.Tensor, top_db: float) -> torch.Tensor:
    """Power, (batch, mels, frames) -> decibels, none further than `top_db` below the loudest."""
    decibels = 10 * torch.log10(power.clamp(min=FLOOR))
    return torch.maximum(decibels, decibels.amax((1, 2), keepdim=True) - top_db)


def mel_filters(rate: int, window: int, mels: int, f_min: float, f_max: float) -> np.ndarray:
    """Triangular filters of equal area on Slaney's mel scale (Slaney 1998, Auditory Toolbox).

    Returns:
        float32, shape (mels, window // 2 + 1).
    """
    edges = _to_hertz(np.linspace(_to_mel(f_min), _to_mel(f_max), mels + 2))
    slopes = edges[:, None] - np.fft.rfftfreq(window, 1 / rate)
    widths = np.diff(edges)[:, None]
    rising, falling = -slopes[:-2] / widths[:-1], slopes[2:] / widths[1:]
    filters = np.maximum(0, np.minimum(rising, falling)) * 2 / (edges[2:] - edges[:-2])[:, None]
    return filters.astype(np.float32)


# Slaney's scale: linear up to 1,000 Hz (15 mel), then 27 steps for each factor of 6.4.
BREAK, PER_MEL, STEP = 1000.0, 200 / 3, np.log(6.4) / 27


def _to_mel(hertz: float) -> float:
    if hertz < BREAK:
        return hertz / PER_MEL
    return float(BREAK / PER_MEL + np.log(hertz / BREAK) / STEP)


def _to_hertz(mel: np.ndarray) -> np.ndarray:
    linear = mel * PER_MEL
    return np.where(mel < BREAK / PER_MEL, linear, BREAK * np.exp(STEP * (mel - BREAK / PER_MEL)))
