"""Games as arrays to learn from: one row for each position."""

from collections.abc import Sequence

import numpy as np

from ...kinds.games.compiled import features, planes
from ...kinds.games.compiled.layout import BLACK, PASS
from ...kinds.games.points import all_points
from ...kinds.games.position import Position
from ...kinds.games.records import Record
from ...learning.sources import Arrays
from .network import GoModel, PatternPolicy
from .self_play import Played

# Array -> its type, and its shape for so many points.
PATTERN_ROWS = {
    "categories": (np.int16, lambda points: (points, features.COUNT)),
    "numbers": (np.int32, lambda points: (points,)),
    "policy": (np.float32, lambda points: (points + 1,)),
    "weight": (np.float32, lambda _: ()),
}
PLANE_ROWS = {
    "planes": (np.uint8, lambda points: (planes.PLANES, points)),
    "policy": (np.float32, lambda points: (points + 1,)),
    "weight": (np.float32, lambda _: ()),
    "value": (np.float32, lambda _: ()),
    "owner": (np.int8, lambda points: (points,)),
}


def empty_rows(network: GoModel, count: int) -> dict[str, np.ndarray]:
    """Rows of what a model learns from, all nothing."""
    points = network.rules.size**2
    known = PATTERN_ROWS if isinstance(network, PatternPolicy) else PLANE_ROWS
    return {name: np.zeros((count, *shape(points)), kind) for name, (kind, shape) in known.items()}


def encode_games(network: GoModel, games: Sequence[Played]) -> Arrays:
    """The rows of some games: a network learns from all positions, patterns where policies are."""
    parts = [empty_rows(network, 0), *(_encode(network, it) for it in games)]
    return {name: np.concatenate([it[name] for it in parts]) for name in parts[0]}


def _encode(network: GoModel, played: Played) -> dict[str, np.ndarray]:
    game = played.game
    by_patterns = isinstance(network, PatternPolicy)
    numbers = [
        it
        for it in range(played.start, len(game.moves))
        if not by_patterns or it in played.policies
    ]
    rows = empty_rows(network, len(numbers))
    margin, owners = game.margin(), game.owners().ravel()
    position = Position(game.rules, game.setup, game.moves[: played.start])
    row = 0
    for number in range(played.start, len(game.moves)):
        if row < len(numbers) and numbers[row] == number:
            policy = played.policies.get(number)
            if policy is not None:
                rows["policy"][row], rows["weight"][row] = policy, 1.0
            if by_patterns:
                rows["categories"][row], rows["numbers"][row] = see_moves(position)
            else:
                rows["planes"][row] = see_planes(position)[0]
                signed = margin if position.turn == BLACK else -margin
                rows["value"][row] = 0.5 if margin == 0 else float(signed > 0)
                mine = np.where(owners == position.turn, 1, -1)
                rows["owner"][row] = np.where(owners == 0, 0, mine)
            row += 1
        colour, move = game.moves[number]
        position.play(move, colour)
    return rows


def see_planes(position: Position) -> tuple[np.ndarray, np.ndarray]:
    """What a network sees, float32, (PLANES, points); which places are sensible, (points + 1,)."""
    points = position.size**2
    seen, sensible = np.zeros((planes.PLANES, points), np.float32), np.zeros(points + 1, np.bool_)
    past, count = position.past_with_room(0)
    planes.encode(position.state, past, count, position.rules.superko, seen, sensible)
    return seen, sensible


def see_moves(position: Position) -> tuple[np.ndarray, np.ndarray]:
    """The categories of each place, int16, below 0 where no move is; the numbers of patterns."""
    points = all_points(position.size)
    _, sensible = see_planes(position)
    categories = np.full((len(points), features.COUNT), -1, np.int16)
    numbers = np.zeros(len(points), np.int32)
    found = np.zeros(features.COUNT, np.int64)
    for place, point in enumerate(points):
        if sensible[place]:
            numbers[place] = features.describe(position.state, point, position.turn, found)
            categories[place] = found
    return categories, numbers


def from_record(record: Record, position: Position) -> Played:
    """A recorded game as one that was played: what was chosen is the move itself."""
    places = {it: place for place, it in enumerate((*all_points(position.size), PASS))}
    played = Played(position)
    for number, (_, point) in enumerate(record.moves):
        policy = np.zeros(len(places), np.float32)
        policy[places[point]] = 1.0
        played.policies[number] = policy
    return played
