"""What a text repeats: the longest stretches of it that stand in another word for word."""

import numpy as np


def longest_copies(text: str, source: str) -> np.ndarray:
    """For each place of a text, the length of the longest stretch from there that `source` has.

    Returns:
        Characters, int64, shape (characters,).
    """
    lengths = np.zeros(len(text), np.int64)
    length = 0
    for place in range(len(text)):
        length = max(length - 1, 0)
        while place + length < len(text) and text[place : place + length + 1] in source:
            length += 1
        lengths[place] = length
    return lengths
