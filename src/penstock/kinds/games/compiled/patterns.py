"""The eight points around a move, as a number: hand-made 3x3 patterns, and classes to learn by.

The number has two bits for each point, row by row: EMPTY, own colour (1), the other's (2), BORDER.
So it says the same for both colours.
"""

import numpy as np

from .caching import compiled
from .layout import AROUND, EMPTY, STONE

NUMBERS = 4**8

# What a stone is to who plays: [colour, stone].
SEEN_BY = np.array([[0, 1, 2, 3], [0, 1, 2, 3], [0, 2, 1, 3]], np.int32)

# Patterns that are worth a local answer (Gelly et al. 2006, "Modification of UCT with patterns in
# Monte-Carlo Go": hane, cuts, the edge). X and O are colours, x is not X, o not O; # is the border.
WORTHY = (
    ("XOX", "...", "???"),  # hane, enclosing
    ("XO.", "...", "?.?"),  # hane, not cutting
    ("XO?", "X..", "x.?"),  # magari
    (".O.", "X..", "..."),  # katatsuke
    ("XO?", "O.o", "?o?"),  # cut, unprotected
    ("XO?", "O.X", "???"),  # cut, peeped at
    ("?X?", "O.O", "ooo"),  # cut between
    ("OX?", "o.O", "???"),  # cut, keima
    ("X.?", "O.?", "###"),  # edge: chase
    ("OX?", "X.O", "###"),  # edge: cut
    ("?X?", "x.O", "###"),  # edge: block a hane
    ("?XO", "x.x", "###"),  # edge: connect
    ("?OX", "X.O", "###"),  # edge: cut by sagari
)
MEANT = {"X": (1,), "O": (2,), ".": (0,), "x": (0, 2, 3), "o": (0, 1, 3), "?": (0, 1, 2, 3)} | {
    "#": (3,)
}


@compiled
def pattern_at(state: np.ndarray, point: int, colour: int) -> int:
    """The number of what is around a point, seen by who plays there."""
    number = 0
    for place in range(8):
        number = number * 4 + SEEN_BY[colour, state[STONE + point + AROUND[place]]]
    return number


def _symmetries(cells: np.ndarray) -> list[np.ndarray]:
    """The eight ways to look at squares, shape (..., 3, 3)."""
    turned = [np.rot90(cells, turns, (-2, -1)) for turns in range(4)]
    return [*turned, *(it[..., ::-1] for it in turned)]


def _number(cells: np.ndarray) -> np.ndarray:
    """The numbers of squares, shape (..., 3, 3); their middle does not count."""
    flat = cells.reshape(*cells.shape[:-2], 9)
    around = np.delete(flat, 4, axis=-1).astype(np.int64)
    return around @ (4 ** np.arange(7, -1, -1))


def _all_squares() -> np.ndarray:
    """The square of each number, its middle empty: (NUMBERS, 3, 3)."""
    around = (np.arange(NUMBERS)[:, None] >> np.arange(14, -1, -2)) & 3
    return np.insert(around, 4, EMPTY, axis=1).reshape(-1, 3, 3)


def worthy_patterns() -> np.ndarray:
    """Which numbers are of a hand-made pattern, by either colour: float32 0 or 1, (NUMBERS,)."""
    table = np.zeros(NUMBERS, np.float32)
    squares = _all_squares()
    for rows in WORTHY:
        for swap in ({}, str.maketrans("XOxo", "OXox")):
            letters = "".join(rows).translate(swap)
            fits = np.ones(NUMBERS, bool)
            for place, letter in enumerate(letters):
                fits &= np.isin(squares[:, place // 3, place % 3], MEANT[letter])
            for seen in _symmetries(squares[fits]):
                table[_number(seen)] = 1.0
    return table


def pattern_classes() -> tuple[np.ndarray, int]:
    """Number patterns that are the same but for a turn or a mirror.

    Returns:
        The class of each number, int64, shape (NUMBERS,), and how many classes there are.
    """
    least = np.min([_number(it) for it in _symmetries(_all_squares())], axis=0)
    kinds, classes = np.unique(least, return_inverse=True)
    return classes.astype(np.int64), len(kinds)
