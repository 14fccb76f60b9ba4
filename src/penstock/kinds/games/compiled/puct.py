"""Search guided by a network: PUCT (Silver et al. 2018), sequential halving at the root.

At the root as Danihelka et al. 2022, "Policy improvement by planning with Gumbel": of the moves
that a draw by the policy favours, each is looked at as often, then the better half, and so on.

Trees lie in arrays with a column for each node, children side by side. A move is a place, row by
row; the number of points stands for a pass. Values are of who moves there, from 0, lost, to 1.
"""

import numpy as np

from .caching import compiled
from .layout import BLACK, PASS, PASSES, POINTS, SIDE, TURN, WIDTH
from .planes import encode
from .playouts import play_out, score_end
from .rules import play, position_hash, score_area

# Rows of `links`, int32.
MOVE, FIRST, CHILDREN = 0, 1, 2
# Rows of `stats`, float32; WEIGHT is the logit that the network gives, SHARE its softmax.
SHARE, WEIGHT, VISITS, TOTAL, OWN_VALUE = 0, 1, 2, 3, 4
DEEPEST = 120
EXPLORATION, FIRST_PLAY = 1.2, 0.15  # PUCT's constant; how much worse than its parent a new node is
VISIT_OFFSET, VALUE_SCALE = 50.0, 0.5  # how much values count beside the policy at the root


@compiled
def point_of(place: int, width: int) -> int:
    """The point of a place."""
    if place == width * width:
        return PASS
    return (place // width + 1) * SIDE + place % width + 1


@compiled
def _mixed_value(node: int, links: np.ndarray, stats: np.ndarray) -> float:
    """What a move is worth that was not looked at: by the network, and by those that were."""
    first, children = links[FIRST, node], links[CHILDREN, node]
    shares, weighed, visits = 0.0, 0.0, 0.0
    for child in range(first, first + children):
        if stats[VISITS, child] > 0:
            shares += stats[SHARE, child]
            weighed += stats[SHARE, child] * stats[TOTAL, child] / stats[VISITS, child]
            visits += stats[VISITS, child]
    own = stats[OWN_VALUE, node]
    if shares <= 0:
        return own
    return (own + visits * weighed / shares) / (1 + visits)


@compiled
def improve(links: np.ndarray, stats: np.ndarray, improved: np.ndarray) -> None:
    """The policy after the search: logits with the values found, of the root's children.

    Args:
        links: of a tree.
        stats: of a tree.
        improved: is filled with logits at the places of moves, and -1e30 elsewhere.
    """
    improved[:] = -1e30
    unknown = _mixed_value(0, links, stats)
    first, children = links[FIRST, 0], links[CHILDREN, 0]
    most = 0.0
    for child in range(first, first + children):
        most = max(most, stats[VISITS, child])
    for child in range(first, first + children):
        visits = stats[VISITS, child]
        value = stats[TOTAL, child] / visits if visits > 0 else unknown
        improved[links[MOVE, child]] = (
            stats[WEIGHT, child] + (VISIT_OFFSET + most) * VALUE_SCALE * value
        )


@compiled
def _choose_at_root(
    links: np.ndarray, stats: np.ndarray, noise: np.ndarray, considered: int
) -> int:
    """The child with so many visits that is the best by noise, policy and value."""
    unknown = _mixed_value(0, links, stats)
    first, children = links[FIRST, 0], links[CHILDREN, 0]
    most = 0.0
    for child in range(first, first + children):
        most = max(most, stats[VISITS, child])
    best, best_value = -1, -1e30
    fewest, fallback = 1e30, first
    for child in range(first, first + children):
        visits = stats[VISITS, child]
        if visits < fewest:
            fewest, fallback = visits, child
        if visits != considered:
            continue
        value = stats[TOTAL, child] / visits if visits > 0 else unknown
        value = (
            noise[links[MOVE, child]]
            + stats[WEIGHT, child]
            + (VISIT_OFFSET + most) * VALUE_SCALE * value
        )
        if value > best_value:
            best, best_value = child, value
    return best if best >= 0 else fallback


@compiled
def _choose(node: int, links: np.ndarray, stats: np.ndarray) -> int:
    """The child to look at, by PUCT."""
    first, children = links[FIRST, node], links[CHILDREN, node]
    visits = np.float32(0.0)
    for child in range(first, first + children):
        visits += stats[VISITS, child]
    root = np.float32(EXPLORATION) * np.sqrt(visits + np.float32(1.0))
    new = np.float32(stats[OWN_VALUE, node] - FIRST_PLAY)
    best, best_value = first, np.float32(-1e30)
    for child in range(first, first + children):
        seen = stats[VISITS, child]
        value = stats[TOTAL, child] / seen if seen > 0 else new
        value += root * stats[SHARE, child] / (np.float32(1.0) + seen)
        if value > best_value:
            best, best_value = child, value
    return best


@compiled
def descend(
    start: np.ndarray,
    past: np.ndarray,
    count: int,
    superko: bool,
    komi: float,
    links: np.ndarray,
    stats: np.ndarray,
    noise: np.ndarray,
    considered: int,
    path: np.ndarray,
    leaf: np.ndarray,
    seen: np.ndarray,
    sensible: np.ndarray,
) -> tuple[int, float]:
    """Go down a tree to a node that was not looked at, and see it.

    Each node on the way counts as lost until `ascend` says how it went, so that several ways down
    differ.

    Args:
        start: the position of node 0.
        past: hashes of positions there were, with room for DEEPEST more.
        count: how many.
        superko: whether none may come again.
        komi: of the rules.
        links: of the tree.
        stats: of the tree.
        noise: of the places, for the choice at the root.
        considered: visits of the moves that are chosen from at the root.
        path: is filled with the nodes on the way, (DEEPEST + 1,).
        leaf: is filled with the position.
        seen: as `planes.encode` fills it.
        sensible: likewise.

    Returns:
        How deep it lies; and its value for who is to play there if the game is over, else -1.
    """
    leaf[:] = start
    depth, node, known = 0, 0, count
    path[0] = 0
    while links[CHILDREN, node] > 0 and leaf[PASSES] < 2 and depth < DEEPEST:
        if node == 0:
            node = _choose_at_root(links, stats, noise, considered)
        else:
            node = _choose(node, links, stats)
        point = point_of(links[MOVE, node], start[WIDTH])
        play(leaf, point, leaf[TURN])
        if point != PASS:
            past[known] = position_hash(leaf)
            known += 1
        stats[VISITS, node] += np.float32(1.0)
        depth += 1
        path[depth] = node
    if leaf[PASSES] >= 2:
        balance = score_area(leaf, np.zeros(POINTS, np.int32))
        black = 1.0 if balance > komi else (0.5 if balance == komi else 0.0)
        return depth, black if leaf[TURN] == BLACK else 1.0 - black
    encode(leaf, past, known, superko, seen, sensible)
    return depth, -1.0


@compiled
def roll_out(
    leaf: np.ndarray, count: int, komi: float, chance: np.ndarray, patterns: np.ndarray
) -> float:
    """Share of playouts that are won by who is to play; a draw is half."""
    state = leaf.copy()
    owner = np.zeros(POINTS, np.int32)
    played = np.zeros(POINTS, np.int32)
    total = 0.0
    for _ in range(count):
        state[:] = leaf
        play_out(state, chance, patterns, played)
        balance = score_end(state, owner)
        total += 1.0 if balance > komi else (0.5 if balance == komi else 0.0)
    black = total / count
    return black if leaf[TURN] == BLACK else 1.0 - black


@compiled
def ascend(
    path: np.ndarray,
    depth: int,
    value: float,
    logits: np.ndarray,
    sensible: np.ndarray,
    is_end: bool,
    used: int,
    links: np.ndarray,
    stats: np.ndarray,
) -> int:
    """Give the node at the end of a path its children, and tell the way up what it is worth.

    Args:
        path: of nodes.
        depth: of the last.
        value: of that node, for who is to play there.
        logits: of the network, for its places.
        sensible: which of them are moves.
        is_end: whether the game is over there.
        used: columns of the tree that are taken.
        links: of the tree.
        stats: of the tree.

    Returns:
        Columns that are taken then.
    """
    node = path[depth]
    stats[OWN_VALUE, node] = value
    places = len(sensible)
    if not is_end and links[CHILDREN, node] == 0 and used + places < links.shape[1]:
        most = -1e30
        for place in range(places):
            if sensible[place]:
                most = max(most, logits[place])
        total = 0.0
        first = used
        for place in range(places):
            if not sensible[place]:
                continue
            links[MOVE, used], links[FIRST, used], links[CHILDREN, used] = place, -1, 0
            stats[:, used] = 0.0
            stats[WEIGHT, used] = logits[place]
            stats[SHARE, used] = np.exp(logits[place] - most)
            total += stats[SHARE, used]
            used += 1
        for child in range(first, used):
            stats[SHARE, child] /= total
        links[FIRST, node] = first
        links[CHILDREN, node] = used - first
    worth = value
    for step in range(depth, 0, -1):
        worth = 1.0 - worth  # for who moved into this node
        stats[TOTAL, path[step]] += worth
    return used


def visit_plan(considered: int, playouts: int) -> np.ndarray:
    """How many visits the moves have that are chosen from at the root, for each playout.

    Sequential halving without a state of its own: with it, `considered` moves are looked at as
    often, then half of them, and so on (Karnin et al. 2013).
    """
    if considered <= 1:
        return np.arange(playouts, dtype=np.int64)
    phases = int(np.ceil(np.log2(considered)))
    plan: list[int] = []
    visits = [0] * considered
    left = considered
    while len(plan) < playouts:
        for _ in range(max(1, playouts // (phases * left))):
            plan += visits[:left]
            visits[:left] = [it + 1 for it in visits[:left]]
        left = max(2, left // 2)
    return np.array(plan[:playouts], np.int64)
