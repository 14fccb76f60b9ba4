"""Search by playouts: UCT with rapid action value estimates (Gelly and Silver 2007, 2011).

The tree is two arrays with a column for each node; the children of a node lie side by side. Node 0
is the position that is thought about. Values of a node are of who moves there.
"""

import numpy as np

from .caching import compiled
from .features import COUNT, weigh
from .layout import (
    BLACK,
    EMPTY,
    LAST,
    PASS,
    PASSES,
    POINTS,
    SIDE,
    STONE,
    TURN,
    WHITE,
    WIDTH,
)
from .patterns import pattern_at
from .playouts import draw, play_out, score_end
from .rules import is_legal, play, position_hash, repeats, score_area
from .tactics import (
    is_eye,
    is_lonely,
    largest_in_atari,
    liberties_after,
    measure_distances,
)

# Rows of `links`, int32.
MOVE, FIRST, CHILDREN = 0, 1, 2
# Rows of `stats`, float32.
PRIOR_VISITS, PRIOR_WINS, VISITS, WINS, RAPID_VISITS, RAPID_WINS, SHARE = 0, 1, 2, 3, 4, 5, 6
# Of `settings`, float64.
KOMI, EQUIVALENCE, HEURISTICS, LEARNED_VISITS, SUPERKO, EXPAND_AT = 0, 1, 2, 3, 4, 5
SETTINGS = 6

DEEPEST = 300  # moves in the tree

# What is known beforehand counts as so many visits (after Chaslot et al. 2010, Baudis 2015).
EVEN, PASSING, PASSING_WINS = 10.0, 20.0, 4.0
LITTLE, LARGE, SELF_ATARI, PATTERN, LINE = 15.0, 30.0, 10.0, 10.0, 10.0
NEARNESS = np.array([0.0, 24.0, 22.0, 8.0], np.float32)  # by steps from the last move


@compiled
def _add_knowledge(
    state: np.ndarray,
    point: int,
    colour: int,
    steps: int,
    patterns: np.ndarray,
    stats: np.ndarray,
    node: int,
) -> None:
    """Add what rules of thumb say of a move to what counts beforehand."""
    won, lost = np.float32(0.0), np.float32(0.0)
    taken = largest_in_atari(state, point, BLACK + WHITE - colour)
    saved = largest_in_atari(state, point, colour)
    after = liberties_after(state, point, colour)
    if taken > 0:
        won += LITTLE if taken == 1 else LARGE
    if saved > 0 and after > 1:
        won += LITTLE if saved == 1 else LARGE
    if after < 2:
        lost += SELF_ATARI
    if patterns[pattern_at(state, point, colour)] > 0:
        won += PATTERN
    if 0 < steps < len(NEARNESS):
        won += NEARNESS[steps]
    if is_lonely(state, point):
        width = state[WIDTH]
        row, column = point // SIDE, point % SIDE
        line = min(min(row, width + 1 - row), min(column, width + 1 - column))
        if line <= 2:
            lost += LINE
        else:
            won += LINE
    stats[PRIOR_VISITS, node] += won + lost
    stats[PRIOR_WINS, node] += won


@compiled
def _add_learned(stats: np.ndarray, first: int, end: int, visits: float) -> None:
    """Let moves count as won beforehand, by the root of their learned probability.

    The root, since a move that the policy prefers twice as much is seldom twice as good.

    Args:
        stats: of the tree; SHARE has weights, and then their softmax.
        first: of the siblings.
        end: after the last of them.
        visits: that a certain move counts as.
    """
    most = np.float32(-1e30)
    for node in range(first, end):
        most = max(most, stats[SHARE, node])
    total = np.float32(0.0)
    for node in range(first, end):
        stats[SHARE, node] = np.exp(stats[SHARE, node] - most)
        total += stats[SHARE, node]
    for node in range(first, end):
        stats[SHARE, node] /= total
        won = np.float32(visits) * np.sqrt(stats[SHARE, node])
        stats[PRIOR_VISITS, node] += won
        stats[PRIOR_WINS, node] += won


@compiled
def expand(
    state: np.ndarray,
    past: np.ndarray,
    count: int,
    node: int,
    used: int,
    links: np.ndarray,
    stats: np.ndarray,
    settings: np.ndarray,
    patterns: np.ndarray,
    weights: np.ndarray,
    tables: np.ndarray,
    distances: np.ndarray,
) -> int:
    """Give a node its children: a pass, and the legal moves that fill no eye.

    Args:
        state: the position of the node.
        past: hashes of the positions there were.
        count: how many.
        node: which.
        used: columns of the tree that are taken.
        links: of the tree.
        stats: of the tree.
        settings: of the search.
        patterns: hand-made ones, (NUMBERS,).
        weights: learned ones of categories; none if empty.
        tables: learned ones of patterns, (2, NUMBERS).
        distances: room for (POINTS,).

    Returns:
        Columns that are taken then.
    """
    colour, width = state[TURN], state[WIDTH]
    found = np.empty(COUNT, np.int64)
    first = used
    if settings[HEURISTICS] > 0:
        measure_distances(state, state[LAST], distances)
    for place in range(width * width + 1):
        point = (place // width + 1) * SIDE + place % width + 1 if place < width * width else PASS
        if point != PASS and (
            state[STONE + point] != EMPTY
            or not is_legal(state, point, colour)
            or is_eye(state, point, colour)
            or (settings[SUPERKO] > 0 and repeats(state, point, colour, past, count))
        ):
            continue
        links[MOVE, used], links[FIRST, used], links[CHILDREN, used] = point, -1, 0
        stats[:, used] = 0.0
        stats[PRIOR_VISITS, used] = PASSING if point == PASS else EVEN
        stats[PRIOR_WINS, used] = PASSING_WINS if point == PASS else EVEN / 2
        if settings[HEURISTICS] > 0 and point != PASS:
            _add_knowledge(state, point, colour, distances[point], patterns, stats, used)
        if len(weights) > 0:
            stats[SHARE, used] = -8.0
            if point != PASS:
                stats[SHARE, used] = weigh(state, point, colour, weights, tables, found)
        used += 1
    if len(weights) > 0:
        _add_learned(stats, first, used, settings[LEARNED_VISITS])
    links[FIRST, node] = first
    links[CHILDREN, node] = used - first
    return used


@compiled
def _choose(
    node: int, links: np.ndarray, stats: np.ndarray, settings: np.ndarray, chance: np.ndarray
) -> int:
    """The child to look at: the largest mean of its value and its rapid value."""
    first, children = links[FIRST, node], links[CHILDREN, node]
    start = draw(chance, children)
    equivalence = np.float32(settings[EQUIVALENCE])
    best, best_value = first, np.float32(-1e30)
    for number in range(children):
        child = first + (start + number) % children
        visits = stats[VISITS, child] + stats[PRIOR_VISITS, child]
        value = (stats[WINS, child] + stats[PRIOR_WINS, child]) / visits
        rapid = stats[RAPID_VISITS, child]
        if rapid > 0:
            trust = rapid / (rapid + visits + visits * rapid / equivalence)
            value += trust * (stats[RAPID_WINS, child] / rapid - value)
        if value > best_value:
            best, best_value = child, value
    return best


@compiled
def _learn(
    path: np.ndarray,
    depth: int,
    colour: int,
    black_won: float,
    played: np.ndarray,
    links: np.ndarray,
    stats: np.ndarray,
) -> None:
    """Tell all nodes of a path, and their children of what was played later, how it ended."""
    for step in range(depth + 1):
        node = path[step]
        turn = colour if step % 2 == 0 else BLACK + WHITE - colour  # who moves from this node
        won = np.float32(black_won if turn == BLACK else 1.0 - black_won)
        if step > 0:
            stats[VISITS, node] += np.float32(1.0)
            stats[WINS, node] += np.float32(1.0) - won
        first = links[FIRST, node]
        for child in range(first, first + links[CHILDREN, node]):
            move = links[MOVE, child]
            if move != PASS and played[move] == turn:
                stats[RAPID_VISITS, child] += np.float32(1.0)
                stats[RAPID_WINS, child] += won


@compiled
def search(
    start: np.ndarray,
    past: np.ndarray,
    count: int,
    playouts: int,
    used: int,
    links: np.ndarray,
    stats: np.ndarray,
    settings: np.ndarray,
    patterns: np.ndarray,
    weights: np.ndarray,
    tables: np.ndarray,
    chance: np.ndarray,
    owners: np.ndarray,
) -> int:
    """Look further: so many playouts more, as long as the tree has room.

    Args:
        start: the position, of node 0.
        past: hashes of positions there were; DEEPEST more find room after them.
        count: how many.
        playouts: how many to add.
        used: columns of the tree that are taken; 0 for a new tree.
        links: of the tree, int32, (3, nodes).
        stats: of the tree, float32, (7, nodes).
        settings: float64, (SETTINGS,).
        patterns: hand-made ones, for playouts and rules of thumb, float32, (NUMBERS,).
        weights: learned ones, float32, (CATEGORIES,) or empty.
        tables: learned ones of patterns, float32, (2, NUMBERS).
        chance: state of the random numbers, uint64, (1,).
        owners: is added to: 1 where black owned a point at an end, -1 where white; (POINTS,).

    Returns:
        Columns of the tree that are taken then.
    """
    distances = np.empty(POINTS, np.int32)
    owner = np.zeros(POINTS, np.int32)
    played = np.zeros(POINTS, np.int32)
    path = np.empty(DEEPEST + 1, np.int32)
    state = start.copy()
    room = start[WIDTH] * start[WIDTH] + 1
    nodes = links.shape[1]
    colour = start[TURN]
    if used == 0:
        links[FIRST, 0], links[CHILDREN, 0] = -1, 0
        stats[:, 0] = 0.0
        used = expand(
            state, past, count, 0, 1, links, stats, settings, patterns, weights, tables, distances
        )
    for _ in range(playouts):
        state[:] = start
        played[:] = 0
        known, depth, node = count, 0, 0
        path[0] = 0
        while links[CHILDREN, node] > 0 and state[PASSES] < 2 and depth < DEEPEST:
            node = _choose(node, links, stats, settings, chance)
            turn, move = state[TURN], links[MOVE, node]
            play(state, move, turn)
            if move != PASS:
                past[known] = position_hash(state)
                known += 1
                if played[move] == 0:
                    played[move] = turn
            depth += 1
            path[depth] = node
            if (
                links[CHILDREN, node] == 0
                and stats[VISITS, node] >= settings[EXPAND_AT]
                and state[PASSES] < 2
                and used + room < nodes
            ):
                used = expand(
                    state,
                    past,
                    known,
                    node,
                    used,
                    links,
                    stats,
                    settings,
                    patterns,
                    weights,
                    tables,
                    distances,
                )
        if state[PASSES] >= 2:
            balance = score_area(state, owner)
        else:
            play_out(state, chance, patterns, played)
            balance = score_end(state, owner)
        for point in range(SIDE, POINTS - SIDE):
            if owner[point] == BLACK:
                owners[point] += 1.0
            elif owner[point] == WHITE:
                owners[point] -= 1.0
        black_won = 1.0 if balance > settings[KOMI] else (0.5 if balance == settings[KOMI] else 0.0)
        _learn(path, depth, colour, black_won, played, links, stats)
    return used


@compiled
def keep_subtree(
    node: int,
    links: np.ndarray,
    stats: np.ndarray,
    kept_links: np.ndarray,
    kept_stats: np.ndarray,
) -> int:
    """Copy what is below a node into another tree, whose node 0 it becomes.

    Returns:
        Columns that are taken there.
    """
    origins = np.empty(links.shape[1], np.int32)
    origins[0] = node
    kept_links[:, 0] = links[:, node]
    kept_stats[:, 0] = stats[:, node]
    used, done = 1, 0
    while done < used:
        children = kept_links[CHILDREN, done]
        if children > 0:
            first = kept_links[FIRST, done]
            kept_links[FIRST, done] = used
            for number in range(children):
                kept_links[:, used] = links[:, first + number]
                kept_stats[:, used] = stats[:, first + number]
                used += 1
        done += 1
    return used
