"""From texts to a stream of tokens, and blocks of it as examples."""

import hashlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from ...datasets.dataset import DatasetWriter
from ...kinds.tables.raw_files import RawFile, list_files
from ...kinds.text.tokens import (
    BOUNDARY,
    CODE_POINTS,
    UNKNOWN,
    Bytes,
    Tokens,
    count_characters,
    learn_byte_pairs,
    learn_characters,
)
from ...messages.errors import PenstockError
from .blocks import Block, cut
from .documents import PIECE, Opened, Piece, Reject, open_file, read_documents
from .params import Data, Params
from .splitting import LEFT_OUT, Plan, plan_splits, survey

ROWS = 2**14  # of the index written at a time
LEARNED_FROM = 2**27  # characters that byte-pair encoding learns from, at most
UNITS = 20  # documents of the test split, or more: then they are the units, else blocks

Read = Callable[[str], Iterator[Piece]]  # documents, with what is being done


def ingest(source: Path, writer: DatasetWriter, params: Params) -> None:
    """Read the texts three times: what there is, which tokens it needs, and what they are.

    Raises:
        PenstockError: there is no text.
    """
    data = params.data
    opened = list(_open(list_files(source, nested=True), data, writer))
    read = _reader(opened, data, writer)
    found = survey(read("looking at"), data.title_end)
    if not len(found.characters):
        raise PenstockError(
            f"{source}: no text; expected files of text, or tables with a column `text`"
        )
    plan = plan_splits(found, data)
    tokens = _learn(lambda: _training(read("learning tokens of"), plan, data), data)
    writer.info = {
        "tokens": tokens.describe(),
        "vocabulary": len(tokens),
        "block": data.block,
        "documents": len(found.characters),
        "repeated": found.repeated,
    }
    _tell(opened, plan, tokens, found.repeated)
    with _Stream(writer, tokens) as stream:
        for block in cut(read("writing"), plan, data.block):
            stream.add(block)


def _open(files: list[RawFile], data: Data, writer: DatasetWriter) -> Iterator[Opened]:
    for file in files:
        try:
            yield open_file(file, data.encoding, data.column)
        except PenstockError as error:
            if len(files) == 1:
                raise
            writer.reject(file.name, str(error).removeprefix(f"{file.name}: "))


def _reader(opened: list[Opened], data: Data, writer: DatasetWriter) -> Read:
    """How to read all documents; what is rejected is so by the first reading."""
    rejects: list[Reject] = [writer.reject]

    def read(doing: str) -> Iterator[Piece]:
        reject = rejects.pop() if rejects else lambda *_: None
        for it in opened:
            with tqdm(
                desc=f"{doing} {it.file.name}",
                unit=" characters",
                unit_scale=True,
                disable=None,
                leave=False,
            ) as bar:
                for piece in read_documents(it, data.documents, reject):
                    yield piece
                    bar.update(len(piece.text))

    return read


def _training(pieces: Iterator[Piece], plan: Plan, data: Data) -> Iterator[str]:
    """The text that is learned from, in stretches of some PIECE characters."""
    texts: list[str] = []
    size = 0
    for block in cut(pieces, plan, data.block):
        if block.split == "train":
            texts.append(block.text)
            size += len(block.text)
        if size >= PIECE:
            yield "".join(texts)
            texts, size = [], 0
    if texts:
        yield "".join(texts)


def _learn(texts: Callable[[], Iterator[str]], data: Data) -> Tokens:
    """Find the tokens that the training text needs."""
    if data.tokens == "bytes":
        return Bytes()
    if data.tokens == "bpe":
        return learn_byte_pairs(_at_most(texts(), LEARNED_FROM), data.vocabulary)
    counts = np.zeros(CODE_POINTS, np.int64)
    for text in texts():
        count_characters(text, counts)
    return learn_characters(counts, data.min_count)


def _at_most(texts: Iterator[str], characters: int) -> Iterator[str]:
    for text in texts:
        yield text
        characters -= len(text)
        if characters <= 0:
            return


def _tell(opened: list[Opened], plan: Plan, tokens: Tokens, repeated: int) -> None:
    files = f"{len(opened):,} file{'s' if len(opened) > 1 else ''}"
    documents = 1 if plan.ends else len(plan.splits)
    how = "one document, split in order" if plan.ends else f"{documents:,} documents"
    again = f", {repeated:,} of them repeats" if repeated else ""
    print(f"  {files}: {how}{again}; {len(tokens):,} tokens ({tokens.kind})")


class _Stream:
    """Writes tokens and blocks, those of a split side by side: training first.

    Tokens of the other splits wait in files, their blocks in memory.
    """

    def __init__(self, writer: DatasetWriter, tokens: Tokens) -> None:
        self.writer, self.tokens = writer, tokens
        self.dtype = np.uint16 if len(tokens) <= 2**16 else np.int32
        self.rows: dict[str, list[dict[str, Any]]] = {"train": [], "validation": [], "test": []}
        self.written = dict.fromkeys(self.rows, 0)
        self.waiting: dict[str, IO[bytes]] = {
            it: tempfile.TemporaryFile()  # noqa: SIM115, closed at the end
            for it in ("validation", "test")
        }
        self.documents: set[str] = set()

    def __enter__(self) -> "_Stream":
        return self

    def add(self, block: Block) -> None:
        """Append a block to its split."""
        if block.split == LEFT_OUT:
            self.writer.reject(_name(block), "the same text stands in another split")
            return
        try:
            encoded = block.text.encode()
        except UnicodeEncodeError as error:
            self.writer.reject(_name(block), f"{error.reason} at character {error.start:,}")
            return
        found = self.tokens.encode(block.text)
        stream = found if block.part else np.concatenate([[BOUNDARY], found])
        self._append(block.split, stream.astype(self.dtype))
        start = self.written[block.split] - len(found)
        self.rows[block.split].append(
            {
                "id": _name(block),
                "split": block.split,
                "part": np.int32(block.part),
                "start": start,
                "stop": start + len(found),
                "characters": np.int32(len(block.text)),
                "bytes": np.int32(len(encoded)),
                "unknown": np.int32((found == UNKNOWN).sum()),
                "sha256": hashlib.sha256(encoded).hexdigest(),
            }
        )
        if block.split == "test":
            self.writer.keep(_name(block), encoded)
            self.documents.add(block.document)
        if len(self.rows["train"]) >= ROWS:
            self._flush("train", 0)

    def _append(self, split: str, tokens: np.ndarray) -> None:
        if split == "train":
            self.writer.array("tokens", tokens)
        else:
            self.waiting[split].write(tokens.tobytes())
        self.written[split] += len(tokens)

    def _flush(self, split: str, offset: int) -> None:
        if self.rows[split]:
            rows = pd.DataFrame(self.rows[split])
            rows[["start", "stop"]] += offset
            self.writer.add(rows, {})
        self.rows[split] = []

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._finish()
        for file in self.waiting.values():
            file.close()

    def _finish(self) -> None:
        self._flush("train", 0)
        before = self.written["train"]
        for split, file in self.waiting.items():
            file.seek(0)
            while part := file.read(PIECE * 4):
                self.writer.array("tokens", np.frombuffer(part, self.dtype))
            self._flush(split, before)
            before += self.written[split]
        unit = "document" if len(self.documents) >= UNITS else "block"
        self.writer.info["unit"] = unit


def _name(block: Block) -> str:
    return f"{block.document}@{block.at}" if block.at else block.document
