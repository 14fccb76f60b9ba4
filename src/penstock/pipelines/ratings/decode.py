"""From the text of rows to numbers, and from ids to the indices a network knows."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
DECIMAL_COMMA = r"^([+-]?\d*),(\d+)$"
# Dates as they are usual: form -> ISO 8601. 3/4/2021 is not among them: it is March or April.
DATES = {
    r"^(\d)\.": r"0\1.",
    r"^(\d\d)\.(\d)\.": r"\1.0\2.",
    r"^(\d\d)\.(\d\d)\.(\d{4})": r"\3-\2-\1",
    r"^(\d{4})/(\d\d)/(\d\d)": r"\1-\2-\3",
}
MILLISECONDS = 1e11  # times above this many are taken for milliseconds: as seconds, the year 5138

Reject = Callable[[int, str], None]


class Ids:
    """Gives each id, in order of appearance, the next index."""

    def __init__(self) -> None:
        self.index: dict[str, int] = {}

    def encode(self, ids: pa.Array) -> np.ndarray:
        """Indices of ids, int32, new ones included."""
        encoded = ids.dictionary_encode()
        seen = self.index
        of_distinct = [seen.setdefault(one, len(seen)) for one in encoded.dictionary.to_pylist()]
        return np.asarray(of_distinct, np.int32)[encoded.indices.to_numpy(zero_copy_only=False)]


def read_numbers(values: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Text as float64, and which of it are finite numbers; 3,5 is 3.5."""
    try:
        numbers = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid:
        values = pc.replace_substring_regex(values, DECIMAL_COMMA, r"\1.\2")
        usable = pc.match_substring_regex(values, NUMBER)
        kept = pc.if_else(usable, values, pa.scalar(None, pa.string()))
        numbers = kept.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return numbers, np.isfinite(numbers)


def read_times(values: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Text as whole seconds since 1970 (int64), and which of it are times.

    A time is a number of seconds or milliseconds, ISO 8601, 31.12.2021 or 2021/12/31.
    """
    numbers, good = read_numbers(values)
    if not good.all():
        for form, iso in DATES.items():
            values = pc.replace_substring_regex(values, form, iso)
        shorter = pc.replace_substring_regex(values, r"(:\d\d)\.\d+(Z|\+00:00)?$", r"\1")
        shorter = pc.replace_substring_regex(shorter, r"(Z|\+00:00)$", "")
        usable = pc.match_substring_regex(shorter, r"^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?)?$")
        kept = pc.if_else(usable, shorter, pa.scalar(None, pa.string()))
        try:
            seconds = kept.cast(pa.timestamp("s")).cast(pa.int64())
        except pa.ArrowInvalid:  # the 31st of February, say: looked at one by one
            seconds = pa.array([_seconds(text) for text in kept.to_pylist()], pa.int64())
        calendar = seconds.cast(pa.float64()).to_numpy(zero_copy_only=False)
        numbers = np.where(good, numbers, calendar)
        good = np.isfinite(numbers)
    numbers = np.where(np.abs(numbers) > MILLISECONDS, numbers / 1000, numbers)
    good &= np.abs(numbers) < 2.0**62
    return np.where(good, numbers, 0).astype(np.int64), good


def _seconds(text: str | None) -> int | None:
    try:
        return None if text is None else int(np.datetime64(text, "s").astype(np.int64))
    except ValueError:
        return None


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


def shorten(text: str) -> str:
    """At most 60 characters of a value, for a message."""
    return text if len(text) <= 60 else f"{text[:57]}..."
