"""From the text of rows to numbers, and from ids to the indices a network knows."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...kinds.tables.values import read_numbers, read_times, shorten

Reject = Callable[[int, str], None]


@dataclass(frozen=True)
class Rows:
    """Rows that were taken: ids as text; line, rating (float32), time (int64), reference."""

    users: pa.Array
    items: pa.Array
    numbers: dict[str, np.ndarray]


def decode_rows(
    lines: np.ndarray, columns: dict[str, pa.Array], scale: tuple[float, float], reject: Reject
) -> Rows:
    """Read what rows say; those that cannot be taken are rejected by line, with the reason.

    Args:
        lines: where each row stands.
        columns: text of `user`, `item`, `rating` and, where there are, `time` and `reference`.
        scale: lowest and highest rating.
        reject: is told line and reason.
    """
    columns = {name: pc.utf8_trim_whitespace(values) for name, values in columns.items()}
    ratings, numeric = read_numbers(columns["rating"])
    within = numeric & (ratings >= scale[0]) & (ratings <= scale[1])
    times, timed = np.zeros(len(lines), np.int64), np.ones(len(lines), bool)
    if "time" in columns:
        times, timed = read_times(columns["time"])
    named = {
        name: np.asarray(pc.not_equal(columns[name], "")).astype(bool) for name in ("user", "item")
    }
    good = named["user"] & named["item"] & within & timed
    for row in np.flatnonzero(~good):
        reject(int(lines[row]), _explain(int(row), columns, named, numeric, within, scale))
    keep = pa.array(good)
    numbers = {"line": lines[good], "rating": ratings[good].astype(np.float32), "time": times[good]}
    if "reference" in columns:
        numbers["reference"] = read_numbers(columns["reference"])[0][good].astype(np.float32)
    return Rows(columns["user"].filter(keep), columns["item"].filter(keep), numbers)


def _explain(
    row: int,
    columns: dict[str, pa.Array],
    named: dict[str, np.ndarray],
    numeric: np.ndarray,
    within: np.ndarray,
    scale: tuple[float, float],
) -> str:
    for name, given in named.items():
        if not given[row]:
            return f"no {name}"
    rating = shorten(columns["rating"][row].as_py())
    if not numeric[row]:
        return f"rating {rating!r} is no finite number" if rating else "no rating"
    if not within[row]:
        return f"rating {rating} is not on the scale of {scale[0]:g} to {scale[1]:g} (data.scale)"
    time = shorten(columns["time"][row].as_py())
    return f"time {time!r} is neither seconds nor ISO 8601 (2021-12-31)"
