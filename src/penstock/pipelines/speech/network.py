"""The keyword network: from waveforms to logits, front end included. Plain torch."""

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from ...learning.convolution import conv_blocks
from ...messages.errors import PenstockError
from .audio import Cepstrum, LogMel
from .broadcast_residual import BroadcastResNet

if TYPE_CHECKING:
    from .params import CNN, CRNN, BCResNet, Model

SPREAD = 1e-3  # added to a spread before dividing by it


class KeywordNetwork(nn.Module):
    """Spectrogram, features, normalisation and the network that tells words apart.

    The two halves can be called apart, so that training can change spectrograms in between.
    """

    def __init__(self, model: "Model", rate: int, body: nn.Module) -> None:
        super().__init__()
        self.spectrogram = LogMel(
            rate, model.window, model.hop, model.mels, model.f_min, model.f_max, model.top_db
        )
        self.features = (
            Cepstrum(model.mels, model.coefficients) if model.features == "mfcc" else nn.Identity()
        )
        self.normalise = model.normalise
        self.body = body

    def forward(self, waveforms: torch.Tensor) -> torch.Tensor:
        """Waveforms, (batch, samples), int16 or from -1 to 1 -> logits, (batch, classes)."""
        return self.classify(self.spectrogram(waveforms))

    def classify(self, spectrograms: torch.Tensor) -> torch.Tensor:
        """Spectrograms in decibels, (batch, mels, frames) -> logits, (batch, classes)."""
        features = self.features(spectrograms)
        if self.normalise != "none":
            mean = features.mean((2,) if self.normalise == "band" else (1, 2), keepdim=True)
            features = features - mean
            features = features / (features.square().mean((1, 2), keepdim=True).sqrt() + SPREAD)
        logits: torch.Tensor = self.body(features)
        return logits


class Recurrent(nn.Module):
    """Convolutions over bands and frames, a GRU in both directions, the mean of its outputs.

    The convolutions, with strides over the bands, forgive a voice that is higher or lower; the GRU
    takes the bands that are left for channels (convolutional recurrent networks, Arik et al. 2017).
    """

    def __init__(
        self, bands: int, classes: int, channels: "tuple[int, int]", units: int, dropout: float
    ) -> None:
        super().__init__()
        first, second = channels
        self.convolve = nn.Sequential(
            *_convolution(1, first, 5, (2, 1)),
            *_convolution(first, second, 3, (2, 2)),
            *_convolution(second, second, 3, (2, 1)),
            nn.Flatten(1, 2),
            nn.Dropout(dropout),
        )
        left = -(-bands // 8)
        self.recur = nn.GRU(second * left, units, batch_first=True, bidirectional=True)
        self.leave = nn.Sequential(nn.Dropout(dropout), nn.Linear(2 * units, classes))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Features, (batch, bands, frames) -> logits, (batch, classes)."""
        states, _ = self.recur(self.convolve(features[:, None]).transpose(1, 2))
        logits: torch.Tensor = self.leave(states.mean(1))
        return logits


def _convolution(
    inputs: int, outputs: int, kernel: int, stride: tuple[int, int]
) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)


def network(model: "CNN | BCResNet | CRNN", info: dict[str, Any]) -> KeywordNetwork:
    """Build the network for a dataset's length of waveforms and classes.

    Raises:
        PenstockError: the poolings leave nothing of the spectrogram.
    """
    classes = len(info["classes"])
    inputs = model.coefficients if model.features == "mfcc" else model.mels
    if model.kind == "bcresnet":
        body: nn.Module = BroadcastResNet(inputs, classes, model.width, model.dropout)
    elif model.kind == "crnn":
        body = Recurrent(inputs, classes, model.channels, model.units, model.dropout)
    else:
        body = _cnn(model, inputs, 1 + info["samples"] // model.hop, classes)
    return KeywordNetwork(model, info["rate"], body)


def _cnn(model: "CNN", inputs: int, frames: int, classes: int) -> nn.Sequential:
    """3x3 convolutions 32 and 64 with 2x2 max pooling, dense 128, dropout 0.5."""
    bands, columns = (size >> len(model.channels) for size in (inputs, frames))
    if not (bands and columns):
        raise PenstockError(
            f"params.yaml: pipelines.speech.model.channels: {len(model.channels)} poolings leave "
            f"nothing of {inputs} by {frames} values; use fewer channels, or a smaller hop"
        )
    return nn.Sequential(
        nn.Unflatten(1, (1, inputs)),
        *conv_blocks([1, *model.channels], 3, "same", batch_norm=False),
        nn.Flatten(),
        nn.Linear(bands * columns * model.channels[-1], model.dense),
        nn.ReLU(),
        nn.Dropout(model.dropout),
        nn.Linear(model.dense, classes),
    )
