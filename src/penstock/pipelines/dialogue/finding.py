"""Finding a reply: every reply of the training split is scored, and the best is given.

All of them are scored exactly, by a product of matrices: 12,000 replies take a few milliseconds. An
approximate index would need a library, be another model for each build of it, and pay only from
millions of replies on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
import torch

from .answer import Answer, Blocked, read_context, refuse
from .corpus import list_corpus
from .normal import normalise, same_words
from .retrieval import Retrieval, gather_turns

if TYPE_CHECKING:
    from .writers import Writer

SHOWN = 5  # nearest training contexts that are shown
WEIGHTS = (1.0, 0.5, 0.25)  # of turns, the latest first, where contexts are compared


class Nearest:
    """Training contexts, to find those that are nearest to another by TF-IDF of their turns."""

    def __init__(self, network: "Retrieval | Writer", blocked: Blocked) -> None:
        """Weigh the words of all training contexts; what has a blocked word is not shown."""
        memory, self.terms, self.blocked = network.memory, network.terms, blocked
        self.texts = memory.texts
        self.contexts = memory.contexts.cpu().numpy()
        self.replies = memory.replies.cpu().numpy()
        self.turns = self.terms.tfidf(self.texts)

    def find(self, context: Sequence[str], count: int = SHOWN) -> tuple[list[str], list[float]]:
        """The nearest contexts with the replies to them, and how near they are, 0 to 1."""
        asked = self.terms.tfidf([*context][::-1][: len(WEIGHTS)])
        near = np.zeros(len(self.contexts))
        total = 0.0
        for turn in range(min(asked.shape[0], self.contexts.shape[1])):
            places = self.contexts[:, turn]
            matched = (self.turns @ asked[turn].T).toarray().ravel()
            near += WEIGHTS[turn] * np.where(places >= 0, matched[np.maximum(places, 0)], 0)
            total += WEIGHTS[turn]
        told = ((self._tell(it), near[it] / total) for it in np.argsort(-near, kind="stable"))
        shown = list(islice((it for it in told if not self.blocked.find(it[0])), count))
        return [text for text, _ in shown], [float(similarity) for _, similarity in shown]

    def _tell(self, row: int) -> str:
        """The last turn of a training context, and the reply to it."""
        return f"{self.texts[self.contexts[row, 0]]} -> {self.texts[self.replies[row]]}"


@dataclass(frozen=True)
class _Replies:
    """Replies that may be given, each once.

    Attributes:
        texts: in normal form.
        said: their words only, by which repeats are known.
        vectors: of the encoder, float32, shape (replies, width).
        tfidf: shape (replies, TERMS).
    """

    texts: list[str]
    said: np.ndarray
    vectors: np.ndarray
    tfidf: sp.csr_matrix


class Finder:
    """Answers by one of the replies of the training split."""

    def __init__(self, network: Retrieval) -> None:
        """Set up; replies are embedded when the first one is asked for."""
        self.network = network
        self.blocked, self.least = Blocked(network.blocked), network.least_confidence

    @cached_property
    def nearest(self) -> Nearest:
        """The training contexts."""
        return Nearest(self.network, self.blocked)

    @cached_property
    def replies(self) -> _Replies:
        """The replies that may be given."""
        memory = self.network.memory
        there = sorted(set(memory.replies.cpu().tolist()))
        kept: dict[str, str] = {}
        for it in there:
            if not self.blocked.find(memory.texts[it]):
                kept.setdefault(same_words(memory.texts[it]), memory.texts[it])
        texts = list(kept.values())
        with torch.inference_mode():
            embedded = self.network.embed_texts(self.network.weigh_features(texts))
            vectors = self.network.encode_replies(embedded).cpu().numpy()
        return _Replies(
            texts, np.array(list(kept), object), vectors, self.network.terms.tfidf(texts)
        )

    def answer(self, context: Sequence[str], options: dict[str, Any]) -> Answer:
        """Give the likeliest reply that was not said before in this context."""
        turns = read_context(context, self.network.turns)
        if reason := refuse(turns, self.blocked):
            return Answer(refusal=reason)
        replies, scores = self.replies, self._score(turns)
        if scores is None:
            return Answer(refusal="no word of it is known")
        said = [same_words(normalise(it)) for it in context]
        scores[np.isin(replies.said, said)] = -np.inf
        if not np.isfinite(scores).any():
            return Answer(refusal="every reply is blocked, or was given already")
        likely = np.exp(scores - scores.max())
        best = int(likely.argmax())
        confidence = float(likely[best] / likely.sum())
        near = self.nearest.find(turns) if options["why"] else ([], [])
        if confidence < self.least:
            return Answer("", confidence, "the model is not sure enough of any reply", *near)
        return Answer(replies.texts[best], confidence, "", *near)

    def _score(self, turns: list[str]) -> np.ndarray | None:
        """Score every reply, float64, shape (replies,); None if no word of the turns is known."""
        corpus, _ = list_corpus([turns], [[turns[-1]]], self.network.turns)
        tfidf = self.network.terms.tfidf(corpus.texts)
        if not tfidf.data.any():
            return None
        embedded = self.network.embed_texts(self.network.weigh_features(corpus.texts))
        with torch.inference_mode():
            asked = self.network.encode_contexts(gather_turns(embedded, corpus.contexts))
        mixture = self.network.mixture.cpu().numpy()
        scores = mixture[0] * (self.replies.vectors @ asked[0].cpu().numpy()).astype(np.float64)
        for weight, place in zip(mixture[1:], corpus.contexts[0], strict=True):
            if place >= 0:
                scores += weight * (self.replies.tfidf @ tfidf[place].T).toarray().ravel()
        return scores
