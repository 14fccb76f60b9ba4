"""Which column of a table is user, item, rating or time: for ingest and predict alike."""

import re
from collections.abc import Iterator

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
from ...messages.errors import PenstockError

# What columns are called, in small letters and without what stands between words.
ALIASES = {
    "user": ("userid", "user", "uid", "customerid", "reviewerid", "memberid", "accountid"),
    "item": (
        *("itemid", "item", "movieid", "movie", "videoid", "bookid", "isbn", "asin", "productid"),
        *("animeid", "artistid", "songid", "trackid", "gameid", "recipeid", "beerid", "jokeid"),
        *("businessid", "profileid"),
    ),
    "rating": ("rating", "score", "stars", "overall", "bookrating", "userrating", "rate"),
    "time": ("timestamp", "time", "date", "datetime", "unixreviewtime", "reviewtime", "ratingdate"),
    "reference": (),
}
BETWEEN = re.compile(r"[\s_.-]+")


def match_columns(there: list[str], named: dict[str, str], file: str) -> dict[str, str]:
    """Find the column of each role: the one that is named for it, else by what it is often called.

    Args:
        there: the columns of the table.
        named: role -> its column, if somebody said so.
        file: for messages.

    Raises:
        PenstockError: two columns have one name.
    """
    for name in there:
        if there.count(name) > 1:
            raise PenstockError(f"{file}: two columns named {name}; expected one; rename one")
    found: dict[str, str] = {}
    small = {BETWEEN.sub("", name).lower(): name for name in there}
    for role, aliases in ALIASES.items():
        names = [named.get(role), *(small[alias] for alias in aliases if alias in small)]
        chosen = next((name for name in names if name in there), None)
        if chosen is not None:
            found[role] = chosen
    return found


def look(file: RawFile) -> tuple[Layout | None, list[str]]:
    """How a table is laid out, None for Parquet, and the names of its columns or its first row."""
    if file.kind == ".parquet":
        return None, parquet_columns(file)
    layout = sniff(file)
    return layout, layout.first


def read_columns(
    file: RawFile,
    layout: Layout | None,
    names: list[str],
    header: bool,
    columns: dict[str, str],
    reject: Reject,
) -> Iterator[Block]:
    """Read a table's columns, named by role.

    Args:
        file: the table.
        layout: as `look` found it.
        names: all its columns.
        header: whether its first line names them.
        columns: role -> column.
        reject: is told the line of what is no row, and why.
    """
    wanted = list(columns.values())
    if layout is None:
        blocks = read_parquet(file, wanted)
    else:
        blocks = read_delimited(file, layout, names, header, wanted, reject)
    for block in blocks:
        yield Block(block.lines, {role: block.columns[name] for role, name in columns.items()})
