"""What a model must beat: chance, counts, and programs that compress."""

import gzip
import lzma
from collections.abc import Callable, Iterator

import numpy as np

from ...kinds.text.ngrams import ngram_nats
from ...kinds.text.tokens import BOUNDARY, UNKNOWN, Tokens

COUNTED = 2**22  # tokens of the training split that n-grams count, at most
PACKED = 2**22  # bytes of the training split that a compressor is shown, at most


def baselines(
    train: np.ndarray, test: np.ndarray, tokens: Tokens, order: int
) -> Iterator[tuple[str, float]]:
    """What baselines say of the test split: a name, and nats altogether.

    Args:
        train: the tokens that were learned from; the last of them are counted.
        test: the tokens of the test split; what stands between documents does not count.
        tokens: what they are.
        order: tokens of the longest n-gram.
    """
    text = test[test != BOUNDARY]
    spelled = tokens.unknown_cost * int((text == UNKNOWN).sum())
    yield "uniform", len(text) * float(np.log(len(tokens) - 1)) + spelled
    for length in dict.fromkeys((1, order)):
        nats = ngram_nats(train[-COUNTED:], test, len(tokens), length)
        name = "how often tokens are" if length == 1 else f"{length}-grams, Kneser-Ney"
        yield name, float(nats[test != BOUNDARY].sum()) + spelled
    packers: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "xz": lzma.compress}
    for name, pack in packers.items():
        yield f"{name}, after the training text", _packed(train, text, tokens, pack)


def _packed(
    train: np.ndarray, test: np.ndarray, tokens: Tokens, pack: Callable[[bytes], bytes]
) -> float:
    """Nats that the test text adds to the packed training text."""
    before = content(train, tokens)[-PACKED:]
    both = before + content(test, tokens)
    return 8 * float(np.log(2)) * (len(pack(both)) - len(pack(before)))


def content(stream: np.ndarray, tokens: Tokens) -> bytes:
    """The bytes that tokens stand for; a line ends between documents."""
    parts = np.array([b"\n", *tokens.content[1:]], dtype=object)
    return b"".join(parts[stream])
