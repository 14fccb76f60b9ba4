"""What must be true of the images before anything learns from them."""

from collections.abc import Iterator

from ...datasets.expectations import few_rejected, labelled
from ...datasets.profile import tables as tables
from ...kinds.images.expectations import all_of_size, hardly_blank
from ...pipeline import Expectation
from .params import Params


def expectations(params: Params) -> Iterator[Expectation]:
    """Yield every expectation, in the order a person should read them."""
    limits = params.expectations
    yield from labelled(limits.min_examples, "add data or change data.validation_share")
    yield from all_of_size(params.data.image_size)
    yield Expectation(
        "classes",
        "expect_column_values_to_be_between",
        {"column": "examples", "min_value": 1},
        "no class is missing in a split; add images of it, or remove those there are",
    )
    yield Expectation(
        "classes",
        "expect_column_values_to_be_between",
        {"column": "share", "min_value": limits.min_class_share},
        "no class is nearly missing in a split: a model will hardly draw it",
        severity="warning",
        setting="expectations.min_class_share",
    )
    yield from hardly_blank(limits.max_blank_share)
    yield from few_rejected("image", limits.max_rejected_share)
