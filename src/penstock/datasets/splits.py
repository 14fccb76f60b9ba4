"""Splits that never leak: who is in which split depends on content, not on order or chance."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np


def hash_splits(digests: Iterable[str], shares: Mapping[str, float]) -> np.ndarray:
    """Assign each example a split by the hash of its content, or of the group it belongs to.

    Equal content lands in one split, and adding examples moves nobody: a split is a range of
    hashes, so its size is near its share, not exactly it.

    Args:
        digests: SHA-256 of each content or group, as hexadecimal.
        shares: split -> share of the examples; they add up to 1.

    Returns:
        The name of each example's split, shape (examples,).
    """
    position = np.array([int(digest[:15], 16) for digest in digests], np.float64) / 16**15
    edges = np.cumsum(list(shares.values()))
    edges[-1] = np.inf  # whatever rounding does, the last split takes the rest
    return np.array(list(shares))[np.searchsorted(edges, position, side="right")]


def ranked_splits(groups: Sequence[str], shares: Mapping[str, float]) -> np.ndarray:
    """Deal out whole groups, so that even few of them meet the shares.

    Groups are taken in the order of their names' hashes, and each goes to the split that has
    least of its share. With as many groups as splits, or more, no split is empty. Adding groups
    may move others, which `hash_splits` never does.

    Args:
        groups: the group of each example.
        shares: split -> share of the groups, above 0; they add up to 1.

    Returns:
        The name of each example's split, shape (examples,).
    """
    ranked = sorted(set(groups), key=lambda group: hashlib.sha256(group.encode()).digest())
    counts = dict.fromkeys(shares, 0)
    chosen: dict[str, str] = {}
    for group in ranked:
        # An empty split has nothing of its share, so it comes first; of several, the largest.
        split = min(shares, key=lambda name: (counts[name] / shares[name], -shares[name]))
        counts[split] += 1
        chosen[group] = split
    return np.array([chosen[group] for group in groups], dtype=np.array(list(shares)).dtype)
