"""Which dialogues are nearly the same: found by MinHash, checked by what they have in common.

Broder 1997, "On the resemblance and containment of documents"; bands of hashes as in Leskovec,
Rajaraman and Ullman, "Mining of Massive Datasets", 3.4.
"""

import zlib
from collections.abc import Sequence

import numpy as np

from .normal import same_words

WORDS = 3  # of a sequence
BANDS, ROWS = 32, 3  # dialogues that share 0.5 meet in a band with probability 0.986
NOTHING = np.uint64(2**32)  # the smallest hash of what has no sequence
HALF = np.uint64(32)  # bits of a product that are left: its upper ones (Dietzfelbinger et al. 1997)


def group_dialogues(dialogues: Sequence[Sequence[str]], least: float) -> np.ndarray:
    """Group dialogues that are alike, directly or through others.

    Args:
        dialogues: utterances in normal form.
        least: Jaccard similarity of their three-word sequences from which on two are alike.

    Returns:
        The number of the first dialogue of each one's group, shape (dialogues,).
    """
    sets = [_sequences(it) for it in dialogues]
    parents = np.arange(len(sets))
    compared: set[tuple[int, int]] = set()
    for band in _bands(sets):
        first: dict[bytes, list[int]] = {}
        for place, key in enumerate(band):
            near = first.setdefault(key.tobytes(), [])
            for other in near:  # a representative of each cluster that shares this band
                pair = (other, place)
                if _root(parents, other) == _root(parents, place):
                    break
                if pair not in compared and _similarity(sets[other], sets[place]) >= least:
                    _join(parents, other, place)
                    break
                compared.add(pair)
            else:
                near.append(place)
    return np.array([_root(parents, it) for it in range(len(sets))], np.int64)


def _sequences(utterances: Sequence[str]) -> np.ndarray:
    """Hashes of all sequences of three words, uint64, each once; those of one utterance only."""
    found = set()
    for utterance in utterances:
        words = same_words(utterance).split()
        for start in range(max(1, len(words) - WORDS + 1)):
            found.add(zlib.crc32(" ".join(words[start : start + WORDS]).encode()))
    return np.array(sorted(found), np.uint64)


def _bands(sets: Sequence[np.ndarray]) -> np.ndarray:
    """The smallest hashes of each set under many hash functions: (bands, dialogues, rows)."""
    chance = np.random.default_rng(0)
    factors = chance.integers(0, 2**63, BANDS * ROWS, dtype=np.uint64)[:, None] * 2 + 1
    offsets = chance.integers(0, 2**63, BANDS * ROWS, dtype=np.uint64)[:, None]
    smallest = np.full((len(sets), BANDS * ROWS), NOTHING)
    for place, hashes in enumerate(sets):
        if len(hashes):
            smallest[place] = ((factors * hashes[None] + offsets) >> HALF).min(1)
    return np.ascontiguousarray(smallest.reshape(len(sets), BANDS, ROWS).transpose(1, 0, 2))


def _similarity(ours: np.ndarray, theirs: np.ndarray) -> float:
    shared = len(np.intersect1d(ours, theirs, assume_unique=True))
    return shared / max(1, len(ours) + len(theirs) - shared)


def _root(parents: np.ndarray, place: int) -> int:
    while parents[place] != place:
        parents[place] = parents[parents[place]]
        place = int(parents[place])
    return place


def _join(parents: np.ndarray, one: int, other: int) -> None:
    """Put two groups together, under the number of the first."""
    low, high = sorted((_root(parents, one), _root(parents, other)))
    parents[high] = low
