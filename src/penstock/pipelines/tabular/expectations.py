"""What must be true of a table before anything learns from it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from ...datasets import profile
from ...datasets.expectations import enough_examples, few_rejected, one_split
from ...pipeline import Expectation
from .columns import MOST_CATEGORIES
from .params import Params

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset

TINY = 1e-9


def tables(dataset: "Dataset") -> dict[str, pd.DataFrame]:
    """Derive the tables that expectations speak of.

    Returns:
        Those of `datasets.profile`, and `columns`, a row for each: column, type, lowest, highest,
        outside (share of its values that are out of range, or categories not known), missing
        (share), unusual (how much more is missing than usual) and moved (how far the median is from
        where it may be, in spans of that). `totals`, one row: pinned, and different (values of the
        target in the training split).
    """
    info, features = dataset.info, dataset.array("features")
    columns = [
        {"column": name, "type": pinned["type"], **_describe(features[:, place], pinned)}
        for place, (name, pinned) in enumerate(info["columns"].items())
    ]
    target = "label" if info["task"] == "classification" else "target"
    learned = dataset.columns(target)[target][dataset.rows("train")]
    totals = {"pinned": info["pinned"], "different": len(np.unique(learned))}
    nothing = pd.DataFrame({"split": [], "label": [], "examples": []})
    return {
        "classes": nothing,  # where the target is a number
        **profile.tables(dataset),
        "columns": pd.DataFrame(columns),
        "totals": pd.DataFrame([totals]),
    }


def _describe(values: np.ndarray, pinned: dict[str, Any]) -> dict[str, Any]:
    """What a column's values are, beside what is pinned of it."""
    found: dict[str, Any] = {"lowest": None, "highest": None, "moved": 0.0}
    if pinned["type"] == "category":
        known = len(pinned["values"])
        missing, other = (float((values == code).mean()) for code in (known + 1, known))
        # Where only the most frequent are told apart, others are usual.
        found["outside"] = other / max(TINY, 1 - missing) if known < MOST_CATEGORIES else 0.0
    else:
        there = values[np.isfinite(values)].astype(np.float64)
        missing = 1 - len(there) / len(values)
        low, high = pinned["range"]
        below = there < (-np.inf if low is None else low)
        above = there > (np.inf if high is None else high)
        found["outside"] = float((below | above).sum()) / max(1, len(there))
        if len(there):
            found |= {"lowest": float(there.min()), "highest": float(there.max())}
            found["moved"] = _distance(float(np.median(there)), *pinned["median"])
    return {**found, "missing": missing, "unusual": max(0.0, missing - pinned["missing"])}


def _distance(median: float, low: float | None, high: float | None) -> float:
    """How far a median is from where it may be, in spans of that; 0 if it is there."""
    if low is None or high is None:
        return 0.0
    beyond = max(low - median, median - high, 0.0)
    return beyond / max(high - low, TINY)


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
    # Where groups or times decide, equal rows may be of two.
    shared = params.data.group or params.data.split == "time"
    yield from one_split("contents", "row", "warning" if shared else "critical")
    if params.data.group:
        yield from one_split("groups", "group")
    yield from few_rejected("row", limits.max_rejected_share)
