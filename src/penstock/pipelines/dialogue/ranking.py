"""Choosing the right reply among fixed candidates: measures, and a baseline that counts words."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .corpus import Corpus
from .terms import TERMS, count, list_terms, measure_idf

if TYPE_CHECKING:
    import scipy.sparse as sp

TENTH = 10  # candidates of the easier question: the first of them
K1, B = 1.2, 0.75  # of BM25, the usual ones


def judge(scores: np.ndarray, right: np.ndarray) -> pd.DataFrame:
    """Where the best right reply ends up.

    Any candidate that says the same as the right one is right. Of wrong ones that score as much,
    half are counted as better, and a hit is worth its chance.

    Args:
        scores: shape (contexts, candidates), the first ten of them the easier question.
        right: whether each is right, likewise.

    Returns:
        A row per context: hit_of_10, hit_of_100 (of all there are), reciprocal_rank of these.
    """
    judged = {}
    for name, candidates in (("hit_of_10", TENTH), ("hit_of_100", scores.shape[1])):
        part, correct = scores[:, :candidates], right[:, :candidates]
        best = np.where(correct, part, -np.inf).max(1, keepdims=True)
        better = (~correct & (part > best)).sum(1)
        equal = (~correct & (part == best)).sum(1)
        judged[name] = np.where(better, 0.0, 1 / (1 + equal))
    judged["reciprocal_rank"] = 1 / (1 + better + equal / 2)
    return pd.DataFrame(judged)


def score_bm25(corpus: Corpus, offered: np.ndarray, trained: list[str]) -> np.ndarray:
    """BM25 of candidates, asked by all turns together (Robertson and Zaragoza 2009).

    Args:
        corpus: whose contexts are asked about.
        offered: utterances that each may choose from, shape (contexts, candidates).
        trained: utterances that word frequencies and the usual length are counted in.

    Returns:
        float64, shape (contexts, candidates).
    """
    known = count(trained, list_terms, TERMS)
    idf, usual = measure_idf(known), known.sum() / known.shape[0]
    counted = count(corpus.texts, list_terms, TERMS)
    lengths = np.asarray(counted.sum(1)).ravel()
    weights = counted.copy()
    damped = K1 * (1 - B + B * lengths / usual)
    per_term = np.repeat(damped, np.diff(counted.indptr))
    weights.data = idf[counted.indices] * counted.data * (K1 + 1) / (counted.data + per_term)
    return _sum_over_turns(counted, weights, corpus, offered)


def _sum_over_turns(
    asked: "sp.csr_matrix", weights: "sp.csr_matrix", corpus: Corpus, offered: np.ndarray
) -> np.ndarray:
    total = np.zeros(offered.shape)
    used, column = np.unique(offered, return_inverse=True)
    column = column.reshape(offered.shape)
    candidates = weights[used].T.tocsc()
    rows = np.arange(len(offered))[:, None]
    for turn in range(corpus.contexts.shape[1]):
        places = corpus.contexts[:, turn]
        matched = (asked[np.maximum(places, 0)] @ candidates).toarray()
        total += matched[rows, column] * (places >= 0)[:, None]
    return total
