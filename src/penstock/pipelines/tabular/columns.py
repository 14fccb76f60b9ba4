"""What the columns of a table are, found out from all rows."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...kinds.tables.values import find_missing, trim
from .decode import read_plain_numbers, read_values

MOST_READABLE = 0.95  # share of values that must be numbers, say, for the column to be of numbers
MOST_CATEGORIES = 100  # the most frequent are told apart
TEXT_SHARE = 0.05  # of rows: more different values than that, and than 100, are names or free text
COUNTED = 100_000  # different values that are counted
FEW_NUMBERS = 20  # different whole numbers, at most, that are taken for classes
MARGIN = 0.1  # of the span: how far new numbers may be beyond those learned from


@dataclass
class Evidence:
    """What was seen of a column so far."""

    rows: int = 0
    missing: int = 0
    readable: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    whole: bool = True
    ordinal: bool = True
    start: float | None = None

    def look(self, values: pa.Array) -> None:
        """Count what a block's values could be."""
        plain = read_plain_numbers(values)
        if plain is not None:
            missing = np.isnan(plain)
            self.readable["number"] += int((~missing).sum())
            self._look_at_numbers(plain[~missing], missing.any())
        else:
            values = trim(values)
            missing = find_missing(values)
            self._look_at_texts(values.filter(pa.array(~missing)))
        if plain is not None and self.whole and len(self.counts) < COUNTED:
            self._count(values.filter(pa.array(~missing)))
        self.rows += len(values)
        self.missing += int(missing.sum())

    def _look_at_numbers(self, numbers: np.ndarray, gaps: bool) -> None:
        self.whole = self.whole and bool((numbers == np.rint(numbers)).all())
        if self.ordinal and len(numbers):
            start = numbers[0] - self.rows if self.start is None else self.start
            expected = start + self.rows + np.arange(len(numbers))
            self.ordinal = not gaps and bool((numbers == expected).all())
            self.start = start

    def _look_at_texts(self, values: pa.Array) -> None:
        """Count what each different text could be, as often as it is there."""
        self.ordinal = False
        counted = pc.value_counts(values)
        texts, times = counted.field("values"), counted.field("counts").to_numpy()
        numbers, numeric = read_values(texts, "number")
        self.readable["number"] += int(times[numeric].sum())
        self.whole &= bool((numbers[numeric] == np.rint(numbers[numeric])).all())
        for kind in ("boolean", "date"):
            self.readable[kind] += int(times[read_values(texts, kind)[1]].sum())
        if len(self.counts) < COUNTED:
            self._count(values)

    def _count(self, values: pa.Array) -> None:
        counted = pc.value_counts(values)
        names, times = counted.field("values").to_pylist(), counted.field("counts").to_pylist()
        self.counts.update(dict(zip(names, times, strict=True)))

    @property
    def type(self) -> str:
        """What the values are: number, boolean, date, category, or text, which is left out."""
        there = self.rows - self.missing
        for kind in ("number", "boolean", "date"):
            if there and self.readable[kind] >= MOST_READABLE * there:
                return kind
        most = min(COUNTED, TEXT_SHARE * there)
        many = len(self.counts) > MOST_CATEGORIES and len(self.counts) >= most
        return "text" if many else "category"

    @property
    def is_classes(self) -> bool:
        """Whether a target of these values is one of classes."""
        if self.type != "number":
            return True
        return self.whole and len(self.counts) <= FEW_NUMBERS

    @property
    def flaw(self) -> str:
        """Why nothing can be learned from the column, or nothing."""
        there = self.rows - self.missing
        if not there:
            return "no values"
        if self.type == "text":
            return f"names, ids or free text: {len(self.counts):,} different in {there:,} rows"
        if self.type == "number" and self.ordinal and self.rows > MOST_CATEGORIES:
            return "the number of the row"
        return ""


def describe_column(kind: str, values: np.ndarray, names: list[str]) -> dict[str, Any]:
    """Pin a column: what its values are in the rows learned from.

    Args:
        kind: its type.
        values: float32, shape (rows,), NaN where missing; for a category indices of `names`, -1
            where missing.
        names: of categories.

    Returns:
        type, range, median, values and missing, as `params.Column` has them.
    """
    if kind == "category":
        missing = float((values < 0).mean())
        counts = np.bincount(values[values >= 0].astype(int), minlength=len(names))
        order = np.argsort(-counts, kind="stable")[:MOST_CATEGORIES]
        kept = [names[place] for place in order if counts[place]]
        nothing = [None, None]
        limits = {"range": nothing, "median": nothing, "values": kept}
        return {"type": kind, **limits, "missing": _limit(missing)}
    there = values[np.isfinite(values)].astype(np.float64)
    low, high = (float(there.min()), float(there.max())) if len(there) else (0.0, 0.0)
    span = high - low
    # The median of other rows lies between these rows' quartiles, unless something has changed.
    first, third = np.quantile(there, [0.25, 0.75]) if len(there) else (0.0, 0.0)
    found: dict[str, list[float] | list[None]] = {
        "range": _outward(low - MARGIN * span, high + MARGIN * span, span),
        "median": _outward(first, third, span),
    }
    if kind == "boolean":
        found = {key: [None, None] for key in found}
    missing = 1 - len(there) / max(1, len(values))
    return {"type": kind, **found, "values": [], "missing": _limit(missing)}


def _limit(missing: float) -> float:
    """The share of missing values that is still usual: twice what was seen, rounded up."""
    return min(1.0, float(np.ceil(200 * missing) / 100))


def _outward(low: float, high: float, span: float) -> list[float]:
    """Two limits, rounded away from each other to a hundredth or less of a span."""
    if not span:
        return [float(low), float(high)]
    digits = 2 - int(np.floor(np.log10(span)))
    step = 10.0**-digits
    return [
        round(float(np.floor(low / step)) * step, digits),
        round(float(np.ceil(high / step)) * step, digits),
    ]
