"""How good lists of recommended items are, against what their users turned out to like."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

BLOCK = 2**22  # scores held at a time: users by items

Scorer = Callable[[np.ndarray], np.ndarray]


def pairs(users: np.ndarray, items: np.ndarray, shape: tuple[int, int]) -> csr_matrix:
    """Which user has which item, as a sparse matrix of ones."""
    ones = np.ones(len(users), np.float32)
    return csr_matrix((ones, (users, items)), shape=shape)


def best_items(
    score: Scorer, users: np.ndarray, seen: csr_matrix, candidates: np.ndarray, top: int
) -> np.ndarray:
    """The best items of each user, of the candidates the user has not seen.

    Args:
        score: scores every item for users: (block,) -> (block, items).
        users: shape (users,).
        seen: what each user has, a row per user there is.
        candidates: which items may be recommended, shape (items,), bool.
        top: how many, at most; -1 fills lists of users who have seen nearly all.

    Returns:
        int64, shape (users, top), best first.
    """
    size = max(1, BLOCK // seen.shape[1])
    top = min(top, seen.shape[1])
    lists = []
    for start in range(0, len(users), size):
        block = users[start : start + size]
        scores = np.array(score(block), np.float32)
        scores[:, ~candidates] = -np.inf
        known = seen[block].tocoo()
        scores[known.row, known.col] = -np.inf
        best = np.argpartition(-scores, top - 1, axis=1)[:, :top]
        order = np.argsort(-np.take_along_axis(scores, best, 1), axis=1, kind="stable")
        best = np.take_along_axis(best, order, 1)
        best[~np.isfinite(np.take_along_axis(scores, best, 1))] = -1
        lists.append(best)
    return np.concatenate(lists) if lists else np.zeros((0, top), np.int64)


def judge(lists: np.ndarray, users: np.ndarray, relevant: csr_matrix) -> pd.DataFrame:
    """Judge each user's list by the items that are relevant to the user.

    Args:
        lists: items, best first, shape (users, top); -1 is none.
        users: whose lists they are; each has something relevant.
        relevant: what is relevant to whom, a row per user there is.

    Returns:
        A row per user: precision, recall, f1, ndcg with gains of 0 and 1 (Järvelin and Kekäläinen
        2002) and average_precision, all of the list's length.
    """
    top = lists.shape[1]
    rows = relevant[users]
    hits = np.asarray(rows[np.arange(len(users))[:, None], np.maximum(lists, 0)].todense()) > 0
    hits &= lists >= 0
    there = np.diff(rows.indptr)
    found = hits.sum(1)
    precision, recall = found / top, found / there
    discount = 1 / np.log2(np.arange(top) + 2)
    ideal = np.cumsum(discount)[np.minimum(there, top) - 1]
    at_hits = hits * (hits.cumsum(1) / np.arange(1, top + 1))
    both = precision + recall
    return pd.DataFrame(
        {
            "precision": precision,
            "recall": recall,
            "f1": np.divide(2 * precision * recall, both, out=np.zeros(len(both)), where=both > 0),
            "ndcg": hits @ discount / ideal,
            "average_precision": at_hits.sum(1) / np.minimum(there, top),
        }
    )


def coverage(lists: np.ndarray, candidates: np.ndarray) -> float:
    """Share of the candidates that are in any list."""
    return float(len(np.unique(lists[lists >= 0])) / max(1, candidates.sum()))
