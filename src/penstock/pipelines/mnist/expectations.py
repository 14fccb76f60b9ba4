"""What must be true of the digits before anything learns from them."""

from collections.abc import Iterator

from ...datasets.expectations import few_rejected, labelled
from ...datasets.profile import tables as tables
from ...kinds.images.expectations import all_of_size, hardly_blank
from ...pipeline import Expectation
from .params import Params


def expectations(params: Params) -> Iterator[Expectation]:
    """Yield every expectation, in the order a person should read them."""
    limits = params.expectations
    labels = list(range(len(params.data.classes)))
    yield from labelled(limits.min_examples, "add data or change data.validation_share")
    yield Expectation(
        "examples",
        "expect_column_values_to_be_in_set",
        {"column": "label", "value_set": labels},
        "every label names one of data.classes",
    )
    yield from all_of_size(params.data.image_size)
    yield Expectation(
        "classes",
        "expect_column_values_to_be_between",
        {"column": "share", "min_value": limits.class_share[0], "max_value": limits.class_share[1]},
        "no class is missing, or far more frequent than the others, within a split",
        severity="warning",
        setting="expectations.class_share",
    )
    yield Expectation(
        "examples",
        "expect_column_mean_to_be_between",
        {"column": "mean", "min_value": limits.mean_ink[0]},
        "strokes are strong enough to be seen",
        severity="warning",
        setting="expectations.mean_ink",
    )
    yield Expectation(
        "examples",
        "expect_column_mean_to_be_between",
        {"column": "mean", "max_value": limits.mean_ink[1]},
        "digits are white on black, mostly black; invert the images if they are not, or set "
        "data.fit: resize if they are no digits",
        # By `digit`, image files given to the model become white on black.
        severity="critical" if params.data.fit == "digit" else "warning",
        setting="expectations.mean_ink",
    )
    yield from hardly_blank(limits.max_blank_share)
    yield from few_rejected("image")
