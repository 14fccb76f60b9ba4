"""Documents in files: whole files, paragraphs or lines of text, or rows of a table.

Texts are read as a stream, in pieces, since a file may be larger than memory.
"""

import codecs
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from charset_normalizer import from_bytes

from ...kinds.tables.delimited import (
    WESTERN,
    Block,
    parquet_columns,
    read_delimited,
    read_parquet,
    sniff,
)
from ...kinds.tables.raw_files import RawFile
from ...messages.errors import PenstockError

PIECE = 2**20  # characters read at a time
HEAD = 2**18  # bytes by which an encoding is guessed
TABLES = (".csv", ".tsv", ".parquet")
COLUMNS = ("text", "content", "body", "document")
BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}

Reject = Callable[[str, str], None]  # the name of what is not taken, and why


@dataclass(frozen=True)
class Piece:
    """A document, or a part of one that is long.

    Attributes:
        document: its name: that of the file and, where a file has several, the line.
        text: its next characters.
        last: whether it ends here.
    """

    document: str
    text: str
    last: bool


@dataclass(frozen=True)
class Opened:
    """A file whose encoding, or whose column of text, is known."""

    file: RawFile
    encoding: str
    column: str = ""


def open_file(file: RawFile, encoding: str, column: str) -> Opened:
    """Find out how a file stores text.

    Args:
        file: text, or a table.
        encoding: of text; `auto` finds out and says so.
        column: of a table; empty finds the usual ones.

    Raises:
        PenstockError: empty, binary, in no encoding that is known, or a table without the column.
    """
    if file.kind in TABLES:
        return Opened(file, "", _find_column(file, column))
    with file.open() as stream:
        head = stream.read(HEAD)
    if not head:
        raise PenstockError(f"{file.name}: empty; expected text")
    by_mark = next((name for bom, name in BOMS.items() if head.startswith(bom)), "")
    if encoding == "auto":
        encoding = by_mark or _find_encoding(file, head)
    else:
        _check_encoding(file, encoding)
    return Opened(file, encoding)


def _find_column(file: RawFile, wanted: str) -> str:
    names = parquet_columns(file) if file.kind == ".parquet" else sniff(file).first
    small = {name.lower(): name for name in reversed(names)}
    for name in [wanted] if wanted else COLUMNS:
        if name.lower() in small:
            return small[name.lower()]
    raise PenstockError(
        f"{file.name}: no column {wanted or 'text'}; found {', '.join(names[:20])}; name the one "
        "that has the text in data.column"
    )


def _find_encoding(file: RawFile, head: bytes) -> str:
    """UTF-8 if the whole file is; else what its beginning looks like, which is said."""
    if b"\0" in head:
        raise PenstockError(
            f"{file.name}: no text: its first NUL byte is at {head.index(0):,}; expected text "
            "(UTF-8, or UTF-16 with its mark); take the file out, or convert it"
        )
    failure = _first_failure(file, "utf-8")
    if failure is None:
        return "utf-8"
    likely = [it.encoding for it in from_bytes(head)]
    fit = [it for it in likely if it not in ("ascii", "utf_8") and not _first_failure(file, it)]
    found = WESTERN if WESTERN in fit else next(iter(fit), None)
    if found is None or (len(fit) > 1 and found != WESTERN):
        guesses = f"it could be {' or '.join(fit)}" if fit else "no other encoding fits"
        raise PenstockError(
            f"{file.name}: not UTF-8 ({failure}); {guesses}; name it in data.encoding, or convert "
            "the file"
        )
    print(f"  {file.name} is not UTF-8: read as {found}")
    return found


def _check_encoding(file: RawFile, encoding: str) -> None:
    try:
        failure = _first_failure(file, encoding)
    except LookupError:
        raise PenstockError(
            f"data.encoding: {encoding}: no such encoding; expected a name that Python knows, "
            "utf-8, latin-1 or gb18030 say"
        ) from None
    if failure:
        raise PenstockError(
            f"{file.name}: not {encoding} ({failure}); set data.encoding, or convert the file"
        )


def _first_failure(file: RawFile, encoding: str) -> str | None:
    """What of a file cannot be decoded first, or nothing if all can."""
    decoder = codecs.getincrementaldecoder(encoding)()
    at = 0
    with file.open() as stream:
        while True:
            content = stream.read(PIECE)
            try:
                decoder.decode(content, final=not content)
            except UnicodeDecodeError as error:
                return f"byte {at + error.start:,}: {error.reason}"
            if not content:
                return None
            at += len(content)


def read_documents(
    opened: Opened, kind: Literal["file", "paragraph", "line"], reject: Reject
) -> Iterator[Piece]:
    """Read a file's documents, in order; blank ones are no documents.

    Raises:
        PenstockError: damaged, or not what it looks like.
    """
    if opened.column:
        yield from _read_rows(opened, reject)
        return
    with opened.file.open() as stream:
        encoding = "utf-8-sig" if opened.encoding == "utf-8" else opened.encoding
        text = io.TextIOWrapper(stream, encoding=encoding)
        if kind == "file":
            yield from _whole(opened.file.name, text)
        elif kind == "line":
            for number, line in enumerate(text, 1):
                if stripped := line.strip():
                    yield Piece(f"{opened.file.name}:{number}", stripped, True)
        else:
            yield from _paragraphs(opened.file.name, text)


def _whole(name: str, text: io.TextIOWrapper) -> Iterator[Piece]:
    """A file as one document; pieces end at the ends of lines, so that no word is divided."""
    piece = text.read(PIECE) + text.readline(PIECE)
    while piece:
        following = text.read(PIECE)
        following += text.readline(PIECE) if following else ""
        yield Piece(name, piece, not following)
        piece = following


def _paragraphs(name: str, text: io.TextIOWrapper) -> Iterator[Piece]:
    lines: list[str] = []
    first = 0
    for number, line in enumerate(text, 1):
        if line.strip():
            first = first if lines else number
            lines.append(line)
        elif lines:
            yield Piece(f"{name}:{first}", "".join(lines).rstrip("\n"), True)
            lines = []
    if lines:
        yield Piece(f"{name}:{first}", "".join(lines).rstrip("\n"), True)


def _read_rows(opened: Opened, reject: Reject) -> Iterator[Piece]:
    file = opened.file
    for block in _blocks(opened, reject):
        for line, text in zip(block.lines, block.columns[opened.column].to_pylist(), strict=True):
            if text.strip():
                yield Piece(f"{file.name}:{line}", text.replace("\r\n", "\n").strip(), True)


def _blocks(opened: Opened, reject: Reject) -> Iterator[Block]:
    file = opened.file
    if file.kind == ".parquet":
        return read_parquet(file, [opened.column])
    layout = sniff(file)

    def named(line: int, reason: str) -> None:
        reject(f"{file.name}:{line}", reason)

    return read_delimited(file, layout, layout.first, True, [opened.column], named)
