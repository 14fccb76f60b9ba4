"""What must be true of the images before anything learns from them."""

from collections.abc import Iterator

from ...datasets.expectations import few_rejected, labelled
from ...datasets.profile import tables as tables
from ...pipeline import Expectation
from .params import Params


def expectations(params: Params) -> Iterator[Expectation]:
    """Yield every expectation, in the order a person should read them."""
    limits, size = params.expectations, params.data.image_size
    yield from labelled(limits.min_examples, "add data or change data.validation_share")
    for side in ("width", "height"):
        yield Expectation(
            "examples",
            "expect_column_values_to_be_between",
            {"column": side, "min_value": size, "max_value": size},
            f"every image is {size}x{size} pixels",
        )
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
    yield Expectation(
        "examples",
        "expect_column_values_to_be_in_set",
        {"column": "blank", "value_set": [False], "mostly": 1 - limits.max_blank_share},
        "hardly any image is blank",
        severity="warning",
        setting="expectations.max_blank_share",
    )
    yield from few_rejected("image", limits.max_rejected_share)
