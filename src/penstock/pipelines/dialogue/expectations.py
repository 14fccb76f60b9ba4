"""What must be true of the dialogues before anything learns from them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd

from ...datasets import profile
from ...datasets.expectations import enough_examples, few_rejected, one_split, unique_ids
from ...pipeline import Expectation
from .params import Params

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset


def tables(dataset: "Dataset") -> dict[str, pd.DataFrame]:
    """Derive the tables that expectations speak of.

    Returns:
        Those of `datasets.profile`, and `totals`, one row: repeated (share of dialogues that stand
        there once more), known (share of the test replies that stand in the training split).
    """
    info = dataset.info
    totals = {
        "repeated": info["repeated"] / (info["dialogues"] + info["repeated"]),
        "known": info["known_replies"]["test"],
    }
    return profile.tables(dataset) | {"totals": pd.DataFrame([totals])}


def expectations(params: Params) -> Iterator[Expectation]:
    """Yield every expectation, in the order a person should read them."""
    limits = params.expectations
    yield from enough_examples(limits.min_examples, "add dialogues, or change the shares")
    yield Expectation(
        "splits",
        "expect_column_values_to_be_between",
        {"column": "groups", "min_value": limits.min_dialogues},
        "each split has dialogues enough that are no near-duplicates of each other; add some",
        setting="expectations.min_dialogues",
    )
    yield from one_split("groups", "group of near-duplicates")
    yield from unique_ids()
    yield Expectation(
        "totals",
        "expect_column_values_to_be_between",
        {"column": "known", "max_value": limits.max_known_share},
        "most of the test replies do not stand in the training split: finding those that do is "
        "easier than finding any",
        severity="warning",
        setting="expectations.max_known_share",
    )
    yield Expectation(
        "totals",
        "expect_column_values_to_be_between",
        {"column": "repeated", "max_value": limits.max_repeated_share},
        "few dialogues stand there more than once",
        severity="warning",
        setting="expectations.max_repeated_share",
    )
    yield from few_rejected("dialogue", limits.max_rejected_share)
