"""Turns and a reply as one stretch of tokens: what writers learn from, and are scored on."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional as F

from ...kinds.text.tokens import BOUNDARY, Tokens
from ...learning.sources import Ragged
from .answer import read_context
from .normal import normalise
from .writers import LONGEST, Writer

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset

BATCH = 64  # replies that are scored together


def read_stretches(
    dataset: "Dataset", splits: Iterable[str], turns: int, context: int, reply: int = LONGEST
) -> Ragged:
    """The replies of splits, each after the turns before it, where they lie in the stream.

    Args:
        dataset: tokens and turns.
        splits: whose replies.
        turns: most turns before a reply.
        context: most tokens of these, the latest.
        reply: most tokens of a reply, its end included.

    Returns:
        A batch is `tokens`, (batch, longest), `lengths` and `skipped`, (batch,).
    """
    rows, columns = dataset.rows(*splits), dataset.columns("turn", "begin")
    said = dataset.table("turns")[["start", "stop"]].to_numpy()
    turn = columns["turn"][rows]
    first = np.maximum(columns["begin"][rows], turn - turns)
    start, stop = said[turn].T
    begin = np.maximum(said[first, 0], start - context)
    stream = dataset.array("tokens")
    return Ragged(
        {"tokens": stream}, begin, np.minimum(stop, start + reply), {"skipped": start - begin}
    )


def build_stretches(
    tokens: Tokens, contexts: Sequence[Sequence[str]], replies: Sequence[str], network: Writer
) -> Ragged:
    """The same of contexts and replies from outside."""
    parts, skipped = [], []
    for context, reply in zip(contexts, replies, strict=True):
        read = encode_context(tokens, context, network)
        written = [*tokens.encode(normalise(reply)), BOUNDARY][:LONGEST]
        parts.append(np.array([*read, *written], np.int64))
        skipped.append(len(read))
    stops = np.cumsum([len(it) for it in parts])
    starts = stops - [len(it) for it in parts]
    return Ragged(
        {"tokens": np.concatenate(parts)}, starts, stops, {"skipped": np.array(skipped, np.int64)}
    )


def encode_context(tokens: Tokens, context: Sequence[str], network: Writer) -> np.ndarray:
    """The tokens of turns, each with an end, the latest of them: at least the end."""
    read = [
        token
        for it in read_context(context, network.turns)
        for token in (*tokens.encode(it), BOUNDARY)
    ]
    return np.array(read[-network.context :] or [BOUNDARY], np.int64)


def score_stretches(network: Writer, source: Ragged) -> np.ndarray:
    """Nats of each reply, its end included, float64, shape (replies,)."""
    network.eval()
    device = next(network.parameters()).device
    lengths = source.stops - source.starts
    order = np.argsort(lengths, kind="stable")  # those of one batch are about as long
    nats = np.zeros(len(source))
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        batch = {k: v.to(device) for k, v in source[torch.from_numpy(rows)].items()}
        with torch.inference_mode():
            logits, expected, counted = network(batch)
            each = F.cross_entropy(logits.transpose(1, 2), expected, reduction="none")
        nats[rows] = (each.double() * counted).sum(1).cpu().numpy()
    return nats


def join_replies(source: Ragged) -> np.ndarray:
    """The tokens of all replies, one after the other, each with its end."""
    stream, skipped = source.arrays["tokens"], source.rows["skipped"]
    spans = zip(source.starts + skipped, source.stops, strict=True)
    return np.concatenate([np.asarray(stream[start:stop], np.int64) for start, stop in spans])
