"""Which split a document is in, or each part of one that is alone."""

import hashlib
from array import array
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from ...datasets.splits import hash_splits
from .documents import Piece
from .params import Data

FEW = 20  # documents: with fewer, a hash is likely to leave a split empty
LEFT_OUT = "repeat"  # in place of a split
TITLE = 200  # most characters of a title


@dataclass(frozen=True)
class Survey:
    """What documents there are, in order.

    Attributes:
        characters: of each, int64, shape (documents,).
        digests: of the text of each, its title left out, uint64, likewise.
    """

    characters: np.ndarray
    digests: np.ndarray

    @property
    def repeated(self) -> int:
        """How many stand there once more."""
        return len(self.digests) - len(np.unique(self.digests))


@dataclass(frozen=True)
class Plan:
    """Who is in which split.

    Attributes:
        splits: of each document, shape (documents,), or LEFT_OUT; or of each part of the only one.
        ends: where each part ends, in characters; nothing where documents are whole.
    """

    splits: np.ndarray
    ends: tuple[int, ...] = ()

    def split_at(self, document: int, at: int) -> tuple[str, int]:
        """The split of a document at some character, and up to which it is that."""
        if not self.ends:
            return str(self.splits[document]), 2**62
        part = next(number for number, end in enumerate(self.ends) if at < end)
        return str(self.splits[part]), self.ends[part]


def survey(pieces: Iterable[Piece], title_end: str) -> Survey:
    """Count documents, their characters, and what tells their texts apart."""
    characters, digests = array("q"), array("Q")
    length, hashed = 0, hashlib.sha256()
    for piece in pieces:
        body = without_title(piece.text, title_end) if not length else piece.text
        hashed.update(body.encode("utf-8", "surrogatepass"))
        length += len(piece.text)
        if piece.last:
            characters.append(length)
            digests.append(int.from_bytes(hashed.digest()[:8]))
            length, hashed = 0, hashlib.sha256()
    return Survey(np.array(characters, np.int64), np.array(digests, np.uint64))


def without_title(text: str, title_end: str) -> str:
    """A document's text without its title."""
    title, end, body = text.partition(title_end) if title_end else ("", "", text)
    return body if end and len(title) <= TITLE else text


def plan_splits(found: Survey, data: Data) -> Plan:
    """Split documents by hash, or in order; the only one there is in parts."""
    test, validation = data.test_share, data.validation_share
    shares = {"test": test, "validation": validation, "train": 1 - test - validation}
    documents = len(found.characters)
    if data.split == "hash" or (data.split == "auto" and documents >= FEW):
        return Plan(hash_splits((f"{it:016x}" for it in found.digests), shares))
    total = int(found.characters.sum())
    held_out = [sum(shares[it] for it in data.order[place:]) for place in (1, 2)]
    ends = (*(int(total * (1 - share)) for share in held_out), total)
    if documents == 1:
        return Plan(np.array(data.order), ends)
    starts = np.cumsum(found.characters) - found.characters
    splits = np.array(data.order)[np.searchsorted(ends, starts, side="right").clip(max=2)]
    return Plan(_without_repeats(splits, found.digests))


def _without_repeats(splits: np.ndarray, digests: np.ndarray) -> np.ndarray:
    """Leave out documents whose text stands in another split; what is learned from stays."""
    taken: np.ndarray = np.zeros(0, digests.dtype)
    for split in "train", "validation", "test":
        held = splits == split
        splits = np.where(held & np.isin(digests, taken), LEFT_OUT, splits)
        taken = np.concatenate([taken, digests[held]])
    return splits
