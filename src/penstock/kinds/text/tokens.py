"""Tokens: what a text is made of for a network. Characters, bytes, or parts of words.

Token 0 stands between documents. A character that is unknown is token 1, which costs what the
model says of it, and beyond that what it takes to say which of all other characters it is: each is
as likely. So no vocabulary makes a text cheaper than it is.
"""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    pass

BOUNDARY, UNKNOWN = 0, 1
CODE_POINTS = 0x110000  # characters that Unicode can have


class Tokens(Protocol):
    """What turns texts into tokens, and tokens into bytes of UTF-8."""

    kind: str

    def __len__(self) -> int:
        """How many there are."""

    def encode(self, text: str) -> np.ndarray:
        """The tokens of a text, int64, shape (tokens,)."""

    @property
    def content(self) -> Sequence[bytes]:
        """What each token stands for; nothing for those that are no text."""

    @property
    def unknown_cost(self) -> float:
        """Nats it takes to say which character an unknown one is."""

    def describe(self) -> dict[str, Any]:
        """What dataset.json keeps: `read_tokens` takes it."""


class Characters:
    """A token for each character that is known."""

    kind = "characters"

    def __init__(self, known: str) -> None:
        """Take over the characters that are known, in the order of their code points."""
        self.known = known
        self._codes = _code_points(known)

    def __len__(self) -> int:
        return 2 + len(self.known)

    def encode(self, text: str) -> np.ndarray:
        """The tokens of a text, int64, shape (characters,)."""
        codes = _code_points(text)
        places = np.searchsorted(self._codes, codes).clip(max=max(0, len(self.known) - 1))
        found = self._codes[places] == codes if len(self.known) else np.zeros(len(codes), bool)
        return np.where(found, places + 2, UNKNOWN)

    @cached_property
    def content(self) -> list[bytes]:
        """Each character in UTF-8; an unknown one is shown as U+FFFD."""
        return [b"", "\ufffd".encode(), *(letter.encode() for letter in self.known)]

    @property
    def unknown_cost(self) -> float:
        """Each character that is not known is as likely."""
        return float(np.log(CODE_POINTS - len(self.known)))

    def describe(self) -> dict[str, Any]:
        """The characters that are known."""
        return {"kind": self.kind, "known": self.known}


class Bytes:
    """A token for each byte of UTF-8: nothing is unknown."""

    kind = "bytes"
    unknown_cost = 0.0

    def __len__(self) -> int:
        return 2 + 256

    def encode(self, text: str) -> np.ndarray:
        """The tokens of a text, int64, shape (bytes,)."""
        return np.frombuffer(text.encode(), np.uint8).astype(np.int64) + 2

    @cached_property
    def content(self) -> list[bytes]:
        """Each byte."""
        return [b"", b"", *(bytes([value]) for value in range(256))]

    def describe(self) -> dict[str, Any]:
        """Nothing but the kind."""
        return {"kind": self.kind}


class BytePairs:
    """Parts of words, of bytes that often stand together (tokenizers, byte-level)."""

    kind = "bpe"
    unknown_cost = 0.0

    def __init__(self, learned: str) -> None:
        """Take over what was learned, as tokenizers writes it."""
        from tokenizers import Tokenizer

        self.learned = learned
        self._tokenizer: Tokenizer = Tokenizer.from_str(learned)

    def __len__(self) -> int:
        return 2 + self._tokenizer.get_vocab_size()

    def encode(self, text: str) -> np.ndarray:
        """The tokens of a text, int64, shape (tokens,)."""
        return np.array(self._tokenizer.encode(text).ids, np.int64) + 2

    @cached_property
    def content(self) -> list[bytes]:
        """The bytes of each part."""
        letters = _byte_letters()
        names = sorted(self._tokenizer.get_vocab().items(), key=lambda item: item[1])
        parts = [bytes(letters[letter] for letter in name) for name, _ in names]
        return [b"", b"", *parts]

    def describe(self) -> dict[str, Any]:
        """What was learned."""
        return {"kind": self.kind, "learned": self.learned}


def learn_characters(counts: np.ndarray, least: int) -> Characters:
    """Know the characters that occur often enough: `counts` has a number for each code point."""
    return Characters("".join(map(chr, np.flatnonzero(counts >= least))))


def count_characters(text: str, counts: np.ndarray) -> None:
    """Add a text's characters to the counts, shape (CODE_POINTS,), in place."""
    codes, times = np.unique(_code_points(text), return_counts=True)
    counts[codes] += times


def learn_byte_pairs(texts: Iterable[str], vocabulary: int) -> BytePairs:
    """Learn which bytes often stand together."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator(texts, trainer)
    return BytePairs(tokenizer.to_str())


def read_tokens(described: dict[str, Any]) -> Tokens:
    """The tokens that `describe` told of."""
    kind = described["kind"]
    if kind == Bytes.kind:
        return Bytes()
    return (
        Characters(described["known"])
        if kind == Characters.kind
        else BytePairs(described["learned"])
    )


def _code_points(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)


def _byte_letters() -> dict[str, int]:
    """Letter -> the byte it stands for in the names of byte-level tokens.

    Bytes that can be printed stand for themselves, the others for letters from U+0100 on (Radford
    et al. 2019, GPT-2).
    """
    printed = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printed]
    letters = {chr(byte): byte for byte in printed}
    return letters | {chr(0x100 + place): byte for place, byte in enumerate(others)}
