"""What must be true of the ratings before anything learns from them: of totals, not row by row."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...datasets.expectations import enough_examples, few_rejected
from ...datasets.profile import count_rejected, count_splits
from ...pipeline import Expectation
from .params import Params

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset

YEAR = 365.2425 * 86400  # seconds


def tables(dataset: "Dataset") -> dict[str, pd.DataFrame]:
    """Derive the tables that expectations speak of.

    Returns:
        `splits`: split, examples, users, items, mean, cold (share of ratings whose user or item
        the training split lacks). `values`: rating, examples, share. `totals`, one row: users,
        items, nulls, lowest, highest, per_user and per_item (mean ratings in the training split),
        largest_share (of one value), repeated (share of rows). `times`, one row if there are any:
        earliest and latest (years). `rejected`: found, rejected, share, repeats not counted.
    """
    names = ("user", "item", "rating", "time")
    columns = dataset.columns(*names)
    rows = {split: dataset.rows(split) for split in ("train", "validation", "test")}
    values, counts = np.unique(columns["rating"], return_counts=True)
    info, train = dataset.info, rows["train"]
    repeated = info["repeated"]
    years = 1970 + columns["time"] / YEAR
    times = pd.DataFrame({"earliest": [years.min()], "latest": [years.max()]})
    totals = {
        "users": info["users"],
        "items": info["items"],
        "nulls": int(np.isnan(columns["rating"]).sum()),
        "lowest": float(values[0]),
        "highest": float(values[-1]),
        "per_user": len(train) / max(1, len(np.unique(columns["user"][train]))),
        "per_item": len(train) / max(1, len(np.unique(columns["item"][train]))),
        "largest_share": float(counts.max() / counts.sum()),
        "repeated": repeated / info["found"],
    }
    # As written: what is 0.1 in the table is not quite that in float32.
    written = np.round(values.astype(np.float64), 5)
    spread = pd.DataFrame({"rating": written, "examples": counts, "share": counts / counts.sum()})
    return {
        "splits": count_splits(dataset).merge(_describe(columns, rows), on="split"),
        "values": spread,
        "totals": pd.DataFrame([totals]),
        "times": times if info["timed"] else times[:0],
        "rejected": count_rejected(info["found"] - repeated, info["rejected"] - repeated),
    }


def _describe(columns: dict[str, np.ndarray], rows: dict[str, np.ndarray]) -> pd.DataFrame:
    known = {side: np.unique(columns[side][rows["train"]]) for side in ("user", "item")}
    records = []
    for split, part in rows.items():
        users, items = columns["user"][part], columns["item"][part]
        cold = ~(np.isin(users, known["user"]) & np.isin(items, known["item"]))
        mean = float(columns["rating"][part].mean(dtype=np.float64)) if len(part) else 0.0
        share = float(cold.mean()) if len(part) else 0.0
        records.append((split, len(np.unique(users)), len(np.unique(items)), mean, share))
    return pd.DataFrame(records, columns=["split", "users", "items", "mean", "cold"])


def expectations(params: Params) -> Iterator[Expectation]:
    """Yield every expectation, in the order a person should read them."""
    limits = params.expectations
    yield from enough_examples(limits.min_examples, "add ratings or change the shares")
    yield _total("nulls", "every row has a rating", highest=0)
    yield _total("lowest", "ratings keep to data.scale", lowest=params.data.scale[0])
    yield _total("highest", "ratings keep to data.scale", highest=params.data.scale[1])
    if limits.step:
        low, high = params.data.scale
        first, last = np.ceil(low / limits.step), np.floor(high / limits.step)
        steps = [round(float(n * limits.step), 5) for n in np.arange(first, last + 1)]
        yield Expectation(
            "values",
            "expect_column_values_to_be_in_set",
            {"column": "rating", "value_set": steps},
            "ratings are multiples of expectations.step; set it to null if yours are not",
            severity="warning",
            setting="expectations.step",
        )
    for name, least in (("users", limits.min_users), ("items", limits.min_items)):
        meaning = f"there are {name} enough to tell apart"
        yield _total(name, meaning, "warning", lowest=least, setting=f"min_{name}")
    yield from _there_is_something_to_learn(params)
    yield from few_rejected("row", limits.max_rejected_share)


def _there_is_something_to_learn(params: Params) -> Iterator[Expectation]:
    limits = params.expectations
    first, last = limits.years
    yield _total(
        "largest_share",
        "no rating value is far more frequent than all others",
        "warning",
        None,
        limits.max_value_share,
        "max_value_share",
    )
    most, name = limits.max_duplicate_share, "max_duplicate_share"
    yield _total("repeated", "few items are rated twice", "warning", 0, most, name)
    for side, least in (
        ("user", limits.min_ratings_per_user),
        ("item", limits.min_ratings_per_item),
    ):
        meaning = f"there are ratings enough for each {side}"
        setting = f"min_ratings_per_{side}"
        yield _total(f"per_{side}", meaning, "warning", least, setting=setting)
    for column, most in (("earliest", last), ("latest", last + 1)):
        yield Expectation(
            "times",
            "expect_column_values_to_be_between",
            {"column": column, "min_value": first, "max_value": most},
            "times are plausible, if there are any",
            severity="warning",
            setting="expectations.years",
        )
    yield Expectation(
        "splits",
        "expect_column_values_to_be_between",
        {"column": "cold", "max_value": limits.max_cold_share},
        "training knows nearly all users and items it is tested on; the others get a fallback",
        severity="warning",
        setting="expectations.max_cold_share",
    )


def _total(
    column: str,
    meaning: str,
    severity: str = "critical",
    lowest: float | None = None,
    highest: float | None = None,
    setting: str = "",
) -> Expectation:
    limits = {"min_value": lowest, "max_value": highest}
    return Expectation(
        "totals",
        "expect_column_values_to_be_between",
        {"column": column, **{name: it for name, it in limits.items() if it is not None}},
        meaning,
        severity=severity,  # type: ignore[arg-type]
        setting=setting and f"expectations.{setting}",
    )
