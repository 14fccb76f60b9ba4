"""Splits that never leak: who is in which split depends on content, not on order or chance."""

from collections.abc import Iterable, Mapping

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
