"""What must be true of images, whatever they show."""

from collections.abc import Iterator

from ...pipeline import Expectation


def all_of_size(size: int) -> Iterator[Expectation]:
    """Yield that every image is a square of so many pixels on each side."""
    for side in ("width", "height"):
        yield Expectation(
            "examples",
            "expect_column_values_to_be_between",
            {"column": side, "min_value": size, "max_value": size},
            f"every image is {size}x{size} pixels",
        )


def hardly_blank(most: float) -> Iterator[Expectation]:
    """Yield that at most a share of the images has one value throughout."""
    yield Expectation(
        "examples",
        "expect_column_values_to_be_in_set",
        {"column": "blank", "value_set": [False], "mostly": 1 - most},
        "hardly any image is blank",
        severity="warning",
        setting="expectations.max_blank_share",
    )
