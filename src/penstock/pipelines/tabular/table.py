"""Which file of a source is the table, and its rows as text."""

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from ...kinds.tables.delimited import (
    Block,
    Layout,
    Reject,
    parquet_columns,
    read_delimited,
    read_parquet,
    sniff,
)
from ...kinds.tables.raw_files import RawFile
from ...kinds.tables.values import read_numbers
from ...messages.errors import PenstockError

KINDS = (".csv", ".tsv", ".txt", ".data", ".dat", ".parquet")
OTHERS = ("readme", "license", "source", "schema")
MOST_NUMBERS = 0.5  # share of a header: a year may be the name of a column
THOUSANDS = r"^\s*[+-]?\d{1,3}(,\d{3})+(\.\d+)?\s*$"
UNNAMED = "unnamed"  # the column of row numbers that pandas writes has no name


class Table:
    """A table with a header: its columns, and its rows as often as they are asked for."""

    def __init__(self, file: RawFile) -> None:
        """Look at the first line.

        Raises:
            PenstockError: no table, two columns of one name, or no header.
        """
        self.file = file
        self.layout: Layout | None = None if file.kind == ".parquet" else sniff(file)
        first = parquet_columns(file) if self.layout is None else self.layout.first
        self.names = [name or UNNAMED for name in first]
        for name in self.names:
            if self.names.count(name) > 1:
                raise PenstockError(
                    f"{file.name}: two columns named {name}; expected one; rename one"
                )
        numeric = read_numbers(pa.array(self.names))[1]
        if self.layout and numeric.mean() >= MOST_NUMBERS:
            raise PenstockError(
                f"{file.name}: no header: the first line has numbers ({', '.join(first[:5])}); "
                "expected the names of the columns; add a line with them"
            )

    def blocks(self, wanted: list[str], reject: Reject) -> Iterator[Block]:
        """Read some columns; `reject` is told the line of what is no row, and why.

        Where commas part the columns, those of 1,234 part thousands; elsewhere 1,234 is 1.234.
        """
        if self.layout is None:
            yield from read_parquet(self.file, wanted)
            return
        blocks = read_delimited(self.file, self.layout, self.names, True, wanted, reject)
        for block in blocks:
            if self.layout.delimiter == ",":
                columns = {name: _join_thousands(it) for name, it in block.columns.items()}
                yield Block(block.lines, columns)
            else:
                yield block


def _join_thousands(values: pa.Array) -> pa.Array:
    if not pc.any(pc.match_substring(values, ",")).as_py():
        return values
    parted = pc.match_substring_regex(values, THOUSANDS)
    return pc.if_else(parted, pc.replace_substring(values, ",", ""), values)


def find_table(files: list[RawFile], source: str) -> RawFile:
    """The one table among the files of a source.

    Raises:
        PenstockError: there is none, or more than one.
    """
    tables = [it for it in files if it.kind in KINDS and it.stem not in OTHERS]
    train = [it for it in tables if it.stem == "train"]
    if len(tables) == 1:
        return tables[0]
    there = ", ".join(it.name for it in tables or files) or "nothing"
    hint = ", or at train alone: it is split here" if train else ""
    raise PenstockError(
        f"{source}: {len(tables)} tables ({there}); expected one, {', '.join(KINDS)}, also as .gz "
        f"or in a .zip; point source at the file itself{hint}"
    )
