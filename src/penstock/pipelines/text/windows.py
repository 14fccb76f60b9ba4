"""Questions about a text, and the windows by which a network of limited reach answers them.

A question is a stretch of tokens that are to be scored, after others that are only read. Where it
is longer than a window, further windows go on, each with some tokens before what it scores.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ...kinds.text.tokens import BOUNDARY

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset
    from ...learning.sources import Ragged

Question = tuple[np.ndarray, np.ndarray]  # tokens that are read, tokens that are scored


@dataclass(frozen=True)
class Windows:
    """Windows of many questions.

    Attributes:
        tokens: of all windows, one after the other; what a window reads and, one further, what it
            should have said.
        starts: where each starts in `tokens`.
        stops: where it stops.
        skipped: how many tokens of each are not scored.
        questions: which question each belongs to.
    """

    tokens: np.ndarray
    starts: np.ndarray
    stops: np.ndarray
    skipped: np.ndarray
    questions: np.ndarray

    @property
    def source(self) -> "Ragged":
        """As batches: `tokens`, (batch, longest), `lengths` and `skipped`, (batch,)."""
        from ...learning.sources import Ragged

        rows = {"skipped": self.skipped}
        return Ragged({"tokens": self.tokens}, self.starts, self.stops, rows)


def read_questions(
    dataset: "Dataset", splits: Iterable[str], most: int | None = None
) -> list[Question]:
    """Ask about each block of splits, after the block before it in its document.

    Args:
        dataset: tokens and blocks.
        splits: whose blocks.
        most: at most so many blocks, at even distances.
    """
    stream, rows = dataset.array("tokens"), dataset.rows(*splits)
    columns = dataset.columns("part", "start", "stop")
    if most is not None and len(rows) > most:
        rows = rows[np.linspace(0, len(rows) - 1, most).astype(int)]
    asked = []
    for row in rows:
        before = row - 1 if columns["part"][row] else row
        read = stream[columns["start"][before] : columns["start"][row]]
        asked.append(ask(read, stream[columns["start"][row] : columns["stop"][row]]))
    return asked


def join_tokens(dataset: "Dataset", splits: Iterable[str]) -> np.ndarray:
    """The tokens of splits: a part of the stream, or copies where they lie apart."""
    stream, rows = dataset.array("tokens"), dataset.rows(*splits)
    columns = dataset.columns("part", "start", "stop")
    starts = (columns["start"] - (columns["part"] == 0))[rows]  # with what stands before documents
    stops = columns["stop"][rows]
    apart = np.flatnonzero(starts[1:] != stops[:-1])
    runs = zip(starts[np.r_[0, apart + 1]], stops[np.r_[apart, len(stops) - 1]], strict=True)
    parts = [stream[start:stop] for start, stop in runs]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def ask(read: np.ndarray, scored: np.ndarray) -> Question:
    """A question about tokens, after others: those stand at the start of a document."""
    return np.concatenate([[BOUNDARY], read]).astype(np.int64), scored.astype(np.int64)


def cut_windows(questions: Iterable[Question], window: int, least_context: int) -> Windows:
    """Cut questions into windows.

    Args:
        questions: with a token at least that is read.
        window: most tokens that a network reads at a time.
        least_context: tokens that are read before those that a window scores, where there are some.
    """
    parts: list[np.ndarray] = []
    lengths, skipped, belongs = [], [], []
    for number, (read, scored) in enumerate(questions):
        tokens = np.concatenate([read[-least_context:], scored])
        first = len(tokens) - len(scored)  # of those that the next window scores
        start = 0
        while first < len(tokens):
            stop = min(start + window + 1, len(tokens))
            parts.append(tokens[start:stop])
            lengths.append(stop - start)
            skipped.append(first - start - 1)
            belongs.append(number)
            first, start = stop, stop - least_context
    stops = np.cumsum(np.array(lengths, np.int64))
    return Windows(
        np.concatenate(parts) if parts else np.zeros(0, np.int64),
        stops - np.array(lengths, np.int64),
        stops,
        np.array(skipped, np.int64),
        np.array(belongs, np.int64),
    )
