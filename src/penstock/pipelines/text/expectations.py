"""What must be true of the text before anything learns from it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd

from ...datasets import profile
from ...datasets.expectations import few_rejected, unique_ids
from ...pipeline import Expectation
from .params import Params

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset

FEW_BLOCKS = 20  # of the test split: with fewer, intervals say little


def tables(dataset: "Dataset") -> dict[str, pd.DataFrame]:
    """Derive the tables that expectations speak of.

    Returns:
        Those of `datasets.profile`, with characters and the share of unknown ones in `splits`; and
        `totals`, one row: vocabulary (tokens), documents, repeated (share of them), known
        (share of the blocks held out that stand in the training split).
    """
    made = profile.tables(dataset)
    counts = made["examples"].groupby("split")[["characters", "unknown"]].sum()
    splits = made["splits"].merge(counts.reset_index(), on="split", how="left")
    splits[["characters", "unknown"]] = splits[["characters", "unknown"]].fillna(0)
    splits["unknown_share"] = splits["unknown"] / splits["characters"].clip(lower=1)
    info, index = dataset.info, made["examples"]
    trained = index["split"] == "train"
    known = index["sha256"][~trained].isin(index["sha256"][trained])
    totals = {
        "vocabulary": info["vocabulary"],
        "documents": info["documents"],
        "repeated": info["repeated"] / info["documents"],
        "known": float(known.mean()) if len(known) else 0.0,
    }
    return made | {"splits": splits, "totals": pd.DataFrame([totals])}


def expectations(params: Params) -> Iterator[Expectation]:
    """Yield every expectation, in the order a person should read them."""
    limits = params.expectations
    yield Expectation(
        "splits",
        "expect_column_values_to_be_between",
        {"column": "characters", "min_value": limits.min_characters},
        "no split is empty or too small to measure anything on; add text, change the shares, or "
        "data.documents and data.split",
        setting="expectations.min_characters",
    )
    yield Expectation(
        "totals",
        "expect_column_values_to_be_between",
        {"column": "vocabulary", "min_value": 4},
        "there are two characters at least to tell apart; what the training split has less than "
        "data.min_count times is unknown",
    )
    yield from unique_ids()
    yield Expectation(
        "totals",
        "expect_column_values_to_be_between",
        {"column": "known", "max_value": limits.max_known_share},
        "few of the blocks that are held out stand in the training split too: the test would "
        "measure memory; documents that are equal are kept apart, parts of them are not",
        severity="warning",
        setting="expectations.max_known_share",
    )
    yield Expectation(
        "splits",
        "expect_column_values_to_be_between",
        {"column": "unknown_share", "max_value": limits.max_unknown_share},
        "the training split has nearly all characters of the others; add text, or set data.tokens: "
        "bytes or bpe",
        severity="warning",
        setting="expectations.max_unknown_share",
    )
    yield Expectation(
        "totals",
        "expect_column_values_to_be_between",
        {"column": "repeated", "max_value": limits.max_repeated_share},
        "few documents stand there more than once",
        severity="warning",
        setting="expectations.max_repeated_share",
    )
    yield Expectation(
        "splits",
        "expect_column_values_to_be_between",
        {"column": "examples", "min_value": FEW_BLOCKS},
        f"each split has {FEW_BLOCKS} blocks or more: with fewer, intervals say little",
        severity="warning",
    )
    yield from few_rejected("document", limits.max_rejected_share)
