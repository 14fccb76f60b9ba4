"""What training adds to the network: the loss, and how recordings are changed."""

from typing import TYPE_CHECKING

import torch
from torch import nn

from ...datasets.dataset import Dataset
from ...learning.classifier import Classifier
from ...learning.sources import Rows, labelled_rows
from .augmentation import RandomGain, RandomNoise, RandomResample, RandomWarp, SpecAugment

if TYPE_CHECKING:
    from .network import KeywordNetwork
    from .params import Params


class KeywordLearner(Classifier):
    """Changes waveforms before the spectrogram, and spectrograms after it."""

    network: "KeywordNetwork"

    def __init__(self, network: "KeywordNetwork", params: "Params", rate: int) -> None:
        train = params.train
        super().__init__(network, train)
        self.disturb = nn.Sequential(
            RandomResample(train.speed, round(train.time_shift * rate)),
            RandomGain(train.gain),
            RandomNoise(train.noise, *train.noise_ratio),
        )
        self.distort = nn.Sequential(
            RandomWarp(train.tract, train.pace),
            SpecAugment(train.masks, train.mask_bands, train.mask_frames),
        )

    def augmented_logits(self, inputs: torch.Tensor) -> torch.Tensor:
        """Logits of recordings that are changed anew at each step."""
        with torch.no_grad():
            spectrograms = self.distort(self.network.spectrogram(self.disturb(inputs)))
        return self.network.classify(spectrograms)


def learner(network: "KeywordNetwork", params: "Params", dataset: Dataset) -> KeywordLearner:
    """Wrap the network: cross-entropy on recordings that are changed anew in each epoch."""
    return KeywordLearner(network, params, dataset.info["rate"])


def source(dataset: Dataset, splits: tuple[str, ...], params: "Params") -> Rows:
    """A batch is `inputs`, int16 (batch, samples), and `label`, (batch,)."""
    return labelled_rows(dataset, "waveforms", splits)
