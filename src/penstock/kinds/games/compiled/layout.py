"""How a position lies in memory: one array of int32, so that a copy is one copy.

A board of any size up to 19 has rows of 21 points, the border included: the neighbours of a point
are at constant distances, so one compilation serves all sizes. Point 0 stands for a pass.

A field has a value for each point, `state[FIELD + point]`; what there is once is `state[NAME]`.
"""

import numpy as np

LARGEST, SMALLEST = 19, 2
SIDE = LARGEST + 2
POINTS = SIDE * SIDE

EMPTY, BLACK, WHITE, BORDER = 0, 1, 2, 3
PASS = 0

# Of each point.
STONE = 0 * POINTS  # EMPTY, BLACK, WHITE or BORDER
HEAD = 1 * POINTS  # of a stone: the stone that stands for its chain
NEXT = 2 * POINTS  # of a stone: the next of its chain, in a circle
SLOT = 3 * POINTS  # of an empty point: where it is in the list of these
VACANT = 4 * POINTS  # the list of the empty points
# Of a chain, at its head. A liberty counts for each stone beside it: with their number, sum and sum
# of squares it can be told whether all are the same point.
LIBERTIES = 5 * POINTS
LIBERTY_SUM = 6 * POINTS
LIBERTY_SQUARES = 7 * POINTS
STONES = 8 * POINTS

# Once.
_ONCE = 9 * POINTS
KO = _ONCE + 0  # where the turn may not play since it would take back at once; 0 if nowhere
VACANCIES = _ONCE + 1
LAST = _ONCE + 2
BEFORE_LAST = _ONCE + 3
PASSES = _ONCE + 4  # in a row
MOVES = _ONCE + 5
TURN = _ONCE + 6
WIDTH = _ONCE + 7
HASH_HIGH = _ONCE + 8  # of the stones, 62 bits in two halves (Zobrist 1970)
HASH_LOW = _ONCE + 9
LENGTH = _ONCE + 10

# Neighbours: up, left, right, down; then those at the corners.
WAYS = np.array([-SIDE, -1, 1, SIDE, -SIDE - 1, -SIDE + 1, SIDE - 1, SIDE + 1], np.int32)
# The eight around a point, row by row.
AROUND = np.array([-SIDE - 1, -SIDE, -SIDE + 1, -1, 1, SIDE - 1, SIDE, SIDE + 1], np.int32)

_CHANCE = np.random.default_rng(20160127)
ZOBRIST_HIGH = _CHANCE.integers(1, 2**31 - 1, (3, POINTS), np.int32)
ZOBRIST_LOW = _CHANCE.integers(1, 2**31 - 1, (3, POINTS), np.int32)
