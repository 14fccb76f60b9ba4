"""What a network sees of a position: planes, seen by who is to play."""

import numpy as np

from .caching import compiled
from .layout import (
    BEFORE_LAST,
    BORDER,
    EMPTY,
    HEAD,
    LAST,
    PASS,
    SIDE,
    STONE,
    TURN,
    WHITE,
    WIDTH,
)
from .rules import is_legal, repeats
from .tactics import chain_liberties, is_eye

# Own stones, the other's; own chains with 1, 2, 3 or more liberties, the other's; where no stone
# may be put; the last move, the one before; the board; white is to play.
PLANES = 13
_FORBIDDEN, _LAST, _BEFORE, _BOARD, _WHITE = 8, 9, 10, 11, 12


@compiled
def encode(
    state: np.ndarray,
    past: np.ndarray,
    count: int,
    superko: bool,
    seen: np.ndarray,
    sensible: np.ndarray,
) -> None:
    """See a position.

    Args:
        state: the position.
        past: hashes of the positions there were.
        count: how many.
        superko: whether none may come again.
        seen: is filled with 0 and 1, (PLANES, points of the board).
        sensible: is filled with whether each point, and a pass, is a legal move that fills no own
            eye; (points + 1,).
    """
    width, colour = state[WIDTH], state[TURN]
    seen[:] = 0
    for row in range(width):
        for column in range(width):
            place = row * width + column
            point = (row + 1) * SIDE + column + 1
            stone = state[STONE + point]
            sensible[place] = False
            seen[_BOARD, place] = 1
            if colour == WHITE:
                seen[_WHITE, place] = 1
            if stone == EMPTY:
                legal = is_legal(state, point, colour) and not (
                    superko and repeats(state, point, colour, past, count)
                )
                if not legal:
                    seen[_FORBIDDEN, place] = 1
                sensible[place] = legal and not is_eye(state, point, colour)
            elif stone != BORDER:
                side = 0 if stone == colour else 1
                seen[side, place] = 1
                seen[1 + side * 3 + chain_liberties(state, state[HEAD + point]), place] = 1
            if point == state[LAST] and point != PASS:
                seen[_LAST, place] = 1
            if point == state[BEFORE_LAST] and point != PASS:
                seen[_BEFORE, place] = 1
    sensible[width * width] = True
