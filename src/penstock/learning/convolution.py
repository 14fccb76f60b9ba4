"""Plain networks for small images."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from torch import nn


def conv_blocks(
    channels: Sequence[int], kernel: int, padding: str, *, batch_norm: bool
) -> Iterator[nn.Module]:
    """Convolution, 2x2 max pooling, batch norm if asked, ReLU; for each step of `channels`.

    Pooling comes before the rest, which then works on a quarter of the values; ReLU commutes with
    max pooling, so without batch norm the result is that of the usual order.
    """
    for inputs, outputs in pairwise(channels):
        yield nn.Conv2d(inputs, outputs, kernel, padding=padding, bias=not batch_norm)
        yield nn.MaxPool2d(2)
        if batch_norm:
            yield nn.BatchNorm2d(outputs)
        yield nn.ReLU(inplace=True)


def dense_blocks(units: Sequence[int], *, batch_norm: bool, dropout: float) -> Iterator[nn.Module]:
    """Dropout, dense layer, batch norm if asked, ReLU; for each step of `units`."""
    for inputs, outputs in pairwise(units):
        yield nn.Dropout(dropout)
        yield nn.Linear(inputs, outputs, bias=not batch_norm)
        if batch_norm:
            yield nn.BatchNorm1d(outputs)
        yield nn.ReLU(inplace=True)
