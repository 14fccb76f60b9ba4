"""What a network writes, and how much of it stands in what it learned from."""

from itertools import count

import numpy as np
import pandas as pd

from ...datasets.dataset import Dataset
from ...evaluation import exhibits
from ...kinds.text.draws import Draw
from ...kinds.text.tokens import Tokens
from .baselines import content
from .memorised import longest_copies
from .network import Network
from .params import Evaluate
from .writing import write_text

SEARCHED = 2**24  # tokens of the training split that are searched for copies, at most
SHOWN = 200  # characters of a copy
BETWEEN = "\n\n"  # documents that are written one after the other


def write_samples(
    network: Network, dataset: Dataset, tokens: Tokens, train: np.ndarray, settings: Evaluate
) -> tuple[list[exhibits.Exhibit], dict[str, float]]:
    """Write at several temperatures; find what was copied. Exhibits, and metrics."""
    learned = content(train[-SEARCHED:], tokens).decode("utf-8", "replace")
    written = {
        f"temperature {it:g}": _write(network, tokens, Draw(it), settings.sample)
        for it in settings.temperatures
    }
    texts = [it.decode() for it in dataset.raw(dataset.examples("test")["id"])]
    held_out = "\n".join(texts)[: max(map(len, written.values()))]
    rows = []
    longest: dict[str, float] = {}
    for name, text in {**written, "test text": held_out}.items():
        copies = longest_copies(text, learned)
        place = int(copies.argmax()) if len(copies) else 0
        longest[name] = length = int(copies.max(initial=0))
        passage = text[place : place + min(length, SHOWN)]
        rows.append((name, len(text), length, float(np.median(copies)), passage))
    names = ["text", "characters", "longest copy", "median copy", "the longest"]
    shown = [
        exhibits.Text(f"Written at {name}", text, "From the start of a document, by seed 0.")
        for name, text in written.items()
    ]
    table = exhibits.Table(
        "Copied from the training text",
        pd.DataFrame(rows, columns=names),
        "The longest stretch that the training text has word for word, and the median of those "
        "from each character on. What copies more than the test text does was memorised.",
    )
    copied = max(it for name, it in longest.items() if name in written)
    metrics = {"test/longest_copy": copied, "test/longest_copy_held_out": longest["test text"]}
    return [*shown, table], metrics


def _write(network: Network, tokens: Tokens, draw: Draw, length: int) -> str:
    """Write documents, one after the other, until there are about so many tokens."""
    documents: list[str] = []
    left = length
    for seed in count(draw.seed):
        again = Draw(draw.temperature, draw.top_k, seed)
        documents.append("".join(write_text(network, tokens, "", left, again)))
        left -= len(tokens.encode(documents[-1])) + 1
        if left <= 0 or not draw.temperature:
            return BETWEEN.join(documents)
    raise AssertionError("unreachable")
