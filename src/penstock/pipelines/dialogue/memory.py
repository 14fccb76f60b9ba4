"""What a model keeps of what it learned from: replies to give, contexts to show."""

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from ...learning.kept import Kept, pack_texts, unpack_texts
from .corpus import Corpus
from .terms import TERMS, count, list_terms, measure_idf, weigh

if TYPE_CHECKING:
    import scipy.sparse as sp


class Memory(Kept):
    """The dialogues of the training split: utterances, and which followed which."""

    content: torch.Tensor
    ends: torch.Tensor
    contexts: torch.Tensor
    replies: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("content", torch.zeros(0, dtype=torch.uint8))
        self.register_buffer("ends", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("contexts", torch.zeros((0, 1), dtype=torch.int32))
        self.register_buffer("replies", torch.zeros(0, dtype=torch.int32))

    def fill(self, corpus: Corpus) -> None:
        """Take over what was learned from."""
        self.content, self.ends = pack_texts(corpus.texts)
        self.contexts = torch.from_numpy(corpus.contexts.astype(np.int32))
        self.replies = torch.from_numpy(corpus.replies.astype(np.int32))

    @cached_property
    def texts(self) -> list[str]:
        """Utterances in normal form, each once."""
        return unpack_texts(self.content, self.ends)


class TermWeights(nn.Module):
    """Which words say much, as inverse document frequencies of the training split."""

    idf: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("idf", torch.zeros(TERMS))

    def measure(self, texts: list[str]) -> None:
        """Count in how many utterances each word is."""
        self.idf.copy_(torch.from_numpy(measure_idf(count(texts, list_terms, TERMS))))

    def tfidf(self, texts: list[str]) -> "sp.csr_matrix":
        """TF-IDF of utterances, rows of length 1, shape (texts, TERMS)."""
        return weigh(count(texts, list_terms, TERMS), self.idf.cpu().numpy())
