"""Writing on: a token at a time, each drawn from what the network expects."""

import codecs
from collections.abc import Iterator

import numpy as np
import torch

from ...kinds.text.draws import Draw
from ...kinds.text.tokens import BOUNDARY, Tokens
from ...kinds.text.transformer import Transformer
from .network import Network

LONGEST = 2**14  # tokens of a prompt that are read


def write_tokens(network: Network, prompt: np.ndarray, length: int, draw: Draw) -> Iterator[int]:
    """Continue a text; ends at the end of a document.

    What was read is kept, as a state or as keys and values, so a token costs the same however many
    stand before it. A transformer whose window is full goes on with the latter half of it.

    Args:
        network: a trained one.
        prompt: tokens, at least one, shape (tokens,).
        length: most tokens to write.
        draw: how they are drawn.
    """
    network.eval()
    device = next(network.parameters()).device
    choose = draw.chooser()
    read = list(map(int, prompt[-LONGEST:]))
    following, state, held = read, None, 0
    for _ in range(length):
        if isinstance(network, Transformer) and held + len(following) > network.window:
            following, state, held = read[-(network.window // 2) :], None, 0
        with torch.inference_mode():
            logits, state = network(torch.tensor([following], device=device), state)
        held += len(following)
        token = choose(logits[0, -1].double().cpu().numpy())
        if token == BOUNDARY:
            return
        yield token
        read.append(token)
        following = [token]


def write_text(
    network: Network,
    tokens: Tokens,
    prompt: str,
    length: int,
    draw: Draw,
    stop: str = "",
) -> Iterator[str]:
    """Continue a text, a few characters at a time; ends before `stop`, or with a document.

    A prompt stands at the start of a document.
    """
    read = np.concatenate([[BOUNDARY], tokens.encode(prompt)])
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    waiting = ""
    for token in write_tokens(network, read, length, draw):
        waiting += decoder.decode(tokens.content[token])
        if stop and stop in waiting:
            yield waiting[: waiting.index(stop)]
            return
        ready = len(waiting) - _begun(waiting, stop)
        if ready:
            yield waiting[:ready]
            waiting = waiting[ready:]
    yield waiting + decoder.decode(b"", final=True)


def _begun(text: str, stop: str) -> int:
    """How many characters at the end of a text may be the start of `stop`."""
    return next((n for n in range(len(stop) - 1, 0, -1) if text.endswith(stop[:n])), 0)
