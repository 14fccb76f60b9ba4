"""Splits that never leak: who is in which split depends on content, not on order or chance."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal

import numpy as np
import pandas as pd

Splitter = Callable[[pd.DataFrame], np.ndarray]  # rows of the index -> the split of each


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


def hash_groups(groups: Iterable[str], shares: Mapping[str, float]) -> np.ndarray:
    """Assign each example a split by the hash of its group's name, as `hash_splits`."""
    return hash_splits((hashlib.sha256(it.encode()).hexdigest() for it in groups), shares)


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


def latest_held_out(times: np.ndarray, test: float, validation: float) -> np.ndarray:
    """Hold out the latest for test, those before them for validation; equal times stay together.

    Args:
        times: of each example, numbers that grow with time.
        test: share of the examples.
        validation: likewise.

    Returns:
        int8, shape (examples,): 0 for train, 1 for validation, 2 for test.
    """
    latest = np.quantile(times, 1 - test, method="lower")
    held_out = np.quantile(times, 1 - test - validation, method="lower")
    return np.where(times > latest, 2, np.where(times > held_out, 1, 0)).astype(np.int8)


def group_splitter(
    policy: Literal["hash", "ranked"],
    test: float,
    validation: float,
    files: Sequence[str],
    groups: Sequence[str],
) -> Splitter:
    """How rows of the index (`id`, `group`) get their split, so that no group sits in two.

    Args:
        policy: `hash` of the group's name, or `ranked`: dealt out now, over all files.
        test: share of the groups.
        validation: likewise.
        files: every file there is, taken or not.
        groups: the group of each.
    """
    shares = {"test": test, "validation": validation, "train": 1 - test - validation}
    if policy == "hash":
        return lambda rows: hash_groups(rows["group"], shares)
    split_of = dict(zip(files, ranked_splits(groups, shares), strict=True))
    return lambda rows: np.array([split_of[name] for name in rows["id"]])
