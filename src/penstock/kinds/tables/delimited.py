"""Tables as delimited text or Parquet, read as a stream; a row that is no row has its line named.

Every value arrives as text, as it stands in the file: what it means is for the reader to say.
"""

import codecs
import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from ...messages.errors import PenstockError, raise_if_temporary
from .raw_files import RawFile

BLOCK = 2**24  # bytes of text, or about as much of Parquet, held at a time
FIRST = 2**16  # bytes in which the first line must end
DELIMITERS = ("::", "\t", ",", ";", "|")  # and a space, where none of these is there
STAND_IN = "\x1f"  # for `::`, since Arrow takes delimiters of one byte only
BOMS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16", codecs.BOM_UTF8: "utf-8-sig"}

WESTERN = "cp1252"
DAMAGED = 0.03  # share of lines: fewer that are not UTF-8 are damaged

Reject = Callable[[int, str], None]


@dataclass(frozen=True)
class Block:
    """Rows of a table.

    Attributes:
        lines: where each stands in its file, from 1; a header is line 1.
        columns: name -> values as text, one for each row.
    """

    lines: np.ndarray
    columns: dict[str, pa.Array]


@dataclass(frozen=True)
class Layout:
    """How a file of delimited text is laid out: found by its first line."""

    delimiter: str
    first: list[str]
    encoding: str

    @property
    def arrow_delimiter(self) -> str:
        """The delimiter of one byte that Arrow sees."""
        return STAND_IN if len(self.delimiter) > 1 else self.delimiter


def sniff(file: RawFile) -> Layout:
    """Look at the first line of a file of delimited text.

    Raises:
        PenstockError: it is empty, or its first line is no text.
    """
    with file.open() as stream:
        head = stream.read(FIRST)
    if not head.strip():
        raise PenstockError(f"{file.name}: empty; expected a table with a row per line")
    encoding = next((name for bom, name in BOMS.items() if head.startswith(bom)), "")
    encoding = encoding or _guess_encoding(file, head)
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head)
    lines = text.lstrip().splitlines()
    if "\0" in lines[0]:
        raise PenstockError(
            f"{file.name}: no text, its first line has NUL bytes; expected a table as text (UTF-8, "
            "or UTF-16 with its mark), or .parquet; convert it, with iconv say"
        )
    delimiter = max(DELIMITERS, key=lambda it: (lines[0].count(it), -DELIMITERS.index(it)))
    if delimiter not in lines[0]:
        delimiter = " "
    return Layout(delimiter, _split(lines[0], delimiter), encoding)


def _guess_encoding(file: RawFile, head: bytes) -> str:
    """UTF-8, unless nothing beyond ASCII is UTF-8: then Windows' Western European, and it is said.

    Few lines that are not UTF-8, or some among others that are, are damaged.
    """
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(head)
    lines = text.splitlines()
    strange = sum("\ufffd" in line for line in lines)
    letters = {letter for letter in text if letter > "\x7f"}
    if letters != {"\ufffd"} or strange < DAMAGED * len(lines):
        return "utf-8"
    print(f"  {file.name} is not UTF-8: read as {WESTERN}")
    return WESTERN


def _split(line: str, delimiter: str) -> list[str]:
    if len(delimiter) > 1:
        return [value.strip() for value in line.split(delimiter)]
    return [value.strip() for value in next(csv.reader([line], delimiter=delimiter))]


def read_delimited(
    file: RawFile, layout: Layout, names: list[str], header: bool, wanted: list[str], reject: Reject
) -> Iterator[Block]:
    """Read some columns of delimited text.

    Args:
        file: the file.
        layout: how it is laid out.
        names: all its columns, in order.
        header: whether its first line names them.
        wanted: the columns to read.
        reject: is told the line of what is no row, and why.

    Raises:
        PenstockError: damaged, or not the text it looks like.
    """
    bad: list[int] = []

    def skip(row: pyarrow.csv.InvalidRow) -> str:
        if row.text.strip():
            reject(row.number, f"{row.actual_columns} values; expected {row.expected_columns}")
        bad.append(row.number)
        return "skip"

    plain = layout.delimiter in ("::", "\t")  # quotes are letters there
    with file.open() as raw:
        stream = raw if len(layout.delimiter) == 1 else _StandIns(raw)
        try:
            reader = pyarrow.csv.open_csv(
                pa.PythonFile(stream, mode="r"),
                pyarrow.csv.ReadOptions(
                    block_size=BLOCK,
                    column_names=names,
                    skip_rows=int(header),
                    encoding=layout.encoding.removesuffix("-sig"),
                    use_threads=False,  # only then are lines numbered
                ),
                pyarrow.csv.ParseOptions(
                    delimiter=layout.arrow_delimiter,
                    quote_char=False if plain else '"',
                    ignore_empty_lines=False,
                    invalid_row_handler=skip,
                ),
                pyarrow.csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.binary()),
                    include_columns=wanted,
                ),
            )
            yield from _numbered(reader, 1 + header, bad, reject)
        except pa.ArrowInvalid as error:
            if "Empty CSV" in str(error):
                return
            raise PenstockError(
                f"{file.name}: {error}; expected text with the delimiter {layout.delimiter!r} and "
                f"the columns {', '.join(names)}; mend the file"
            ) from None
        except UnicodeError as error:
            raise PenstockError(f"{file.name}: {error}; expected UTF-8; convert it") from None


def _numbered(
    batches: Iterator[pa.RecordBatch], first: int, bad: list[int], reject: Reject
) -> Iterator[Block]:
    """Give the rows of each batch their lines: all but the bad ones, in order."""
    line, passed = first, 0
    for batch in batches:
        count = batch.num_rows
        lines = np.arange(line, line + count + len(bad) - passed, dtype=np.int64)
        lines = lines[~np.isin(lines, bad[passed:])][:count]
        if count:
            line = int(lines[-1]) + 1
        while passed < len(bad) and bad[passed] < line:
            passed += 1
        good, columns = _as_text(batch, lines, reject)
        yield Block(lines[good], columns)


def _as_text(
    batch: pa.RecordBatch, lines: np.ndarray, reject: Reject
) -> tuple[np.ndarray, dict[str, pa.Array]]:
    """Bytes as text, without blank lines and rows that are no text. Answers which are good."""
    good = ~_blank(batch)
    kept = batch if good.all() else batch.filter(pa.array(good))
    try:
        return good, {name: kept[name].cast(pa.string()) for name in kept.schema.names}
    except pa.ArrowInvalid:
        pass
    columns = (batch[name].to_pylist() for name in batch.schema.names)
    for row, values in enumerate(zip(*columns, strict=True)):
        try:
            b"".join(values).decode()
        except UnicodeDecodeError as error:
            reject(int(lines[row]), f"not UTF-8: {error.reason}")
            good[row] = False
    kept = batch.filter(pa.array(good))
    return good, {name: kept[name].cast(pa.string()) for name in kept.schema.names}


def _blank(batch: pa.RecordBatch) -> np.ndarray:
    blank = np.ones(batch.num_rows, bool)
    for name in batch.schema.names:
        blank &= pc.binary_length(batch[name]).to_numpy(zero_copy_only=False) == 0
    return blank


class _StandIns(io.RawIOBase):
    """A stream with `::` replaced by a delimiter of one byte."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.stream = stream

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Read so many bytes, and one more after a `:`, which may be half a delimiter."""
        content = self.stream.read(size)
        if content.endswith(b":") and not content.endswith(b"::"):
            content += self.stream.read(1)
        return content.replace(b"::", STAND_IN.encode())


def read_parquet(file: RawFile, wanted: list[str]) -> Iterator[Block]:
    """Read some columns of a Parquet file; numbers and times become text.

    Raises:
        PenstockError: no Parquet file, or in an archive.
    """
    try:
        reader = pq.ParquetFile(file.path)
        line = 1
        for batch in reader.iter_batches(batch_size=BLOCK // 64, columns=wanted):
            lines = np.arange(line, line + batch.num_rows, dtype=np.int64)
            line += batch.num_rows
            columns = {name: _parquet_text(batch[name]) for name in wanted}
            yield Block(lines, columns)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise PenstockError(
            f"{file.name}: {error}; expected a Parquet file of its own; write it again"
        ) from None


def _parquet_text(values: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    return values.cast(pa.string()).fill_null("")


def parquet_columns(file: RawFile) -> list[str]:
    """The columns of a Parquet file."""
    try:
        return list(pq.read_schema(file.path).names)
    except (pa.ArrowInvalid, OSError) as error:
        raise_if_temporary(error, file.name)
        raise PenstockError(f"{file.name}: {error}; expected a Parquet file") from None
