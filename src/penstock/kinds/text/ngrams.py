"""A baseline that counts: n-grams with interpolated Kneser-Ney smoothing.

Chen and Goodman 1999, "An Empirical Study of Smoothing Techniques for Language Modeling", 2.7: a
longer n-gram gives up a discount to the shorter one, whose counts are of how many tokens it
followed.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class _Order:
    """Counts of the n-grams of one length.

    Attributes:
        counts: of each n-gram; of the shorter ones, the tokens it follows.
        totals: of each context, the sum of its n-grams' counts.
        followed: by how many different tokens each context is.
        discount: taken off each count.
    """

    counts: np.ndarray
    totals: np.ndarray
    followed: np.ndarray
    discount: float


def ngram_nats(train: np.ndarray, test: np.ndarray, vocabulary: int, length: int) -> np.ndarray:
    """What n-grams say of a stream of tokens.

    Args:
        train: tokens to count, shape (tokens,).
        test: tokens to score, likewise, each after those before it.
        vocabulary: how many different tokens there are.
        length: of the n-grams, in tokens.

    Returns:
        Nats of each test token, float64.
    """
    stream = np.concatenate([train, test]).astype(np.int64)
    names, counted = _name(stream, vocabulary, length), len(train)
    asked = np.arange(counted, len(stream))
    given = np.full(len(test), 1 / vocabulary)
    for order in range(1, length + 1):
        longer = names[order + 1] if order < length else None
        found = _count(names[order], names[order - 1], longer, counted)
        ngrams, contexts = names[order][asked], names[order - 1][asked - 1]
        totals = found.totals[contexts]
        known = totals > 0
        kept = np.maximum(found.counts[ngrams] - found.discount, 0) / np.maximum(totals, 1)
        left = found.discount * found.followed[contexts] / np.maximum(totals, 1)
        given = np.where(known, kept + left * given, given)
    nats: np.ndarray = -np.log(given)
    return nats


def _name(stream: np.ndarray, vocabulary: int, length: int) -> list[np.ndarray]:
    """For each order, the number of the n-gram that ends at each place; equal ones have one."""
    names = [np.zeros(len(stream), np.int64), stream]
    for _ in range(1, length):
        before = np.concatenate([[0], names[-1][:-1] + 1])  # 0: nothing stands before
        _, name = np.unique(before * vocabulary + stream, return_inverse=True)
        names.append(name)
    return names


def _count(
    ngrams: np.ndarray, shorter: np.ndarray, longer: np.ndarray | None, counted: int
) -> _Order:
    """Count the n-grams of one length in the first tokens of the stream."""
    size, contexts = int(ngrams.max()) + 1, int(shorter.max()) + 1
    if longer is None:
        counts = np.bincount(ngrams[:counted], minlength=size)
    else:
        _, first = np.unique(longer[:counted], return_index=True)
        counts = np.bincount(ngrams[first], minlength=size)
    _, first = np.unique(ngrams[:counted], return_index=True)
    first = first[(first > 0) | (contexts == 1)]  # what the stream begins with has no context
    context = shorter[first - 1]
    weights = counts[ngrams[first]]
    once, twice = int((weights == 1).sum()), int((weights == 2).sum())
    return _Order(
        counts,
        np.bincount(context, weights, minlength=contexts),
        np.bincount(context, minlength=contexts),
        once / (once + 2 * twice) if once else 0.5,
    )
