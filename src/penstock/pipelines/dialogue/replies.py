"""What replies are like: how varied, how long, how often they fit anywhere or were copied."""

from collections.abc import Collection, Sequence
from itertools import pairwise

import numpy as np

from .normal import normalise, same_words, split_words


def describe_replies(
    replies: Sequence[str], generic: Sequence[str], trained: Collection[str]
) -> dict[str, float]:
    """Measure replies, those that were refused left out.

    Args:
        replies: in normal form.
        generic: replies that fit nearly everywhere.
        trained: what training replies say, by `same_words`.

    Returns:
        distinct_1 and distinct_2, different words and pairs of words over all there are (Li et al.
        2016); words of a reply; generic and copied, shares of the replies; answered.
    """
    given = [it for it in replies if it]
    words = [split_words(it) for it in given]
    said = [same_words(it) for it in given]
    usual = {same_words(normalise(it)) for it in generic}
    pairs = [pair for it in words for pair in pairwise(it)]
    flat = [it for reply in words for it in reply]
    return {
        "distinct_1": len(set(flat)) / max(1, len(flat)),
        "distinct_2": len(set(pairs)) / max(1, len(pairs)),
        "words": float(np.mean([len(it) for it in words])) if words else 0.0,
        "generic": float(np.mean([it in usual for it in said])) if said else 0.0,
        "copied": float(np.mean([it in trained for it in said])) if said else 0.0,
        "answered": len(given) / max(1, len(replies)),
    }
