"""Which column of a table is user, item, rating or time: for ingest and predict alike."""

from collections.abc import Iterator

from ...datasets.delimited import Block
from ...errors import PenstockError

ALIASES = {
    "user": ("user_id", "userid", "user", "uid", "customer_id"),
    "item": ("item_id", "video_id", "movie_id", "itemid", "videoid", "movieid", "item", "movie"),
    "rating": ("rating", "score", "stars"),
    "time": ("timestamp", "time", "date"),
    "reference": (),
}


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
    small = {name.lower(): name for name in there}
    for role, aliases in ALIASES.items():
        names = [named.get(role), *(small[alias] for alias in aliases if alias in small)]
        chosen = next((name for name in names if name in there), None)
        if chosen is not None:
            found[role] = chosen
    return found


def renamed(blocks: Iterator[Block], columns: dict[str, str]) -> Iterator[Block]:
    """Blocks with their columns named by role."""
    for block in blocks:
        yield Block(block.lines, {ours: block.columns[theirs] for ours, theirs in columns.items()})
