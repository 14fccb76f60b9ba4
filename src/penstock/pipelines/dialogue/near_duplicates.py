"""Which dialogues are nearly the same: found by MinHash, checked by what they have in common.

Broder 1997, "On the resemblance and containment of documents"; bands of hashes as in Leskovec,
Rajaraman and Ullman, "Mining of Massive Datasets", 3.4.
"""

from collections.abc import Sequence

import numpy as np
from datasketch import MinHash, MinHashLSH
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from .normal import same_words

WORDS = 3  # of a sequence
BANDS, ROWS = 32, 3  # dialogues that share 0.5 meet in a band with probability 0.986


def group_dialogues(dialogues: Sequence[Sequence[str]], least: float) -> np.ndarray:
    """Group dialogues that are alike, directly or through others.

    Args:
        dialogues: utterances in normal form.
        least: Jaccard similarity of their three-word sequences from which on two are alike.

    Returns:
        The number of the first dialogue of each one's group, shape (dialogues,).
    """
    sets = [_sequences(it) for it in dialogues]
    index = MinHashLSH(num_perm=BANDS * ROWS, params=(BANDS, ROWS))
    pairs = []
    for place, sketch in enumerate(MinHash.bulk(sets, num_perm=BANDS * ROWS)):
        near = [it for it in index.query(sketch) if _similarity(sets[it], sets[place]) >= least]
        pairs += [(it, place) for it in near]
        if not near:  # one stands for all that are like it, however many there are
            index.insert(place, sketch)
    ends = np.array(pairs, np.int64).reshape(-1, 2).T
    alike = coo_array((np.ones(ends.shape[1]), ends), shape=(len(sets), len(sets)))
    _, group = connected_components(alike, directed=False)
    _, first = np.unique(group, return_index=True)
    return first[group].astype(np.int64)


def _sequences(utterances: Sequence[str]) -> set[bytes]:
    """All sequences of three words, those of one utterance only."""
    found = set()
    for utterance in utterances:
        words = same_words(utterance).split()
        for start in range(max(1, len(words) - WORDS + 1)):
            found.add(" ".join(words[start : start + WORDS]).encode())
    return found


def _similarity(ours: set[bytes], theirs: set[bytes]) -> float:
    return len(ours & theirs) / max(1, len(ours | theirs))
