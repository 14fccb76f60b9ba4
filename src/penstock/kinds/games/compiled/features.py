"""What a move is like, in categories: what a linear policy weighs (Coulom 2007).

A move has one category of each group, and a 3x3 pattern. Its weight is the sum of theirs; its
probability the softmax over all moves.
"""

import numpy as np

from .caching import compiled
from .layout import (
    AROUND,
    BEFORE_LAST,
    BLACK,
    HEAD,
    LAST,
    MOVES,
    NEXT,
    PASS,
    SIDE,
    STONE,
    STONES,
    WAYS,
    WHITE,
    WIDTH,
)
from .patterns import pattern_at
from .rules import in_atari
from .tactics import chain_liberties, largest_in_atari, liberties_after

# Group -> how many categories it has.
GROUPS = {
    "capture": 5,  # nothing; one stone, more; the same beside an own chain in atari
    "rescue": 4,  # nothing; one stone, more; a stone that stays in atari
    "liberties": 5,  # after the move: 1 of one stone, 1 of more, 2, 3
    "threat": 4,  # nothing; puts one stone in atari, more; with one liberty left itself
    "last": 18,  # distance from the last move
    "before_last": 18,
    "place": 45,  # lines from the two borders, by three phases of the game
    "friends": 4,  # how many chains of the own colour it joins
    "near": 2,  # beside the last move, corners included
}
NAMES = list(GROUPS)
STARTS = np.concatenate([[0], np.cumsum(list(GROUPS.values()))]).astype(np.int64)
CATEGORIES = int(STARTS[-1])
COUNT = len(GROUPS)
FARTHEST = 17
_OPENING, _MIDDLE = 0.1, 0.35  # of the points of the board: moves that a phase ends with
_CAPTURE, _RESCUE, _LIBERTIES, _THREAT = 0, 1, 2, 3
_LAST, _BEFORE, _PLACE, _FRIENDS, _NEAR = 4, 5, 6, 7, 8


@compiled
def distance(first: int, second: int) -> int:
    """Of two points: across, down, and the larger of both (as in Coulom 2007); 0 from a pass."""
    if first == PASS or second == PASS:
        return 0
    down = abs(first // SIDE - second // SIDE)
    across = abs(first % SIDE - second % SIDE)
    return min(FARTHEST, down + across + max(down, across))


@compiled
def _place(state: np.ndarray, point: int) -> int:
    """Category of where a point lies: 15 pairs of lines, in three phases."""
    width = state[WIDTH]
    row, column = point // SIDE, point % SIDE
    low = min(row, width + 1 - row, 5)
    high = min(column, width + 1 - column, 5)
    if low > high:
        low, high = high, low
    pair = high * (high - 1) // 2 + low - 1
    share = state[MOVES] / (width * width)
    phase = 0 if share < _OPENING else (1 if share < _MIDDLE else 2)
    return phase * 15 + pair


@compiled
def describe(state: np.ndarray, point: int, colour: int, found: np.ndarray) -> int:
    """The categories of a legal move, each where it lies among all CATEGORIES.

    Args:
        state: the position.
        point: the move, no pass.
        colour: who plays it.
        found: is filled, int64, (COUNT,).

    Returns:
        The number of its pattern.
    """
    enemy = BLACK + WHITE - colour
    after = liberties_after(state, point, colour)
    taken = largest_in_atari(state, point, enemy)
    saved = largest_in_atari(state, point, colour)
    friends, own, heads = 0, 1, 0
    threatened = 0
    relieves = False
    for way in range(4):
        beside = point + WAYS[way]
        stone = state[STONE + beside]
        if stone == colour:
            head = state[HEAD + beside]
            if head != heads:
                friends += 1
                own += state[STONES + head]
                heads = head
        elif stone == enemy:
            head = state[HEAD + beside]
            if in_atari(state, head):
                relieves = relieves or _touches_own_atari(state, head, colour)
            elif chain_liberties(state, head) == 2 and state[STONES + head] > threatened:
                threatened = state[STONES + head]
    near = False
    for way in range(8):
        near = near or (state[LAST] != PASS and state[LAST] + AROUND[way] == point)
    capture = 0 if taken == 0 else (1 if taken == 1 else 2) + (2 if relieves else 0)
    rescue = 0 if saved == 0 else (3 if after < 2 else (1 if saved == 1 else 2))
    threat = 0 if threatened == 0 else (3 if after < 2 else (1 if threatened == 1 else 2))
    liberties = after + 1 if after > 1 else (0 if own == 1 else 1)
    found[_CAPTURE] = STARTS[_CAPTURE] + capture
    found[_RESCUE] = STARTS[_RESCUE] + rescue
    found[_LIBERTIES] = STARTS[_LIBERTIES] + liberties
    found[_THREAT] = STARTS[_THREAT] + threat
    found[_LAST] = STARTS[_LAST] + distance(point, state[LAST])
    found[_BEFORE] = STARTS[_BEFORE] + distance(point, state[BEFORE_LAST])
    found[_PLACE] = STARTS[_PLACE] + _place(state, point)
    found[_FRIENDS] = STARTS[_FRIENDS] + min(friends, 3)
    found[_NEAR] = STARTS[_NEAR] + (1 if near else 0)
    return pattern_at(state, point, colour)


@compiled
def _touches_own_atari(state: np.ndarray, head: int, colour: int) -> bool:
    """Whether a chain has a neighbour of a colour that is in atari."""
    stone = head
    while True:
        for way in range(4):
            beside = stone + WAYS[way]
            if state[STONE + beside] == colour and in_atari(state, state[HEAD + beside]):
                return True
        stone = state[NEXT + stone]
        if stone == head:
            return False


@compiled
def weigh(
    state: np.ndarray,
    point: int,
    colour: int,
    weights: np.ndarray,
    patterns: np.ndarray,
    found: np.ndarray,
) -> float:
    """The weight of a legal move.

    Args:
        state: the position.
        point: the move, no pass.
        colour: who plays it.
        weights: of the categories, float32, (CATEGORIES,).
        patterns: of the numbers of patterns, for moves far from the last one and beside it,
            float32, (2, NUMBERS).
        found: room for categories, int64, (COUNT,).
    """
    number = describe(state, point, colour, found)
    total = patterns[found[_NEAR] - STARTS[_NEAR], number]
    for group in range(COUNT):
        total += weights[found[group]]
    return total
