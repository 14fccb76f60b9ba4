"""Search guided by a network, in many games side by side: positions are looked at in batches."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...kinds.games import preparation
from ...kinds.games.compiled import layout, planes, puct
from ...kinds.games.compiled.layout import PASS
from ...kinds.games.compiled.playouts import seed_chance
from ...kinds.games.position import Position
from ...kinds.games.thinking import hand_made, passing_wins
from .network import ResidualNetwork

CONSIDERED = 16  # moves that the root looks at
MOST_NODES = 2**21  # of a tree, which does not grow further
TOGETHER = 16  # positions that are looked at in one batch, at least, where the plan allows it


@dataclass(frozen=True)
class Finding:
    """What a search found of a position.

    Attributes:
        move: to play, a point.
        policy: the improved one over places, the pass last, float32, (points + 1,).
        visits: of each place, float32.
        values: win rate of who moves there, NaN where it was not looked at.
        value: win rate of who is to play.
        owners: chance that who is to play will own each point, (points,).
    """

    move: int
    policy: np.ndarray
    visits: np.ndarray
    values: np.ndarray
    value: float
    owners: np.ndarray


class _Tree:
    """One position that is thought about."""

    def __init__(self, position: Position, playouts: int, noise: np.ndarray, seed: int) -> None:
        places = position.size**2 + 1
        self.position, self.playouts, self.noise = position, playouts, noise
        nodes = min((playouts + 2) * places, MOST_NODES)
        self.links = np.zeros((3, nodes), np.int32)
        self.stats = np.zeros((5, nodes), np.float32)
        self.past, self.count = position.past_with_room(puct.DEEPEST + 2)
        self.chance = seed_chance(seed)
        self.used, self.done = 1, 0
        self.owners = np.zeros(places - 1, np.float32)
        self.plan = puct.visit_plan(CONSIDERED, playouts)


class GuidedSearch:
    """Thinks about positions with a network."""

    def __init__(self, network: ResidualNetwork) -> None:
        """Take over a network; it must be in the state to evaluate."""
        preparation.prepare_guided()
        self.network, self.rules = network, network.rules
        self.rollouts, self.share = network.model.rollouts, network.model.rollout_share

    def think(
        self,
        positions: Sequence[Position],
        playouts: Sequence[int],
        noises: np.ndarray,
        seeds: Sequence[int],
    ) -> list[Finding]:
        """Think about positions.

        Args:
            positions: of games that are not over.
            playouts: how many positions to look at, for each.
            noises: added to the logits at the root, float32, (positions, places); 0 for none.
            seeds: of the chance of playouts, for each.
        """
        trees = [
            _Tree(*it)
            for it in zip(positions, playouts, noises.astype(np.float32), seeds, strict=True)
        ]
        self._look(trees, 1)
        while active := [it for it in trees if it.done < it.playouts]:
            self._look(active, max(1, TOGETHER // len(active)))
        return [self._tell(it) for it in trees]

    def _look(self, trees: list[_Tree], lanes: int) -> None:
        """Look at positions of each tree: one, or several where few trees are thought about."""
        points, places = self.rules.size**2, self.rules.size**2 + 1
        room = lanes * len(trees)
        seen = np.zeros((room, planes.PLANES, points), np.float32)
        sensible = np.zeros((room, places), np.bool_)
        paths = np.zeros((room, puct.DEEPEST + 1), np.int32)
        leaves = np.zeros((room, layout.LENGTH), np.int32)
        went: list[tuple[_Tree, int, int, float]] = []
        for tree in trees:
            first = tree.used == 1
            for lane in range(1 if first else min(lanes, tree.playouts - tree.done)):
                row = len(went)
                considered = 0 if first else int(tree.plan[tree.done + lane])
                depth, value = puct.descend(
                    tree.position.state,
                    tree.past,
                    tree.count,
                    tree.position.rules.superko,
                    tree.position.rules.komi,
                    tree.links,
                    tree.stats,
                    tree.noise,
                    considered,
                    paths[row],
                    leaves[row],
                    seen[row],
                    sensible[row],
                )
                went.append((tree, row, depth, value))
        logits, values, owners = self.network.look(seen[: len(went)])
        for tree, row, depth, known in went:
            ended = known >= 0
            value = known if ended else self._value(float(values[row]), leaves[row], tree)
            if tree.used == 1:
                tree.owners = owners[row]
            else:
                tree.done += 1
            tree.used = puct.ascend(
                paths[row],
                depth,
                value,
                logits[row],
                sensible[row],
                ended,
                tree.used,
                tree.links,
                tree.stats,
            )

    def _value(self, value: float, leaf: np.ndarray, tree: _Tree) -> float:
        """The network's value, and that of playouts."""
        if not self.rollouts:
            return value
        komi = tree.position.rules.komi
        rolled = puct.roll_out(leaf, self.rollouts, komi, tree.chance, hand_made())
        return (1 - self.share) * value + self.share * float(rolled)

    def _tell(self, tree: _Tree) -> Finding:
        places = self.rules.size**2 + 1
        improved = np.zeros(places)
        puct.improve(tree.links, tree.stats, improved)
        first, children = tree.links[puct.FIRST, 0], tree.links[puct.CHILDREN, 0]
        own = slice(first, first + children)
        moves = tree.links[puct.MOVE, own]
        visits, values = np.zeros(places, np.float32), np.full(places, np.nan, np.float32)
        visits[moves] = tree.stats[puct.VISITS, own]
        with np.errstate(invalid="ignore", divide="ignore"):
            values[moves] = tree.stats[puct.TOTAL, own] / tree.stats[puct.VISITS, own]
        best = np.where(visits == visits.max(), improved + tree.noise, -np.inf)
        place = int(best.argmax())
        policy = np.exp(improved - improved.max())
        looked = visits.sum()
        value = float(np.nansum(values * visits) / looked) if looked else 0.5
        return Finding(
            move=int(puct.point_of(place, self.rules.size)),
            policy=(policy / policy.sum()).astype(np.float32),
            visits=visits,
            values=values,
            value=value if np.isnan(values[place]) else float(values[place]),
            owners=tree.owners,
        )


class GuidedPlayer:
    """Plays by a network and its search, without noise."""

    def __init__(
        self, network: ResidualNetwork, playouts: int | None = None, seconds: float | None = None
    ) -> None:
        """Take over a network.

        Args:
            network: in the state to evaluate.
            playouts: positions to look at for a move; the model's own number if left out.
            seconds: for a move, in place of that: as many positions as it looked at in such a
                time before.
        """
        self.search = GuidedSearch(network)
        self.playouts, self.seconds = playouts or network.model.playouts, seconds
        told = f"{self.playouts} positions" if seconds is None else f"{seconds:g} s"
        self.name = f"network, {told} a move"

    def begin(self, seeds: Sequence[int]) -> None:
        """Take new chance for each game."""
        self.seeds = list(seeds)

    def choose(self, games: Sequence[int], positions: Sequence[Position]) -> list[int]:
        """Think about all positions side by side."""
        ended = [passing_wins(it) for it in positions]
        asked = [it for it, won in zip(positions, ended, strict=True) if not won]
        if not asked:
            return [PASS] * len(positions)
        seeds = [
            self.seeds[game] + 104_729 * len(it.moves)
            for game, it, won in zip(games, positions, ended, strict=True)
            if not won
        ]
        places = asked[0].size ** 2 + 1
        started = time.perf_counter()
        found = iter(
            self.search.think(
                asked, [self.playouts] * len(asked), np.zeros((len(asked), places)), seeds
            )
        )
        if self.seconds is not None:
            speed = self.playouts * len(asked) / (time.perf_counter() - started)
            self.playouts = max(2, int(self.seconds * speed / len(asked)))
        return [PASS if won else next(found).move for won in ended]
