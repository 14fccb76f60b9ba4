"""What must be true of openings and recorded games before anything learns from them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd

from ...datasets import profile
from ...datasets.expectations import enough_examples, one_split, unique_ids
from ...pipeline import Expectation
from .openings import UNEVEN, black_share
from .params import Params
from .questions import read_opening
from .records_table import TABLE
from .rules_file import rules_of

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset

MEASURED = 50  # openings whose evenness is looked at


def tables(dataset: "Dataset") -> dict[str, pd.DataFrame]:
    """Derive the tables that expectations speak of.

    Returns:
        Those of `datasets.profile`; `evenness`, a row: share (of the playouts that black wins, the
        mean over some test openings); `records`: sha256, splits (how many its game is in);
        `record_totals`: found, rejected, share.
    """
    made = profile.tables(dataset)
    rules = rules_of(dataset.info)
    openings = dataset.examples("test")["opening"].drop_duplicates()[:MEASURED]
    shares = [black_share(read_opening(it, rules), number) for number, it in enumerate(openings)]
    records = dataset.table(TABLE)
    rejected = len(dataset.rejected)
    return {
        **made,
        "evenness": pd.DataFrame({"share": [float(pd.Series(shares).mean())]}),
        "records": records.groupby("sha256")["split"].nunique().rename("splits").reset_index(),
        "record_totals": profile.count_rejected(max(1, len(records) + rejected), rejected),
    }


def expectations(params: Params) -> Iterator[Expectation]:
    """Yield every expectation, in the order a person should read them."""
    limits = params.expectations
    yield from enough_examples(limits.min_examples, "raise data.test_openings and the like")
    yield from unique_ids("questions")
    yield from one_split("contents", "question")
    yield Expectation(
        "groups",
        "expect_column_values_to_be_between",
        {"column": "examples", "min_value": 2, "max_value": 2},
        "each opening is played with both colours: they are compared in pairs",
    )
    yield Expectation(
        "evenness",
        "expect_column_values_to_be_between",
        {"column": "share", "min_value": UNEVEN, "max_value": 1 - UNEVEN},
        "neither colour wins most playouts: else a game says little; change komi in rules.yaml",
        severity="warning",
    )
    yield from one_split("records", "recorded game")
    yield Expectation(
        "record_totals",
        "expect_column_values_to_be_between",
        {"column": "share", "max_value": limits.max_rejected_share},
        "not too many files were rejected; rejected.parquet says which and why: mend or remove "
        "them",
        setting="expectations.max_rejected_share",
    )
