"""What a move does to the chains around it: liberties, captures, rescues, eyes, distance."""

import numpy as np

from .caching import compiled
from .layout import (
    AROUND,
    BLACK,
    BORDER,
    EMPTY,
    HEAD,
    LAST,
    LIBERTIES,
    NEXT,
    PASS,
    POINTS,
    STONE,
    STONES,
    WAYS,
    WHITE,
)
from .rules import in_atari, last_liberty

ENOUGH = 3  # liberties are not counted further
FAR = 9  # a distance that is not counted further


@compiled
def is_eye(state: np.ndarray, point: int, colour: int) -> bool:
    """Whether an empty point is an eye that its owner should not fill.

    All neighbours are of the colour, and fewer than two corners are not; one at the border.
    """
    for way in range(4):
        stone = state[STONE + point + WAYS[way]]
        if stone != colour and stone != BORDER:
            return False
    lost, edge = 0, 0
    for way in range(4, 8):
        stone = state[STONE + point + WAYS[way]]
        if stone == BORDER:
            edge = 1
        elif stone == BLACK + WHITE - colour:
            lost += 1
    return lost + edge < 2


@compiled
def _count_on(
    state: np.ndarray, start: int, but: int, first: int, second: int, count: int
) -> tuple[int, int, int]:
    """Count the liberties of a chain on, ENOUGH at most.

    Args:
        state: the position.
        start: a stone of the chain.
        but: a point that is not counted.
        first: the liberty that was found last; 0 if none.
        second: the one before it.
        count: how many there are so far.

    Returns:
        The same three then.
    """
    stone = start
    while True:
        for way in range(4):
            near = stone + WAYS[way]
            free = state[STONE + near] == EMPTY and near != but
            if free and near != first and near != second:
                count += 1
                if count >= ENOUGH:
                    return first, second, count
                first, second = near, first
        stone = state[NEXT + stone]
        if stone == start:
            return first, second, count


@compiled
def liberties_after(state: np.ndarray, point: int, colour: int) -> int:
    """How many liberties a stone would have once it is put there, ENOUGH at most."""
    first, second, count = 0, 0, 0
    enemy = BLACK + WHITE - colour
    for way in range(4):
        beside = point + WAYS[way]
        stone = state[STONE + beside]
        freed = stone == EMPTY
        if stone == enemy and in_atari(state, state[HEAD + beside]):
            if state[STONES + state[HEAD + beside]] > 1:
                return ENOUGH  # near enough: more than one point comes free
            freed = True
        if freed and beside != first and beside != second:
            count += 1
            if count >= ENOUGH:
                return ENOUGH
            first, second = beside, first
    for way in range(4):
        beside = point + WAYS[way]
        if state[STONE + beside] == colour:
            first, second, count = _count_on(state, beside, point, first, second, count)
            if count >= ENOUGH:
                return ENOUGH
    return count


@compiled
def largest_in_atari(state: np.ndarray, point: int, colour: int) -> int:
    """Stones of the largest chain of a colour beside a point that is in atari; 0 if none."""
    largest = 0
    for way in range(4):
        beside = point + WAYS[way]
        if state[STONE + beside] == colour:
            head = state[HEAD + beside]
            if in_atari(state, head) and state[STONES + head] > largest:
                largest = state[STONES + head]
    return largest


@compiled
def urgent_moves(state: np.ndarray, colour: int, found: np.ndarray) -> int:
    """Moves that answer the last one by what is in atari beside it; not all need be legal.

    Taking its chain, taking what attacks an own chain in atari, or running with that.

    Args:
        state: the position.
        colour: who is to play.
        found: is filled with points.

    Returns:
        How many.
    """
    last = state[LAST]
    count = 0
    if last == PASS:
        return count
    enemy = BLACK + WHITE - colour
    if state[STONE + last] == enemy and in_atari(state, state[HEAD + last]):
        found[count] = last_liberty(state, state[HEAD + last])
        count += 1
    room = len(found)
    for way in range(4):
        beside = last + WAYS[way]
        if state[STONE + beside] != colour:
            continue
        head = state[HEAD + beside]
        if not in_atari(state, head):
            continue
        stone = beside
        while True:
            for onward in range(4):
                near = stone + WAYS[onward]
                if (
                    state[STONE + near] == enemy
                    and count < room
                    and in_atari(state, state[HEAD + near])
                ):
                    found[count] = last_liberty(state, state[HEAD + near])
                    count += 1
            stone = state[NEXT + stone]
            if stone == beside:
                break
        escape = last_liberty(state, head)
        if count < room and liberties_after(state, escape, colour) > 1:
            found[count] = escape
            count += 1
    return count


@compiled
def measure_distances(state: np.ndarray, start: int, distances: np.ndarray) -> None:
    """Steps from a point where stones of one chain are no step apart, up to 3; else FAR.

    The common fate graph of Graepel et al. 2001.

    Args:
        state: the position.
        start: a point, or PASS: then all is FAR.
        distances: is filled for each point, shape (POINTS,).
    """
    distances[:] = FAR
    if start == PASS:
        return
    waiting = np.empty(4 * POINTS, np.int32)
    waiting[0] = start
    distances[start] = 0
    done, count = 0, 1
    while done < count:
        here = waiting[done]
        done += 1
        for way in range(4):
            beside = here + WAYS[way]
            stone = state[STONE + beside]
            if stone == BORDER:
                continue
            step = 0 if stone != EMPTY and stone == state[STONE + here] else 1
            reached = distances[here] + step
            if reached <= ENOUGH and reached < distances[beside] and count < len(waiting):
                distances[beside] = reached
                waiting[count] = beside
                count += 1


@compiled
def is_lonely(state: np.ndarray, point: int) -> bool:
    """Whether no stone is within three steps of a point."""
    for way in range(8):
        if state[STONE + point + AROUND[way]] in (BLACK, WHITE):
            return False
    for way in range(4):
        two = point + WAYS[way]
        if state[STONE + two] == BORDER:
            continue
        two += WAYS[way]
        for onward in range(4):
            if state[STONE + two] != BORDER and state[STONE + two + WAYS[onward]] in (BLACK, WHITE):
                return False
    return True


@compiled
def chain_liberties(state: np.ndarray, head: int) -> int:
    """Liberties of a chain, ENOUGH at most."""
    if in_atari(state, head):
        return 1
    if state[LIBERTIES + head] == 0:
        return 0
    _, _, count = _count_on(state, head, 0, 0, 0, 0)
    return count
