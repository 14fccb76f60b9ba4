"""BC-ResNet: broadcast residual learning for keyword spotting (Kim et al. 2021, Interspeech)."""

import torch
from torch import nn
from torch.nn import functional as F

BANDS = 5  # sub-bands that are normalised apart (Chang et al. 2021), where they divide evenly
# Of each stage: channels at width 1, blocks, stride over frequency, dilation over time.
STAGES = ((8, 2, 1, 1), (12, 2, 2, 2), (16, 4, 2, 4), (20, 4, 1, 8))
STEM, HEAD = 16, 32


class SubSpectralNorm(nn.Module):
    """Batch norm with statistics and weights for each sub-band of frequencies."""

    def __init__(self, channels: int, bands: int) -> None:
        super().__init__()
        self.bands = BANDS if bands % BANDS == 0 else 1
        self.norm = nn.BatchNorm2d(channels * self.bands)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Normalise, shape (batch, channels, bands, frames)."""
        batch, channels, bands, frames = x.shape
        parts = x.reshape(batch, channels * self.bands, bands // self.bands, frames)
        normed: torch.Tensor = self.norm(parts)
        return normed.view(batch, channels, bands, frames)


class BroadcastBlock(nn.Module):
    """Convolution over frequency; over time on the mean of all bands, added to each of them."""

    def __init__(
        self, inputs: int, outputs: int, bands: int, stride: int, dilation: int, dropout: float
    ) -> None:
        """Set up for `bands` of output, after the stride."""
        super().__init__()
        self.changes = inputs != outputs or stride > 1
        widen = [nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
        self.enter = nn.Sequential(*(widen if inputs != outputs else []))
        self.over_bands = nn.Sequential(
            nn.Conv2d(outputs, outputs, (3, 1), (stride, 1), (1, 0), groups=outputs, bias=False),
            SubSpectralNorm(outputs, bands),
        )
        self.over_time = nn.Sequential(
            nn.Conv1d(
                outputs, outputs, 3, padding=dilation, dilation=dilation, groups=outputs, bias=False
            ),
            nn.BatchNorm1d(outputs),
            nn.SiLU(),
            nn.Conv1d(outputs, outputs, 1, bias=False),
            nn.Dropout1d(dropout),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Features, (batch, inputs, bands, frames) -> (batch, outputs, bands, frames)."""
        local = self.over_bands(self.enter(x))
        y = local + self.over_time(local.mean(2))[:, :, None]
        return F.relu(y if self.changes else y + x)


class BroadcastResNet(nn.Module):
    """About 10,000 weights at width 1, 50,000 at 3, 300,000 at 8."""

    def __init__(self, bands: int, classes: int, width: float, dropout: float) -> None:
        """Set up for spectrograms of `bands`; `width` multiplies the channels."""
        super().__init__()
        stem = round(STEM * width)
        bands = (bands + 1) // 2
        layers: list[nn.Module] = [
            nn.Conv2d(1, stem, 5, (2, 1), 2, bias=False),
            nn.BatchNorm2d(stem),
            nn.ReLU(),
        ]
        inputs = stem
        for channels, blocks, first_stride, dilation in STAGES:
            outputs = round(channels * width)
            for number in range(blocks):
                stride = first_stride if number == 0 else 1
                bands = -(-bands // stride)
                block = BroadcastBlock(inputs, outputs, bands, stride, dilation, dropout)
                layers.append(block)
                inputs = outputs
        self.body = nn.Sequential(*layers)
        self.collapse = nn.Conv2d(
            inputs, inputs, (bands, 5), padding=(0, 2), groups=inputs, bias=False
        )
        head = round(HEAD * width)
        self.head = nn.Sequential(
            nn.Conv1d(inputs, head, 1, bias=False), nn.BatchNorm1d(head), nn.ReLU()
        )
        self.classify = nn.Linear(head, classes)

    def forward(self, spectrograms: torch.Tensor) -> torch.Tensor:
        """Spectrograms, (batch, bands, frames) -> logits, (batch, classes)."""
        features = self.collapse(self.body(spectrograms[:, None]))[:, :, 0]
        logits: torch.Tensor = self.classify(self.head(features).mean(2))
        return logits
