"""What must be true of the digits before anything learns from them."""

from collections.abc import Iterator

from ...pipeline import Expectation
from .decode import SIDE
from .params import Params


def expectations(params: Params) -> Iterator[Expectation]:
    """Yield every expectation, in the order a person should read them."""
    limits = params.expectations
    labels = list(range(len(params.data.classes)))
    yield Expectation(
        "examples",
        "expect_column_values_to_be_in_set",
        {"column": "split", "value_set": ["train", "validation", "test"]},
        "every example belongs to one of the three splits",
    )
    yield Expectation(
        "splits",
        "expect_column_values_to_be_between",
        {"column": "examples", "min_value": limits.min_examples},
        "no split is empty or too small to measure anything on; "
        "add data or change data.validation_share",
    )
    yield Expectation(
        "examples",
        "expect_column_values_to_be_in_set",
        {"column": "label", "value_set": labels},
        "every label names one of data.classes",
    )
    yield Expectation(
        "examples",
        "expect_column_values_to_not_be_null",
        {"column": "label"},
        "every image has a label",
    )
    for side in ("width", "height"):
        yield Expectation(
            "examples",
            "expect_column_values_to_be_between",
            {"column": side, "min_value": SIDE, "max_value": SIDE},
            f"every image is {SIDE}x{SIDE} pixels",
        )
    yield Expectation(
        "contents",
        "expect_column_values_to_be_between",
        {"column": "splits", "max_value": 1},
        "no image sits in two splits: the test would measure memory",
    )
    yield Expectation(
        "examples",
        "expect_column_values_to_be_unique",
        {"column": "id"},
        "ids tell examples apart",
    )
    yield Expectation(
        "classes",
        "expect_column_values_to_be_between",
        {"column": "share", "min_value": limits.class_share[0], "max_value": limits.class_share[1]},
        "no class is missing or drowns the others within a split",
        severity="warning",
    )
    yield Expectation(
        "examples",
        "expect_column_mean_to_be_between",
        {"column": "mean", "min_value": limits.mean_ink[0], "max_value": limits.mean_ink[1]},
        "digits are white on black, mostly black; invert the images if they are not",
        severity="critical",
    )
    yield Expectation(
        "examples",
        "expect_column_values_to_be_in_set",
        {"column": "blank", "value_set": [False], "mostly": 1 - limits.max_blank_share},
        "hardly any image is blank",
        severity="warning",
    )
    yield Expectation(
        "rejected",
        "expect_column_values_to_be_between",
        {"column": "share", "max_value": 0.01},
        "hardly any input was rejected; rejected.parquet says which and why",
        severity="warning",
    )
