"""From the text of values to numbers and times, and from ids to indices."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MISSING = ("", "na", "n/a", "nan", "null", "none", "?", "-")  # in small letters
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


def trim(values: pa.Array) -> pa.Array:
    """Text without white space around it; nothing at all is empty text."""
    return pc.utf8_trim_whitespace(values.fill_null(""))


def find_missing(values: pa.Array) -> np.ndarray:
    """Which values, trimmed, say that there is none."""
    lower = pc.utf8_lower(values)
    found = pc.is_in(lower, value_set=pa.array(MISSING)).to_numpy(zero_copy_only=False)
    return np.asarray(found, bool)


def usual_order(name: str) -> tuple[int, float, str]:
    """What to sort names of classes by: numbers by size, then words by the alphabet."""
    try:
        return 0, float(name), name
    except ValueError:
        return 1, 0.0, name


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


def shorten(text: str) -> str:
    """At most 60 characters of a value, for a message."""
    return text if len(text) <= 60 else f"{text[:57]}..."
