"""Replies and the turns before them, as numbers of utterances that are listed once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .normal import normalise, same_words

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset

CANDIDATES = 100  # replies that a test context is asked to choose from, the right one first
NOTHING = -1  # in place of an utterance, where a dialogue has just begun


@dataclass(frozen=True)
class Corpus:
    """Utterances, contexts and replies.

    Attributes:
        texts: utterances in normal form, each once.
        contexts: of each reply, the utterances before it, the latest first; int64, shape
            (replies, turns); NOTHING where there is none.
        replies: which utterance each is, int64, shape (replies,).
        said: for each utterance, a number that those share that say the same.
    """

    texts: list[str]
    contexts: np.ndarray
    replies: np.ndarray
    said: np.ndarray

    @property
    def known(self) -> np.ndarray:
        """The utterances that the replies and their contexts use, each once."""
        used = np.unique(np.concatenate([self.replies, self.contexts.ravel()]))
        found: np.ndarray = used[used != NOTHING]
        return found

    def context(self, row: int) -> list[str]:
        """The turns before a reply, the earliest first."""
        return [self.texts[it] for it in self.contexts[row][::-1] if it != NOTHING]


def read_corpus(dataset: "Dataset", splits: Iterable[str], turns: int) -> Corpus:
    """The replies of splits, each with at most so many turns before it."""
    rows = dataset.rows(*splits)
    columns = dataset.columns("turn", "begin")
    texts = dataset.table("turns")["text"]
    places = columns["turn"][rows][:, None] - np.arange(turns + 1)
    inside = places >= columns["begin"][rows][:, None]
    used, place = np.unique(places[inside], return_inverse=True)
    number, listed = pd.factorize(texts.iloc[used].map(normalise))
    found = np.full(places.shape, NOTHING, np.int64)
    found[inside] = number[place]
    return Corpus(list(listed), found[:, 1:], found[:, 0], _number_said(listed))


def list_corpus(
    contexts: Sequence[Sequence[str]], replies: Sequence[Sequence[str]], turns: int
) -> tuple[Corpus, np.ndarray]:
    """Contexts from outside, and the replies that each is to choose from.

    Args:
        contexts: the turns of each, the earliest first.
        replies: of each context, as many for all.
        turns: how many turns are looked at.

    Returns:
        The corpus, whose replies are the first of each; and all of them as numbers of utterances,
        shape (contexts, replies).
    """
    numbers: dict[str, int] = {}

    def number(text: str) -> int:
        return numbers.setdefault(normalise(text), len(numbers))

    table = np.full((len(contexts), turns), NOTHING, np.int64)
    for row, context in enumerate(contexts):
        for place, text in enumerate([*context][::-1][:turns]):
            table[row, place] = number(text)
    offered = np.array([[number(it) for it in row] for row in replies], np.int64)
    texts = list(numbers)
    return Corpus(texts, table, offered[:, 0], _number_said(texts)), offered


def draw_candidates(replies: int, count: int = CANDIDATES) -> np.ndarray:
    """Fixed candidates: each reply itself, then others of its split, drawn evenly.

    The first ten are the candidates of recall of 10. They depend on how many replies there are, and
    on nothing else.

    Returns:
        Rows of replies, int64, shape (replies, count), or as many as there are.
    """
    chance = np.random.default_rng(0)
    count = min(count, replies)
    drawn = np.empty((replies, count), np.int64)
    for row in range(replies):
        others = chance.choice(replies - 1, count - 1, replace=False)
        drawn[row] = [row, *(others + (others >= row))]
    return drawn


def _number_said(texts: Iterable[str]) -> np.ndarray:
    numbers: np.ndarray = pd.factorize(np.array([same_words(it) for it in texts], object))[0]
    return numbers
