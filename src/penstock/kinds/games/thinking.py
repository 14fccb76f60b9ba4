"""Thinking about a position by classical search; what was found is used again a move later."""

import time
from dataclasses import dataclass, field
from functools import cache

import numpy as np

from . import preparation
from .compiled import layout, patterns, search
from .compiled.layout import BLACK, PASS, SIDE
from .compiled.playouts import seed_chance
from .position import Position, Rules, other

ROUND = 128  # playouts between two looks at the clock
NODES_A_PLAYOUT, MOST_NODES = 8, 2**22  # room in the tree; 40 bytes a node
EQUIVALENCE = 3500.0  # visits at which a value counts as much as its rapid estimate
EXPAND_AT = 8  # visits before a node gets children


@dataclass(frozen=True)
class Learned:
    """What a model adds to the search.

    Attributes:
        weights: of the categories of a move, float32, (CATEGORIES,); empty for none.
        tables: of its pattern, far from the last move and beside it, float32, (2, NUMBERS).
        visits: won visits that a move counts as which is certain by these weights.
    """

    weights: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    tables: np.ndarray = field(default_factory=lambda: np.zeros((2, 1), np.float32))
    visits: float = 0.0


@dataclass(frozen=True)
class Thought:
    """What was found out about a position.

    Attributes:
        moves: points that were looked at, PASS too; the most visited first.
        visits: of each.
        values: win rate of who moves there.
        owners: 1 where black owns a point at the end, -1 where white; mean, (size, size).
        playouts: of all of them, those that were used again too.
        spent: playouts that were added.
        seconds: that took.
    """

    moves: np.ndarray
    visits: np.ndarray
    values: np.ndarray
    owners: np.ndarray
    playouts: int
    spent: int
    seconds: float

    @property
    def best(self) -> int:
        """The most visited."""
        return int(self.moves[0])

    @property
    def value(self) -> float:
        """Win rate of the best."""
        return float(self.values[0])


@cache
def hand_made() -> np.ndarray:
    """The hand-made patterns: made once."""
    return patterns.worthy_patterns()


class Thinker:
    """Plays by search with playouts, by rules of thumb or, if there are any, learned weights.

    The same seed, games and numbers of playouts give the same moves.
    """

    def __init__(
        self,
        playouts: int = 1000,
        seconds: float | None = None,
        seed: int = 0,
        learned: Learned | None = None,
    ) -> None:
        """Set up.

        Args:
            playouts: for each move.
            seconds: for each move, in place of playouts, if given.
            seed: of all chance.
            learned: what a model adds.
        """
        preparation.prepare()
        self.playouts, self.seconds = playouts, seconds
        self.learned = learned or Learned()
        self.chance = seed_chance(seed)
        self._tree: _Tree | None = None

    def forget(self) -> None:
        """Start anew: another game begins."""
        self._tree = None

    def think(
        self, position: Position, playouts: int | None = None, seconds: float | None = None
    ) -> Thought:
        """Think about a position, as long as was set, or as is said here."""
        seconds = self.seconds if seconds is None and playouts is None else seconds
        wanted = self.playouts if playouts is None else playouts
        started = time.perf_counter()
        tree = self._continue(position, wanted if seconds is None else int(40_000 * seconds))
        past, count = position.past_with_room(search.DEEPEST + 2)
        settings = self._settings(position.rules)
        spent, most = 0, wanted if seconds is None else 10**9
        while spent < most:
            late = seconds is not None and time.perf_counter() - started >= seconds
            if late and spent:  # on a busy machine the time may be over before anything was found
                break
            step = min(ROUND, most - spent)
            tree.used = search.search(
                position.state,
                past,
                count,
                step,
                tree.used,
                tree.links,
                tree.stats,
                settings,
                hand_made(),
                self.learned.weights,
                self.learned.tables,
                self.chance,
                tree.owners,
            )
            spent += step
            if seconds is None and tree.is_decided(most - spent):
                break
        return tree.tell(position, spent, time.perf_counter() - started)

    def choose(self, position: Position) -> int:
        """The move to play; PASS where that wins at once, or nothing else is left."""
        if passing_wins(position):
            return PASS
        return self.think(position).best

    def _settings(self, rules: Rules) -> np.ndarray:
        settings = np.zeros(search.SETTINGS)
        settings[search.KOMI] = rules.komi
        settings[search.EQUIVALENCE] = EQUIVALENCE
        settings[search.HEURISTICS] = len(self.learned.weights) == 0
        settings[search.LEARNED_VISITS] = self.learned.visits
        settings[search.SUPERKO] = rules.superko
        settings[search.EXPAND_AT] = EXPAND_AT
        return settings

    def _continue(self, position: Position, playouts: int) -> "_Tree":
        """What was found of this position before, with room for more; or nothing yet."""
        wanted = NODES_A_PLAYOUT * playouts + 2000 * (1 + position.size**2 // 81)
        room = min(wanted, MOST_NODES)  # a full tree is played out from, and does not grow
        old = self._tree
        node = old.find(position) if old is not None else None
        self._tree = _Tree(room + (old.used if old is not None and node is not None else 0))
        if old is not None and node is not None:
            self._tree.take(old, node)
        self._tree.game = (position.rules, tuple(position.setup), tuple(position.moves))
        return self._tree


def passing_wins(position: Position) -> bool:
    """Whether the other has just passed, and to pass too wins, as the stones stand."""
    if int(position.state[layout.PASSES]) != 1:
        return False
    margin = position.margin()
    return margin > 0 if position.turn == BLACK else margin < 0


class _Tree:
    """Arrays of a tree, and which game its node 0 is of."""

    def __init__(self, nodes: int) -> None:
        self.links = np.zeros((3, nodes), np.int32)
        self.stats = np.zeros((7, nodes), np.float32)
        self.owners = np.zeros(layout.POINTS)
        self.used = 0
        self.game: tuple[Rules, tuple, tuple] | None = None

    def find(self, position: Position) -> int | None:
        """The node of a position some moves later, if it has one with children."""
        if self.game is None or self.used == 0:
            return None
        rules, setup, moves = self.game
        now = tuple(position.moves)
        if (rules, setup) != (position.rules, tuple(position.setup)):
            return None
        if now[: len(moves)] != moves:
            return None
        node, turn = 0, None
        for colour, point in now[len(moves) :]:
            if turn is not None and colour != turn:
                return None
            turn = other(colour)
            first, children = self.links[search.FIRST, node], self.links[search.CHILDREN, node]
            places = np.flatnonzero(self.links[search.MOVE, first : first + children] == point)
            if not children or not len(places):
                return None
            node = int(first + places[0])
        return node if self.links[search.CHILDREN, node] and len(now) > len(moves) else None

    def take(self, old: "_Tree", node: int) -> None:
        """Take over what is below a node of another tree."""
        self.used = int(search.keep_subtree(node, old.links, old.stats, self.links, self.stats))

    def is_decided(self, left: int) -> bool:
        """Whether so many playouts more cannot change which move is the most visited."""
        first, children = self.links[search.FIRST, 0], self.links[search.CHILDREN, 0]
        if children < 2:
            return True
        visits = self.stats[search.VISITS, first : first + children]
        second, most = np.partition(visits, children - 2)[-2:]
        return bool(most - second > left)

    def tell(self, position: Position, spent: int, seconds: float) -> Thought:
        """What was found so far."""
        first, children = self.links[search.FIRST, 0], self.links[search.CHILDREN, 0]
        own = slice(first, first + children)
        visits = self.stats[search.VISITS, own]
        wins = self.stats[search.WINS, own]
        beforehand = self.stats[search.PRIOR_WINS, own] / self.stats[search.PRIOR_VISITS, own]
        values = np.where(visits > 0, wins / np.maximum(visits, 1), beforehand)
        order = np.lexsort((-values, -visits))
        size = position.size
        grid = self.owners.reshape(SIDE, SIDE)[1 : size + 1, 1 : size + 1]
        return Thought(
            moves=self.links[search.MOVE, own][order].copy(),
            visits=visits[order].copy(),
            values=values[order].astype(np.float64),
            owners=grid / max(spent, 1),
            playouts=int(visits.sum()),
            spent=spent,
            seconds=seconds,
        )
