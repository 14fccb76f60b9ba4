"""Retrieval: how well a reply goes with a context, by a dual encoder and by TF-IDF."""

from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
import torch
from torch import nn
from torch.nn import functional as F

from .corpus import NOTHING, Corpus
from .memory import Memory, TermWeights
from .terms import count, list_features, measure_idf, weigh

if TYPE_CHECKING:
    from . import params

START = 0.1  # standard deviation of the first numbers of a feature
BLOCK = 1_024  # utterances, or contexts, that are looked at together

Bags = dict[str, torch.Tensor]


class Retrieval(nn.Module):
    """A dual encoder (Henderson et al. 2019) over hashed words, pairs and parts of words.

    An utterance is the sum of its features' numbers, weighted by TF-IDF: no stop word drowns the
    rest. A context is a sum of its turns, each turned by a matrix of its own: the turn before
    the last one is by who will reply. The score of a reply is a mixture of the cosine of both and,
    for each turn, TF-IDF's; its weights are fitted on the validation split.

    Attributes:
        mixture: weight of the encoder's cosine, then of TF-IDF's with each turn, the latest first.
    """

    def __init__(self, model: "params.Retrieval") -> None:
        super().__init__()
        self.turns, self.buckets = model.turns, model.buckets
        self.blocked, self.least_confidence = model.blocked, model.least_confidence
        self.memory, self.terms = Memory(), TermWeights()
        self.features = nn.EmbeddingBag(model.buckets, model.width, mode="sum")
        nn.init.normal_(self.features.weight, std=START)
        self.turn = nn.ModuleList(_identity(model.width) for _ in range(model.turns))
        self.reply = _identity(model.width)
        self.turn_weight = nn.Parameter(1 / torch.arange(1, model.turns + 1))
        self.sharpness = nn.Parameter(torch.tensor(10.0).log())
        self.dropout = nn.Dropout(model.dropout)
        self.feature_dropout = nn.Dropout(model.feature_dropout)
        self.feature_idf: torch.Tensor
        self.mixture: torch.Tensor
        self.register_buffer("feature_idf", torch.zeros(model.buckets))
        self.register_buffer("mixture", torch.ones(1 + model.turns))

    def measure(self, corpus: Corpus) -> None:
        """Take over what is learned from, and which words say much."""
        self.memory.fill(corpus)
        self.terms.measure(corpus.texts)
        counted = count(corpus.texts, list_features, self.buckets)
        self.feature_idf.copy_(torch.from_numpy(measure_idf(counted)))

    def weigh_features(self, texts: list[str]) -> sp.csr_matrix:
        """The features of utterances, rows of length 1, shape (texts, buckets)."""
        return weigh(count(texts, list_features, self.buckets), self.feature_idf.cpu().numpy())

    def embed(self, bags: Bags) -> torch.Tensor:
        """Sum up features: `pack`'s -> shape (utterances, width)."""
        weights = self.feature_dropout(bags["weights"])
        summed: torch.Tensor = self.features(bags["features"], bags["starts"], weights)
        return self.dropout(summed)

    def encode_contexts(self, turns: torch.Tensor) -> torch.Tensor:
        """Turns, (contexts, turns, width), zeros where none is -> contexts, (contexts, width)."""
        each = [
            weight * turn(it)
            for turn, weight, it in zip(self.turn, self.turn_weight, turns.unbind(1), strict=True)
        ]
        return F.normalize(torch.stack(each).sum(0), dim=1)

    def encode_replies(self, embedded: torch.Tensor) -> torch.Tensor:
        """Replies, (replies, width), of length 1."""
        return F.normalize(self.reply(embedded), dim=1)

    def forward(self, batch: Bags) -> torch.Tensor:
        """Score every reply of a batch for every context: (contexts, replies)."""
        embedded = self.embed(batch).unflatten(0, (self.turns + 1, -1))
        contexts = self.encode_contexts(embedded[1:].transpose(0, 1))
        scores: torch.Tensor = contexts @ self.encode_replies(embedded[0]).T
        return self.sharpness.exp() * scores

    def embed_texts(self, weights: sp.csr_matrix) -> torch.Tensor:
        """Embed utterances by their features, without gradients: (utterances, width)."""
        device = self.features.weight.device
        with torch.inference_mode():
            parts = [
                self.embed({k: v.to(device) for k, v in pack(weights[at : at + BLOCK]).items()})
                for at in range(0, weights.shape[0], BLOCK)
            ]
            return torch.cat([*parts, torch.zeros(0, self.features.embedding_dim, device=device)])


def pack(weights: sp.csr_matrix) -> Bags:
    """Features of utterances as tensors: `features`, `weights`, and where each one's start."""
    return {
        "features": torch.from_numpy(weights.indices.astype(np.int64)),
        "weights": torch.from_numpy(weights.data.astype(np.float32)),
        "starts": torch.from_numpy(weights.indptr[:-1].astype(np.int64)),
    }


def measure_matches(network: Retrieval, corpus: Corpus, offered: np.ndarray) -> np.ndarray:
    """How well contexts and replies go together, by each of the signals that are mixed.

    Args:
        network: in evaluation mode.
        corpus: whose contexts are asked about.
        offered: utterances that each may choose from, shape (contexts, replies).

    Returns:
        float64, shape (contexts, replies, 1 + turns): cosine of the encoder's, then of TF-IDF's
        with each turn.
    """
    embedded = network.embed_texts(network.weigh_features(corpus.texts))
    tfidf = network.terms.tfidf(corpus.texts)
    used, column = np.unique(offered, return_inverse=True)
    column = column.reshape(offered.shape)
    with torch.inference_mode():
        replies = network.encode_replies(embedded[torch.from_numpy(used)])
    found = np.zeros((*offered.shape, 1 + network.turns))
    weighted = tfidf[used].T.tocsc()
    for start in range(0, len(offered), BLOCK):
        block = slice(start, start + BLOCK)
        contexts, rows = corpus.contexts[block], np.arange(len(offered[block]))[:, None]
        with torch.inference_mode():
            asked = network.encode_contexts(gather_turns(embedded, contexts))
            cosines = (asked @ replies.T).cpu().numpy()
        found[block, :, 0] = cosines[rows, column[block]]
        for turn in range(network.turns):
            there = contexts[:, turn] != NOTHING
            matched = (tfidf[np.maximum(contexts[:, turn], 0)] @ weighted).toarray()
            found[block, :, 1 + turn] = matched[rows, column[block]] * there[:, None]
    return found


def gather_turns(embedded: torch.Tensor, contexts: np.ndarray) -> torch.Tensor:
    """The numbers of each turn, (contexts, turns, width); zeros where there is none."""
    there = torch.from_numpy(contexts != NOTHING).to(embedded)
    turns = embedded[torch.from_numpy(np.maximum(contexts, 0))]
    return turns * there[..., None]


def fit_mixture(matches: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Weigh signals so that right replies are likely: a softmax over what each could choose from.

    Args:
        matches: shape (contexts, replies, signals).
        right: whether a reply is right, shape (contexts, replies).

    Returns:
        float64, shape (signals,).
    """
    signals = torch.from_numpy(matches)
    wrong = torch.from_numpy(~right)
    weights = torch.ones(matches.shape[2], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=100, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        likely = (signals @ weights).log_softmax(1).masked_fill(wrong, -torch.inf).logsumexp(1)
        value = 1e-4 * weights.square().sum() - likely.mean()
        value.backward()
        return value

    with torch.enable_grad():
        optimizer.step(loss)
    fitted: np.ndarray = weights.detach().numpy()
    return fitted


def _identity(width: int) -> nn.Linear:
    """A linear layer that starts as one that changes nothing."""
    layer = nn.Linear(width, width)
    nn.init.eye_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
