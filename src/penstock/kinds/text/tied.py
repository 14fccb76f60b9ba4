"""Logits by the same numbers that tokens are read by (Press and Wolf 2017)."""

import torch
from torch import nn
from torch.nn import functional as F


class Tied(nn.Module):
    """How near what was read is to each token, and how frequent that is.

    The numbers belong to the embedding: they are saved and learned there, once.
    """

    def __init__(self, embedding: nn.Embedding) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(embedding.num_embeddings))
        self._embedding = (embedding,)  # in a tuple, so that it is no part of this module

    def forward(self, read: torch.Tensor) -> torch.Tensor:
        """Logits, shape (..., tokens), of numbers, shape (..., width)."""
        return F.linear(read, self._embedding[0].weight, self.bias)
