"""Games that a model plays against itself, to learn from: positions, and what its search chose."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import torch

from ...kinds.games.compiled.layout import PASS
from ...kinds.games.points import all_points
from ...kinds.games.position import Position, Rules
from ...kinds.games.thinking import Learned, Thinker, Thought, passing_wins
from .guided import GuidedSearch
from .openings import Opening

QUICK = 4  # a move that is not learned from is thought about by so much less
VARIED = 0.15  # of the points of the board: moves of a game that are drawn by visits, not the best
FROM_EMPTY = 0.5  # share of games that begin on the empty board
LONGEST = 2  # moves for each point of the board


@dataclass
class Played:
    """A game, and what is to be learned from it.

    Attributes:
        game: how it ended, with its moves.
        policies: number of a move, from 0 -> what the search chose there, over places, the pass
            last: float32, (points + 1,); none of moves that were thought about little.
        start: the first move that is learned from.
    """

    game: Position
    policies: dict[int, np.ndarray] = field(default_factory=dict)
    start: int = 0


@dataclass(frozen=True)
class Plan:
    """How games are played to learn from.

    Attributes:
        rules: of the games.
        openings: that some begin with.
        games: how many.
        playouts: for a move that is learned from.
        full_share: of the moves, that are.
    """

    rules: Rules
    openings: Sequence[Opening]
    games: int
    playouts: int
    full_share: float

    def begin(self, seed: int) -> tuple[list[Played], list[np.random.Generator]]:
        """Games at their start, and chance for each."""
        chance = [np.random.default_rng([seed, number]) for number in range(self.games)]
        begun = []
        for draw in chance:
            own = draw.random() >= FROM_EMPTY and len(self.openings)
            opening = self.openings[int(draw.integers(len(self.openings)))] if own else ()
            begun.append(Played(Position(self.rules, moves=list(opening)), {}, len(opening)))
        return begun, chance

    def is_full(self, draw: np.random.Generator) -> bool:
        """Whether the next move is thought about long, and learned from."""
        return bool(draw.random() < self.full_share)

    def goes_on(self, game: Position) -> bool:
        """Whether a game is to be played on."""
        return not game.is_over and len(game.moves) < LONGEST * self.rules.size**2

    def is_varied(self, game: Position) -> bool:
        """Whether its next move is drawn rather than the best."""
        return len(game.moves) < VARIED * self.rules.size**2


def play_by_search(plan: Plan, seed: int, learned: Learned | None = None) -> list[Played]:
    """Play by classical search, with what a model adds to it if anything.

    Games are played in threads, each by chance of its own: their number changes nothing.
    """
    begun, chance = plan.begin(seed)

    def finish(number: int) -> Played:
        played, draw = begun[number], chance[number]
        thinker = Thinker(plan.playouts, seed=int(draw.integers(2**31)), learned=learned)
        while plan.goes_on(played.game):
            if passing_wins(played.game):
                played.game.play(PASS)
                continue
            full = plan.is_full(draw)
            thought = thinker.think(
                played.game, plan.playouts if full else max(1, plan.playouts // QUICK)
            )
            if full:
                played.policies[len(played.game.moves)] = visit_policy(thought, plan.rules.size)
            move = _vary(thought, draw) if plan.is_varied(played.game) else thought.best
            played.game.play(move)
        return played

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        return list(pool.map(finish, range(plan.games)))


def visit_policy(thought: Thought, size: int) -> np.ndarray:
    """Share of the visits of each place, the pass last: float32, (points + 1,)."""
    by_point = dict(zip(thought.moves.tolist(), thought.visits.tolist(), strict=True))
    policy = np.array([by_point.get(it, 0.0) for it in (*all_points(size), PASS)], np.float32)
    return policy / max(float(policy.sum()), 1.0)


def _vary(thought: Thought, draw: np.random.Generator) -> int:
    shares = thought.visits.astype(np.float64) / thought.visits.sum()
    return int(draw.choice(thought.moves, p=shares))


def play_by_network(plan: Plan, seed: int, search: GuidedSearch) -> list[Played]:
    """Play by a network and its search: all games side by side, moves drawn by Gumbel noise."""
    begun, chance = plan.begin(seed)
    places = plan.rules.size**2 + 1
    while True:
        active = [it for it in range(plan.games) if plan.goes_on(begun[it].game)]
        for number in active:
            if passing_wins(begun[number].game):
                begun[number].game.play(PASS)
        active = [it for it in active if plan.goes_on(begun[it].game)]
        if not active:
            return begun
        full = [plan.is_full(chance[it]) for it in active]
        noises = np.zeros((len(active), places))
        for row, number in enumerate(active):
            if full[row] or plan.is_varied(begun[number].game):
                noises[row] = chance[number].gumbel(size=places)
        found = search.think(
            [begun[it].game for it in active],
            [plan.playouts if it else max(2, plan.playouts // QUICK) for it in full],
            noises,
            [int(chance[it].integers(2**31)) for it in active],
        )
        for number, is_full, finding in zip(active, full, found, strict=True):
            played = begun[number]
            if is_full:
                played.policies[len(played.game.moves)] = finding.policy
            played.game.play(finding.move)
