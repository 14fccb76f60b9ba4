"""What a network says of texts: how likely each token is, after those before it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F
from tqdm import tqdm

from .network import Network
from .windows import Question, cut_windows

LOGITS = 2**24  # held at a time


@dataclass(frozen=True)
class Scored:
    """What a network says of the scored tokens of questions, one after the other.

    Attributes:
        question: which question each token is of, shape (tokens,).
        place: how many tokens the network had read before it, in its window.
        nats: negative log of the probability it gave.
        confidence: the highest probability it gave to any token.
        correct: whether that was the token.
    """

    question: np.ndarray
    place: np.ndarray
    nats: np.ndarray
    confidence: np.ndarray
    correct: np.ndarray

    def per_question(self, questions: int) -> np.ndarray:
        """Nats of each question, float64, shape (questions,)."""
        total: np.ndarray = np.bincount(self.question, self.nats, minlength=questions)
        return total


def score(network: Network, questions: list[Question], tokens: int) -> Scored:
    """Score every question.

    Args:
        network: a trained one.
        questions: what is read, and what is scored.
        tokens: how many different ones there are.
    """
    parts = list(_score_parts(network, questions, tokens))
    return Scored(*(np.concatenate(it) for it in zip(*parts, strict=True)))


def _score_parts(
    network: Network, questions: list[Question], tokens: int
) -> Iterator[tuple[np.ndarray, ...]]:
    network.eval()
    device = next(network.parameters()).device
    windows = cut_windows(questions, network.window, network.least_context)
    source = windows.source
    size = max(1, LOGITS // (tokens * (network.window + 1)))
    yield (np.zeros(0, np.int64),) * 2 + (np.zeros(0),) * 2 + (np.zeros(0, bool),)
    with torch.inference_mode():
        starts = range(0, len(source), size)
        for start in tqdm(starts, "scoring", unit="batch", disable=None, leave=False):
            rows = torch.arange(start, min(start + size, len(source)))
            batch = {name: it.to(device) for name, it in source[rows].items()}
            logits, expected, counted = predict_batch(network, batch)
            nats = F.cross_entropy(logits.transpose(1, 2), expected, reduction="none")
            confidence, best = logits.softmax(-1).max(-1)
            row, place = (it.cpu().numpy() for it in torch.nonzero(counted, as_tuple=True))
            yield (
                windows.questions[start:][row],
                place + 1,
                *(it[counted].double().cpu().numpy() for it in (nats, confidence)),
                (best == expected)[counted].cpu().numpy(),
            )


def predict_batch(
    network: Network, batch: dict[str, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Read a batch of windows.

    Returns:
        Logits, shape (batch, time, tokens); what should have been said, (batch, time); and which of
        those count: not padding, and not what is only read.
    """
    tokens = batch["tokens"]
    places = torch.arange(1, tokens.shape[1], device=tokens.device)
    logits, _ = network(tokens[:, :-1])
    counted = (places > batch["skipped"][:, None]) & (places < batch["lengths"][:, None])
    return logits.float(), tokens[:, 1:], counted
