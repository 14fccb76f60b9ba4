"""Blocks: documents in stretches that are short enough to be examples."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from .documents import Piece
from .splitting import Plan


@dataclass(frozen=True)
class Block:
    """A stretch of a document.

    Attributes:
        document: name of the document.
        split: which split it is in.
        at: how many characters of the document stand before it.
        part: how many blocks of the document, in the same split, stand before it.
        text: its characters.
    """

    document: str
    split: str
    at: int
    part: int
    text: str


def cut(pieces: Iterable[Piece], plan: Plan, longest: int) -> Iterator[Block]:
    """Cut documents into blocks, at ends of lines or words where there are some.

    Args:
        pieces: of documents, in order.
        plan: which split a document, or each part of it, is in.
        longest: most characters of a block.
    """
    number, at, part, rest = 0, 0, 0, ""
    for piece in pieces:
        rest, start = rest + piece.text, 0
        while start < len(rest) and (piece.last or len(rest) - start > longest):
            split, end = plan.split_at(number, at)
            text = rest[start : start + min(longest, end - at)]
            length = _length(text, len(rest) - start, end - at)
            yield Block(piece.document, split, at, part, text[:length])
            start, at = start + length, at + length
            part = 0 if at == end else part + 1
        rest = rest[start:]
        if piece.last:
            number, at, part, rest = number + 1, 0, 0, ""


def _length(text: str, there: int, left: int) -> int:
    """How much of a text a block takes that could take all: up to a line's end, or a word's."""
    if len(text) in (there, left):  # the document, or its part in this split, ends here
        return len(text)
    for ending in "\n", " ":
        if (place := text.rfind(ending)) >= len(text) // 2:
            return place + 1
    return len(text)
