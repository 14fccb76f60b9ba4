"""Playouts: a game played to its end by light rules of thumb (Gelly et al. 2006)."""

import numpy as np

from .caching import compiled
from .layout import (
    BLACK,
    EMPTY,
    LAST,
    MOVES,
    PASS,
    PASSES,
    POINTS,
    SIDE,
    STONE,
    TURN,
    VACANCIES,
    VACANT,
    WAYS,
    WHITE,
    WIDTH,
)
from .patterns import pattern_at
from .rules import is_legal, play
from .tactics import is_eye, liberties_after, urgent_moves

URGENT = 90  # of 100 times an atari is answered
LOCAL = 95  # of 100 times a pattern beside the last move is
CAREFUL = 50  # of 100 times a move that puts itself in atari is passed over
LONGEST = 3  # moves of a playout for each point of the board


@compiled
def draw(chance: np.ndarray, below: int) -> np.int64:
    """A random whole number from 0 on (xorshift: Marsaglia 2003); `chance` is uint64, (1,)."""
    bits = chance[0]
    bits ^= bits << np.uint64(13)
    bits ^= bits >> np.uint64(7)
    bits ^= bits << np.uint64(17)
    chance[0] = bits
    return np.int64((bits >> np.uint64(33)) % np.uint64(below))


@compiled
def seed_chance(seed: int) -> np.ndarray:
    """The state of a generator; seeds that are near make streams that are not."""
    bits = np.uint64(seed) + np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    chance = np.empty(1, np.uint64)
    chance[0] = (bits ^ (bits >> np.uint64(31))) | np.uint64(1)
    return chance


@compiled
def _local_move(
    state: np.ndarray, colour: int, chance: np.ndarray, patterns: np.ndarray, shares: np.ndarray
) -> int:
    """A move beside the last one, each as likely as its pattern weighs; PASS if none weighs."""
    total = np.float32(0.0)
    last = state[LAST]
    for way in range(8):
        point = last + WAYS[way]
        shares[way] = 0.0
        if state[STONE + point] == EMPTY:
            weight = patterns[pattern_at(state, point, colour)]
            if (
                weight > 0
                and is_legal(state, point, colour)
                and liberties_after(state, point, colour) > 1
            ):
                shares[way] = weight
                total += weight
    if total <= 0:
        return PASS
    drawn = np.float32(draw(chance, 1 << 24)) / np.float32(1 << 24) * total
    chosen = PASS
    for way in range(8):
        if shares[way] > 0:
            chosen = last + WAYS[way]
            drawn -= shares[way]
            if drawn < 0:
                break
    return chosen


@compiled
def _any_move(state: np.ndarray, colour: int, chance: np.ndarray) -> int:
    """A legal move that fills no own eye and, mostly, is not in atari at once; else PASS."""
    vacancies = state[VACANCIES]
    if vacancies == 0:
        return PASS
    start = draw(chance, vacancies)
    for number in range(vacancies):
        place = start + number
        if place >= vacancies:
            place -= vacancies
        point = state[VACANT + place]
        if not is_legal(state, point, colour) or is_eye(state, point, colour):
            continue
        if draw(chance, 100) < CAREFUL and liberties_after(state, point, colour) < 2:
            continue
        return point
    return PASS


@compiled
def play_out(
    state: np.ndarray, chance: np.ndarray, patterns: np.ndarray, played: np.ndarray
) -> None:
    """Play to the end: two passes, or too many moves.

    Args:
        state: the position; is the end afterwards.
        chance: as `seed_chance` makes it.
        patterns: how much each pattern weighs beside the last move, float32, (NUMBERS,).
        played: by which colour each point was played first, int32, (POINTS,); is added to.
    """
    width = state[WIDTH]
    most = state[MOVES] + LONGEST * width * width
    urgent = np.empty(32, np.int32)
    shares = np.empty(8, np.float32)
    while state[PASSES] < 2 and state[MOVES] < most:
        colour = state[TURN]
        move = PASS
        if state[LAST] != PASS:
            if draw(chance, 100) < URGENT:
                count = urgent_moves(state, colour, urgent)
                if count > 0:
                    start = draw(chance, count)
                    for number in range(count):
                        point = urgent[(start + number) % count]
                        if is_legal(state, point, colour):
                            move = point
                            break
            if move == PASS and draw(chance, 100) < LOCAL:
                move = _local_move(state, colour, chance, patterns, shares)
        if move == PASS:
            move = _any_move(state, colour, chance)
        play(state, move, colour)
        if move != PASS and played[move] == 0:
            played[move] = colour


@compiled
def score_end(state: np.ndarray, owner: np.ndarray) -> int:
    """As rules.score_area, after a playout: empty points are single eyes, or nobody's."""
    width = state[WIDTH]
    balance = 0
    for row in range(1, width + 1):
        for column in range(1, width + 1):
            point = row * SIDE + column
            stone = state[STONE + point]
            if stone == EMPTY:
                reached = 0
                for way in range(4):
                    beside = state[STONE + point + WAYS[way]]
                    if beside == BLACK or beside == WHITE:
                        reached |= beside
                stone = reached if reached != BLACK | WHITE else EMPTY
            owner[point] = stone
            if stone == BLACK:
                balance += 1
            elif stone == WHITE:
                balance -= 1
    return balance


@compiled
def sample_ends(
    start: np.ndarray, count: int, seed: int, patterns: np.ndarray, margins: np.ndarray
) -> None:
    """Play out from a position many times.

    Args:
        start: the position; stays as it is.
        count: of playouts.
        seed: of their chance.
        patterns: as `play_out` takes them.
        margins: is filled with black's area less white's, int32, (count,).
    """
    chance = seed_chance(seed)
    owner = np.zeros(POINTS, np.int32)
    played = np.zeros(POINTS, np.int32)
    state = start.copy()
    for number in range(count):
        state[:] = start
        play_out(state, chance, patterns, played)
        margins[number] = score_end(state, owner)
