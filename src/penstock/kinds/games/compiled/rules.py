"""The rules of Go (Tromp and Taylor 1995), suicide forbidden: chains joined, liberties counted.

`state` is int32, shape (LENGTH,), as layout.py has it. A `past` is int64: a hash of each position
there was, for positional superko.
"""

import numpy as np

from .caching import compiled
from .layout import (
    BEFORE_LAST,
    BLACK,
    BORDER,
    EMPTY,
    HASH_HIGH,
    HASH_LOW,
    HEAD,
    KO,
    LAST,
    LENGTH,
    LIBERTIES,
    LIBERTY_SQUARES,
    LIBERTY_SUM,
    MOVES,
    NEXT,
    PASS,
    PASSES,
    POINTS,
    SIDE,
    SLOT,
    STONE,
    STONES,
    TURN,
    VACANCIES,
    VACANT,
    WAYS,
    WHITE,
    WIDTH,
    ZOBRIST_HIGH,
    ZOBRIST_LOW,
)


@compiled
def empty_board(width: int) -> np.ndarray:
    """A board without stones, black to play."""
    state = np.zeros(LENGTH, np.int32)
    state[STONE : STONE + POINTS] = BORDER
    count = 0
    for row in range(1, width + 1):
        for column in range(1, width + 1):
            point = row * SIDE + column
            state[STONE + point] = EMPTY
            state[VACANT + count] = point
            state[SLOT + point] = count
            count += 1
    state[VACANCIES] = count
    state[TURN] = BLACK
    state[WIDTH] = width
    return state


@compiled
def in_atari(state: np.ndarray, head: int) -> bool:
    """Whether all liberties of a chain are one point (Cauchy and Schwarz)."""
    total = np.int64(state[LIBERTY_SUM + head])
    squares = np.int64(state[LIBERTY_SQUARES + head])
    return np.int64(state[LIBERTIES + head]) * squares == total * total


@compiled
def last_liberty(state: np.ndarray, head: int) -> int:
    """The liberty of a chain in atari."""
    return state[LIBERTY_SUM + head] // state[LIBERTIES + head]


@compiled
def is_legal(state: np.ndarray, point: int, colour: int) -> bool:
    """Whether a stone may be put there: empty, no suicide, no simple ko; a pass always may."""
    if point == PASS:
        return True
    if state[STONE + point] != EMPTY or point == state[KO]:
        return False
    for way in range(4):
        if state[STONE + point + WAYS[way]] == EMPTY:
            return True
    for way in range(4):
        beside = point + WAYS[way]
        stone = state[STONE + beside]
        # With no empty point beside it a move needs a friend with another liberty, or a prey.
        if stone != BORDER and (stone == colour) != in_atari(state, state[HEAD + beside]):
            return True
    return False


@compiled
def _join(state: np.ndarray, ours: int, theirs: int) -> None:
    """Make one chain of two, by their heads; the smaller is renamed."""
    if state[STONES + ours] < state[STONES + theirs]:
        ours, theirs = theirs, ours
    stone = theirs
    while True:
        state[HEAD + stone] = ours
        stone = state[NEXT + stone]
        if stone == theirs:
            break
    following = state[NEXT + ours]
    state[NEXT + ours] = state[NEXT + theirs]
    state[NEXT + theirs] = following
    state[LIBERTIES + ours] += state[LIBERTIES + theirs]
    state[LIBERTY_SUM + ours] += state[LIBERTY_SUM + theirs]
    state[LIBERTY_SQUARES + ours] += state[LIBERTY_SQUARES + theirs]
    state[STONES + ours] += state[STONES + theirs]


@compiled
def _remove(state: np.ndarray, first: int, colour: int) -> int:
    """Take the chain of a stone off the board; answer how many stones it had."""
    count = 0
    stone = first
    while True:
        state[STONE + stone] = EMPTY
        state[HASH_HIGH] ^= ZOBRIST_HIGH[colour, stone]
        state[HASH_LOW] ^= ZOBRIST_LOW[colour, stone]
        count += 1
        vacancies = state[VACANCIES]
        state[VACANT + vacancies] = stone
        state[SLOT + stone] = vacancies
        state[VACANCIES] = vacancies + 1
        for way in range(4):
            beside = stone + WAYS[way]
            there = state[STONE + beside]
            if there == BLACK or there == WHITE:
                head = state[HEAD + beside]
                state[LIBERTIES + head] += 1
                state[LIBERTY_SUM + head] += stone
                state[LIBERTY_SQUARES + head] += stone * stone
        stone = state[NEXT + stone]
        if stone == first:
            break
    return count


@compiled
def _put(state: np.ndarray, point: int, colour: int) -> None:
    """Put a stone down, as a chain of its own, and take the liberty from those around it."""
    slot, vacancies = state[SLOT + point], state[VACANCIES] - 1
    moved = state[VACANT + vacancies]
    state[VACANT + slot] = moved
    state[SLOT + moved] = slot
    state[VACANCIES] = vacancies
    state[STONE + point] = colour
    state[HASH_HIGH] ^= ZOBRIST_HIGH[colour, point]
    state[HASH_LOW] ^= ZOBRIST_LOW[colour, point]
    state[HEAD + point] = point
    state[NEXT + point] = point
    state[STONES + point] = 1
    count, total, squares = 0, 0, 0
    for way in range(4):
        beside = point + WAYS[way]
        stone = state[STONE + beside]
        if stone == EMPTY:
            count += 1
            total += beside
            squares += beside * beside
        elif stone != BORDER:
            head = state[HEAD + beside]
            state[LIBERTIES + head] -= 1
            state[LIBERTY_SUM + head] -= point
            state[LIBERTY_SQUARES + head] -= point * point
    state[LIBERTIES + point] = count
    state[LIBERTY_SUM + point] = total
    state[LIBERTY_SQUARES + point] = squares


@compiled
def play(state: np.ndarray, point: int, colour: int) -> int:
    """Play a legal move; answer how many stones it took."""
    state[KO] = 0
    state[BEFORE_LAST] = state[LAST]
    state[LAST] = point
    state[MOVES] += 1
    state[TURN] = BLACK + WHITE - colour
    if point == PASS:
        state[PASSES] += 1
        return 0
    state[PASSES] = 0
    _put(state, point, colour)
    for way in range(4):
        beside = point + WAYS[way]
        if state[STONE + beside] == colour and state[HEAD + beside] != state[HEAD + point]:
            _join(state, state[HEAD + beside], state[HEAD + point])
    enemy = BLACK + WHITE - colour
    taken, place = 0, 0
    for way in range(4):
        beside = point + WAYS[way]
        if state[STONE + beside] == enemy and state[LIBERTIES + state[HEAD + beside]] == 0:
            taken += _remove(state, beside, enemy)
            place = beside
    head = state[HEAD + point]
    if taken == 1 and state[STONES + head] == 1 and state[LIBERTIES + head] == 1:
        state[KO] = place
    return taken


@compiled
def position_hash(state: np.ndarray) -> np.int64:
    """Hash of the stones on the board, whoever is to play."""
    return (np.int64(state[HASH_HIGH]) << 31) | np.int64(state[HASH_LOW])


@compiled
def hash_after(state: np.ndarray, point: int, colour: int) -> np.int64:
    """Hash of the stones after a legal move, without playing it."""
    high = state[HASH_HIGH] ^ ZOBRIST_HIGH[colour, point]
    low = state[HASH_LOW] ^ ZOBRIST_LOW[colour, point]
    enemy = BLACK + WHITE - colour
    first, second, third = 0, 0, 0  # heads that were counted
    for way in range(4):
        beside = point + WAYS[way]
        if state[STONE + beside] != enemy:
            continue
        head = state[HEAD + beside]
        if head == first or head == second or head == third or not in_atari(state, head):
            continue
        first, second, third = head, first, second
        stone = beside
        while True:
            high ^= ZOBRIST_HIGH[enemy, stone]
            low ^= ZOBRIST_LOW[enemy, stone]
            stone = state[NEXT + stone]
            if stone == beside:
                break
    return (np.int64(high) << 31) | np.int64(low)


@compiled
def repeats(state: np.ndarray, point: int, colour: int, past: np.ndarray, count: int) -> bool:
    """Whether a legal move makes a position that there was: positional superko."""
    if point == PASS:
        return False
    after = hash_after(state, point, colour)
    for number in range(count):
        if past[number] == after:
            return True
    return False


@compiled
def score_area(state: np.ndarray, owner: np.ndarray) -> int:
    """Area of black less that of white, all stones taken as alive (Tromp and Taylor 1995).

    Args:
        state: the position.
        owner: is filled with BLACK, WHITE or EMPTY for each point, shape (POINTS,).
    """
    width = state[WIDTH]
    waiting = np.empty(POINTS, np.int32)
    region = np.empty(POINTS, np.int32)
    owner[:] = BORDER
    balance = 0
    for row in range(1, width + 1):
        for column in range(1, width + 1):
            point = row * SIDE + column
            stone = state[STONE + point]
            if stone != EMPTY:
                owner[point] = stone
                balance += 1 if stone == BLACK else -1
            elif owner[point] == BORDER:
                count, size, reached = 1, 0, 0
                waiting[0] = point
                owner[point] = EMPTY
                while count > 0:
                    count -= 1
                    here = waiting[count]
                    region[size] = here
                    size += 1
                    for way in range(4):
                        beside = here + WAYS[way]
                        there = state[STONE + beside]
                        if there == EMPTY:
                            if owner[beside] == BORDER:
                                owner[beside] = EMPTY
                                waiting[count] = beside
                                count += 1
                        elif there != BORDER:
                            reached |= there
                if reached == BLACK or reached == WHITE:
                    balance += size if reached == BLACK else -size
                    for number in range(size):
                        owner[region[number]] = reached
    return balance
