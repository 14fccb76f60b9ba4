"""What a model thinks of a position: moves, win probability, who will own what."""

from dataclasses import dataclass

import numpy as np
import torch

from ...kinds.games.compiled.layout import BLACK, PASS
from ...kinds.games.points import all_points
from ...kinds.games.position import Position
from ...kinds.games.thinking import Thinker
from .acting import see_stones, sensible_places
from .encoding import see_moves, see_planes
from .guided import GuidedSearch
from .network import DensePolicy, GoModel, PatternPolicy
from .openings import black_share


@dataclass(frozen=True)
class Analysis:
    """What is thought of a position.

    Attributes:
        moves: points, PASS too; the best first.
        shares: how much each was looked at, adding up to 1.
        values: chance of winning of who is to play, after each; NaN where it is not known.
        black_wins: chance that black wins.
        owners: from 1, black's, to -1, white's; (rows, columns).
    """

    moves: np.ndarray
    shares: np.ndarray
    values: np.ndarray
    black_wins: float
    owners: np.ndarray


def analyze(
    network: GoModel, position: Position, playouts: int | None = None, seed: int = 0
) -> Analysis:
    """Think about a position as the model would in a game; `playouts` in place of its own."""
    if isinstance(network, PatternPolicy):
        return _by_playouts(network, position, playouts or network.model.playouts, seed)
    if isinstance(network, DensePolicy):
        return _by_policy(network, position, seed)
    search = GuidedSearch(network)
    places = position.size**2 + 1
    (found,) = search.think(
        [position], [playouts or network.model.playouts], np.zeros((1, places)), [seed]
    )
    points = np.array([*all_points(position.size), PASS])
    order = np.lexsort((-found.policy, -found.visits))
    order = order[found.policy[order] > 0]
    mine = found.owners.reshape(position.size, -1) * 2 - 1
    return Analysis(
        moves=points[order],
        shares=found.visits[order] / max(float(found.visits.sum()), 1.0),
        values=found.values[order],
        black_wins=found.value if position.turn == BLACK else 1 - found.value,
        owners=mine if position.turn == BLACK else -mine,
    )


def _by_playouts(network: PatternPolicy, position: Position, playouts: int, seed: int) -> Analysis:
    thought = Thinker(playouts, seed=seed, learned=network.learned()).think(position)
    return Analysis(
        moves=thought.moves,
        shares=thought.visits / max(float(thought.visits.sum()), 1.0),
        values=thought.values,
        black_wins=thought.value if position.turn == BLACK else 1 - thought.value,
        owners=thought.owners,
    )


def _by_policy(network: DensePolicy, position: Position, seed: int) -> Analysis:
    """Of layers that know no value, playouts say who wins and owns what."""
    shares = policy_shares(network, position)
    points = np.array([*all_points(position.size), PASS])
    order = np.argsort(-shares, kind="stable")
    return Analysis(
        moves=points[order],
        shares=shares[order],
        values=np.full(len(points), np.nan),
        black_wins=black_share(position, seed),
        owners=Thinker(128, seed=seed).think(position).owners,
    )


@torch.inference_mode()
def policy_shares(network: GoModel, position: Position) -> np.ndarray:
    """How likely each move is before any search, over places, the pass last."""
    device = next(network.parameters()).device
    allowed = sensible_places(position)
    if isinstance(network, DensePolicy):
        stones = torch.from_numpy(see_stones(position)[None]).to(device)
        logits = network(stones)[0].cpu().numpy()
    elif isinstance(network, PatternPolicy):
        categories, numbers = see_moves(position)
        logits = (
            network(
                torch.from_numpy(categories[None]).long().to(device),
                torch.from_numpy(numbers[None]).long().to(device),
            )[0]
            .cpu()
            .numpy()
        )
    else:
        seen, _ = see_planes(position)
        logits = network.look(seen[None])[0][0][:-1]
    shares = np.zeros(len(allowed) + 1)
    if not allowed.any():
        shares[-1] = 1.0
        return shares
    weights = np.exp(np.where(allowed, logits - logits[allowed].max(), -np.inf))
    shares[:-1] = weights / weights.sum()
    return shares
