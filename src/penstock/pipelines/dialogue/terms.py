"""An utterance as sparse numbers: the terms that TF-IDF weighs, the features an encoder sums."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.preprocessing import normalize

from .normal import split_words

TERMS = 2**18  # rows that words share by their hash, where only their weight is kept
PART = 4  # letters of a part of a word
ENDINGS = ("ing", "ed", "es", "s", "ly")
STEM = 3  # letters of a word that stay at least


def list_terms(text: str) -> list[str]:
    """The words of an utterance in normal form, without English endings, and its marks."""
    return [_stem(it) for it in split_words(text)]


def list_features(text: str) -> list[str]:
    """Words, pairs of words and parts of words.

    Parts carry over to words that were not learned from (Bojanowski et al. 2017).
    """
    words = split_words(text)
    pairs = zip(["<", *words], [*words, ">"], strict=True)
    marked = [f"<{it}>" for it in words if len(it) >= STEM]
    return [
        *words,
        *(f"{one} {other}" for one, other in pairs),
        *(f"#{it[at : at + PART]}" for it in marked for at in range(len(it) - PART + 1)),
    ]


def count(
    texts: Sequence[str], listed: Callable[[str], Iterable[str]], buckets: int
) -> sp.csr_matrix:
    """How often each text has what is listed: counts by hash, shape (texts, buckets)."""
    hashing = HashingVectorizer(
        analyzer=listed, n_features=buckets, norm=None, alternate_sign=False, dtype=np.float32
    )
    return sp.csr_matrix(hashing.transform(texts))


def measure_idf(counted: sp.csr_matrix) -> np.ndarray:
    """Inverse document frequency of each bucket, float32; 0 for what no text has."""
    frequency = np.bincount(counted.indices, minlength=counted.shape[1])
    idf = np.log((1 + counted.shape[0]) / (1 + frequency)) + 1e-3
    return np.where(frequency > 0, idf, 0).astype(np.float32)


def weigh(counted: sp.csr_matrix, idf: np.ndarray) -> sp.csr_matrix:
    """TF-IDF with the logarithm of counts, rows of length 1 (Manning et al. 2008, 6.4)."""
    weights = counted.copy()
    weights.data = (1 + np.log(weights.data)) * idf[weights.indices]
    return normalize(weights)


def _stem(word: str) -> str:
    """A word without the usual English ending, where enough is left of it."""
    for ending in ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= STEM:
            return word[: -len(ending)]
    return word
