"""What must be true of a table before anything learns from it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from ...datasets import profile
from ...datasets.expectations import enough_examples, few_rejected
from ...pipeline import Expectation
from .columns import MOST_CATEGORIES
from .params import Params

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset

CHUNK = 2**16  # rows looked at at a time
SAMPLE = 50_000  # rows, at least, that a median is taken of
TINY = 1e-9


def tables(dataset: "Dataset") -> dict[str, pd.DataFrame]:
    """Derive the tables that expectations speak of.

    Returns:
        Those of `datasets.profile`, and `columns`, a row for each: column, type, lowest, highest,
        outside (share of its values that are out of range, or categories not known), missing
        (share), unusual (how much more is missing than usual) and moved (how far the median is from
        where it may be, in spans of that). `totals`, one row: pinned, and
        different (values of the target in the training split).
    """
    info, rows = dataset.info, np.arange(dataset.info["examples"])
    features = dataset.array("features")
    some = np.asarray(features[:: max(1, len(rows) // SAMPLE)])
    found = [
        _Column(name, it, some[:, place])
        for place, (name, it) in enumerate(info["columns"].items())
    ]
    for start in range(0, len(rows), CHUNK):
        part = np.asarray(features[start : start + CHUNK])
        for place, column in enumerate(found):
            column.look(part[:, place])
    target = "label" if info["task"] == "classification" else "target"
    learned = dataset.columns(target)[target][dataset.rows("train")]
    totals = {"pinned": info["pinned"], "different": len(np.unique(learned))}
    nothing = pd.DataFrame({"split": [], "label": [], "examples": []})
    return {
        "classes": nothing,  # where the target is a number
        **profile.tables(dataset),
        "columns": pd.DataFrame([it.row() for it in found]),
        "totals": pd.DataFrame([totals]),
    }


class _Column:
    """What a column's values are, of all rows."""

    def __init__(self, name: str, pinned: dict[str, Any], some: np.ndarray) -> None:
        self.name, self.pinned = name, pinned
        self.moved = _distance(some[np.isfinite(some)].astype(np.float64), *pinned["median"])
        self.rows = self.missing = self.outside = 0
        self.lowest, self.highest = np.inf, -np.inf

    def look(self, values: np.ndarray) -> None:
        self.rows += len(values)
        if self.pinned["type"] == "category":
            known = len(self.pinned["values"])
            self.missing += int((values == known + 1).sum())
            self.outside += int((values == known).sum()) * self._is_whole()
            return
        there = values[np.isfinite(values)].astype(np.float64)
        self.missing += len(values) - len(there)
        if len(there):
            low, high = self.pinned["range"]
            self.outside += int((there < (-np.inf if low is None else low)).sum())
            self.outside += int((there > (np.inf if high is None else high)).sum())
            self.lowest = min(self.lowest, float(there.min()))
            self.highest = max(self.highest, float(there.max()))

    def _is_whole(self) -> bool:
        """Whether all categories are told apart: else others are usual."""
        return len(self.pinned["values"]) < MOST_CATEGORIES

    def row(self) -> dict[str, Any]:
        there = max(1, self.rows - self.missing)
        missing = self.missing / self.rows
        measured = np.isfinite(self.lowest)
        return {
            "column": self.name,
            "type": self.pinned["type"],
            "lowest": self.lowest if measured else None,
            "highest": self.highest if measured else None,
            "outside": self.outside / there,
            "missing": missing,
            "unusual": max(0.0, missing - self.pinned["missing"]),
            "moved": self.moved,
        }


def _distance(values: np.ndarray, low: float | None, high: float | None) -> float:
    """How far the median of values is from where it may be, in spans of that; 0 if it is there."""
    if low is None or high is None or not len(values):
        return 0.0
    median = float(np.median(values))
    beyond = max(low - median, median - high)
    return beyond / max(high - low, TINY) if beyond > TINY * abs(median) else 0.0


def expectations(params: Params) -> Iterator[Expectation]:
    """Yield every expectation, in the order a person should read them."""
    limits, remedy = params.expectations, "add rows, or change the shares"
    yield from enough_examples(limits.min_examples, remedy)
    yield Expectation(
        "totals",
        "expect_column_values_to_be_between",
        {"column": "different", "min_value": 2},
        "the target has two values or more in the training split: else there is nothing to learn",
    )
    # What is found out anew, from the training split, says little against the others.
    severity: Literal["critical", "warning"] = "critical" if params.data.columns else "warning"
    pin = "`penstock look tabular --pin` pins what this data has"
    for column, what in (
        ("outside", "values keep to the range, or are among the categories"),
        ("unusual", "no more values are missing than is usual"),
    ):
        yield Expectation(
            "columns",
            "expect_column_values_to_be_between",
            {"column": column, "max_value": limits.max_outside_share},
            f"{what}, that params.yaml pins: has the unit changed, or the meaning? {pin}",
            severity=severity,
            setting="expectations.max_outside_share",
        )
    yield Expectation(
        "columns",
        "expect_column_values_to_be_between",
        {"column": "moved", "max_value": 0},
        "the median of a column is where it was between the quartiles of what was pinned: else the "
        f"unit or the meaning has changed; {pin}",
        severity=severity,
    )
    yield Expectation(
        "totals",
        "expect_column_values_to_be_in_set",
        {"column": "pinned", "value_set": [True]},
        f"columns are pinned, so that one that vanishes or changes stops the pipeline; {pin}",
        severity="warning",
    )
    yield Expectation(
        "classes",
        "expect_column_values_to_be_between",
        {"column": "examples", "min_value": 1},
        "no class is missing in a split; add rows of it, or take others out",
        severity="warning",
    )
    yield Expectation(
        "contents",
        "expect_column_values_to_be_between",
        {"column": "splits", "max_value": 1},
        "no row sits in two splits: the test would measure memory",
        # Where groups or times decide, equal rows may be of two.
        severity="warning" if params.data.group or params.data.split == "time" else "critical",
    )
    if params.data.group:
        yield Expectation(
            "groups",
            "expect_column_values_to_be_between",
            {"column": "splits", "max_value": 1},
            "no group sits in two splits",
        )
    yield from few_rejected("row", limits.max_rejected_share)
