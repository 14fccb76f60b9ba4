"""Batches for the dual encoder: contexts and replies as bags of features."""

from typing import Self

import numpy as np
import scipy.sparse as sp
import torch

from ...learning.sources import Batch
from .corpus import Corpus
from .retrieval import pack


class Pairs:
    """Contexts and their replies.

    A batch has `features`, `weights` and `starts` of all its replies, then of all latest turns, and
    so on; a turn that is not there has no features. `said`, shape (batch,), is equal for replies
    that say the same.
    """

    def __init__(self, corpus: Corpus, weights: sp.csr_matrix) -> None:
        """Take over contexts and replies, and the features of each utterance."""
        nothing = sp.csr_matrix((1, weights.shape[1]), dtype=weights.dtype)
        self.weights = sp.vstack([weights, nothing], format="csr")  # for NOTHING, -1
        self.utterances = np.concatenate([corpus.replies[:, None], corpus.contexts], axis=1)
        self.said = corpus.said[corpus.replies]

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return int(self.weights.data.nbytes + self.weights.indices.nbytes + self.utterances.nbytes)

    def __len__(self) -> int:
        return len(self.utterances)

    def __getitem__(self, index: torch.Tensor) -> Batch:
        rows = index.cpu().numpy()
        utterances = self.utterances[rows].T.ravel()
        return {**pack(self.weights[utterances]), "said": torch.from_numpy(self.said[rows])}

    def hold(self, device: torch.device) -> Self:
        """Itself, in main memory: Lightning moves each batch, whose shape is known only then."""
        return self
