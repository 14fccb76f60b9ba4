"""How a reply is written: the likeliest tokens, the likeliest reply of some, or chance."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from ...kinds.text.draws import Draw
from ...kinds.text.tokens import BOUNDARY, UNKNOWN
from .writers import Writer

NORMALISED = 0.7  # power of the length that a beam's score is divided by (Wu et al. 2016)


@dataclass(frozen=True)
class Decoding:
    """How tokens are chosen.

    Attributes:
        kind: `greedy`, the likeliest token each time; `beam`, the likeliest of the replies that
            begin likeliest; `nucleus`, by chance among the likeliest tokens.
        beams: beginnings that `beam` keeps.
        nucleus: probability of the tokens that chance may take (Holtzman et al. 2020).
        temperature: of `nucleus`, by which logits are divided.
        no_repeat: tokens in a row that no reply has twice (Paulus et al. 2018); 0 for any.
        length: most tokens of a reply.
        seed: of the random numbers.
    """

    kind: Literal["greedy", "beam", "nucleus"] = "nucleus"
    beams: int = 4
    nucleus: float = 0.9
    temperature: float = 0.8
    no_repeat: int = 3
    length: int = 48
    seed: int = 0


@dataclass(frozen=True)
class Written:
    """Tokens of a reply, and the mean of their log-probabilities, its end included."""

    tokens: list[int]
    likely: float


def write(network: Writer, context: np.ndarray, decoding: Decoding) -> list[Written]:
    """Write replies to a context, the best first; all but `beam` write one.

    Args:
        network: in evaluation mode.
        context: tokens of the turns before, at least one.
        decoding: how.
    """
    with torch.inference_mode():
        if decoding.kind == "beam":
            return _search(network, context, decoding)
        return [_write_one(network, context, decoding)]


def _write_one(network: Writer, context: np.ndarray, decoding: Decoding) -> Written:
    temperature = decoding.temperature if decoding.kind == "nucleus" else 0.0
    choose = Draw(temperature, 0, decoding.seed).chooser()
    written: list[int] = []
    total, state = 0.0, None
    following = _batch(network, [list(map(int, context))])
    for _ in range(decoding.length):
        logits, state = network.step(following, state)
        likely = logits[0].double().log_softmax(-1).cpu().numpy()
        allowed = _allow(likely, written, decoding.no_repeat)
        if temperature:
            allowed = keep_nucleus(allowed, decoding.nucleus, temperature)
        token = choose(allowed)
        total += likely[token]
        if token == BOUNDARY:
            return Written(written, total / (len(written) + 1))
        written.append(token)
        following = _batch(network, [[token]])
    return Written(written, total / len(written))


def _search(network: Writer, context: np.ndarray, decoding: Decoding) -> list[Written]:
    """Beam search: of all ways to go on, those whose probability is highest are kept."""
    beams: list[tuple[float, list[int]]] = [(0.0, [])]
    ended: list[tuple[float, Written]] = []
    state, following = None, _batch(network, [list(map(int, context))])
    for length in range(1, decoding.length + 1):
        logits, state = network.step(following, state)
        likely = logits.double().log_softmax(-1).cpu().numpy()
        ways = []
        for row, (total, tokens) in enumerate(beams):
            allowed = _allow(likely[row], tokens, decoding.no_repeat)
            best = np.argsort(-allowed, kind="stable")[: decoding.beams + 1]
            ways += [(total + allowed[it], row, int(it)) for it in best if allowed[it] > -np.inf]
        ways.sort(key=lambda it: -it[0])
        kept: list[tuple[float, int, int]] = []
        for total, row, token in ways:
            if token == BOUNDARY:
                ended.append((total / length**NORMALISED, Written(beams[row][1], total / length)))
            elif len(kept) < decoding.beams:
                kept.append((total, row, token))
            if len(kept) == decoding.beams:
                break
        best_ended = max((it[0] for it in ended), default=-np.inf)
        if not kept or best_ended >= kept[0][0] / decoding.length**NORMALISED:
            break  # no beginning can become better than what has ended
        rows = torch.tensor([row for _, row, _ in kept], device=following.device)
        beams = [(total, [*beams[row][1], token]) for total, row, token in kept]
        state = network.select(state, rows)
        following = _batch(network, [[token] for _, _, token in kept])
    if not ended:
        ended = [(total, Written(it, total / max(1, len(it)))) for total, it in beams]
    return [written for _, written in sorted(ended, key=lambda it: -it[0])]


def keep_nucleus(likely: np.ndarray, share: float, temperature: float) -> np.ndarray:
    """Leave the likeliest tokens that together have a share of the probability.

    Args:
        likely: log-probabilities or logits, shape (tokens,).
        share: of the probability, after the temperature.
        temperature: by which they are divided.

    Returns:
        The same, -inf for the tokens that chance may not take.
    """
    weights = np.exp((likely - likely.max()) / temperature)
    order = np.argsort(-weights, kind="stable")
    sums = weights[order].cumsum()
    last = int(np.searchsorted(sums, share * sums[-1]))
    kept = np.full_like(likely, -np.inf)
    kept[order[: last + 1]] = likely[order[: last + 1]]
    return kept


def _allow(likely: np.ndarray, written: Sequence[int], no_repeat: int) -> np.ndarray:
    """Leave the tokens that may follow: a reply is not empty, and does not go in circles."""
    allowed = likely.copy()
    allowed[UNKNOWN] = -np.inf
    if not written:
        allowed[BOUNDARY] = -np.inf
    if no_repeat and len(written) >= no_repeat:
        last = tuple(written[len(written) - no_repeat + 1 :])
        for at in range(len(written) - no_repeat + 1):
            if tuple(written[at : at + no_repeat - 1]) == last:
                allowed[written[at + no_repeat - 1]] = -np.inf
    return allowed


def _batch(network: Writer, tokens: list[list[int]]) -> torch.Tensor:
    return torch.tensor(tokens, device=next(network.parameters()).device)
