"""What must be true of an environment before anything learns to act in it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...datasets import profile
from ...datasets.expectations import enough_examples, one_split, unique_ids
from ...pipeline import Expectation
from .exact import best_returns, policy_returns
from .params import Params
from .tables import map_tables

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset

SELDOM = 1e-4  # share of random episodes that are won: with fewer, nothing leads there


def tables(dataset: "Dataset") -> dict[str, pd.DataFrame]:
    """Derive the tables that expectations speak of.

    Returns:
        Those of `datasets.profile`, and `maps`, a row for each: map, states, best_success and
        random_success (share of the episodes that are won by the best actions there are, and by
        random ones, exactly).
    """
    rows = []
    for name, of_map in map_tables(dataset).items():
        part = of_map.counting_wins()
        anything = np.zeros((1, part.states), np.int64)
        best, random = best_returns(part), policy_returns(part, anything, epsilon=1.0)
        rows.append(
            {
                "map": name,
                "states": part.states,
                "best_success": float(part.initial @ best),
                "random_success": float(part.initial @ random),
            }
        )
    return {**profile.tables(dataset), "maps": pd.DataFrame(rows)}


def expectations(params: Params) -> Iterator[Expectation]:
    """Yield every expectation, in the order a person should read them."""
    limits = params.expectations
    yield from enough_examples(limits.min_examples, "raise data.test_episodes and the like")
    yield from unique_ids("questions")
    yield from one_split("contents", "question")
    yield Expectation(
        "maps",
        "expect_column_values_to_be_between",
        {"column": "best_success", "min_value": limits.min_best_success},
        "the goal of each map can be reached within the limit of steps; raise max_episode_steps in "
        "environment.yaml, or change the map",
        setting="expectations.min_best_success",
    )
    yield Expectation(
        "maps",
        "expect_column_values_to_be_between",
        {"column": "random_success", "min_value": SELDOM},
        "random actions reach the goal of each map at times: else learning may never find it",
        severity="warning",
    )
    yield Expectation(
        "rejected",
        "expect_column_values_to_be_between",
        {"column": "rejected", "max_value": 0},
        "nothing lies beside the maps that is none; rejected.parquet says what: take it out",
        severity="warning",
    )
