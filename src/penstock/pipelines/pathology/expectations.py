"""What must be true of the images before anything learns from them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pandas as pd

from ...datasets import profile
from ...datasets.expectations import few_rejected, grouped, labelled
from ...pipeline import Expectation
from .params import FEW, NOT_CHOSEN, TOO_FEW, Params

DARK = 1 / 15  # of white; 12 bits in 16 reach 1 / 16

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset


def tables(dataset: "Dataset") -> dict[str, pd.DataFrame]:
    """Derive what any labelled dataset has, and two more.

    Returns:
        `chosen_by`: a row per class, of validation. `deep`, one row if there are files of 16 bits:
        examples, and the highest peak of them, 1 for white.
    """
    made = profile.tables(dataset)
    classes = made["classes"]
    deep = dataset.index[dataset.index["mode"].str.startswith("I;16")]
    found = pd.DataFrame({"examples": [len(deep)], "peak": [deep["peak"].max()]})
    return {
        **made,
        "chosen_by": classes[classes["split"] == "validation"].reset_index(drop=True),
        "deep": found if len(deep) else found[:0],
    }


def expectations(params: Params) -> Iterator[Expectation]:
    """Yield every expectation, in the order a person should read them."""
    limits = params.expectations
    remedy = "add images, or set data.split: ranked where there are few groups"
    yield from labelled(limits.min_examples, remedy)
    yield from grouped("patient or slide", "min_groups", limits.min_groups, limits.min_class_share)
    yield from _threshold_can_be_chosen()
    yield from _images_are_fit(params)


def _threshold_can_be_chosen() -> Iterator[Expectation]:
    yield Expectation(
        "chosen_by",
        "expect_column_values_to_be_between",
        {"column": "examples", "min_value": FEW},
        f"there are {FEW} validation images of each class or more to choose the threshold by; with "
        f"fewer it is uncertain, and with fewer than {TOO_FEW} it is {NOT_CHOSEN}",
        severity="warning",
    )


def _images_are_fit(params: Params) -> Iterator[Expectation]:
    limits = params.expectations
    mostly = 1 - limits.max_unfit_share
    least, most = limits.brightness
    for side in ("width", "height"):
        yield Expectation(
            "examples",
            "expect_column_values_to_be_between",
            {"column": side, "min_value": params.data.image_size, "mostly": mostly},
            "hardly any image is smaller than data.image_size, and has to be enlarged to it",
            severity="warning",
            setting="expectations.max_unfit_share",
        )
    yield Expectation(
        "deep",
        "expect_column_values_to_be_between",
        {"column": "peak", "min_value": DARK},
        "files of 16 bits use them: set data.depth to the bits that yours have, 12 is usual; or "
        "they are nearly black",
    )
    for channel in ("red", "green", "blue"):
        yield Expectation(
            "examples",
            "expect_column_mean_to_be_between",
            {"column": channel, "min_value": limits.colour[0], "max_value": limits.colour[1]},
            "tissue under light is bright in every channel; otherwise it is inverted, or none",
            severity="warning",
            setting="expectations.colour",
        )
    yield Expectation(
        "examples",
        "expect_column_values_to_be_between",
        {"column": "brightness", "min_value": least, "max_value": most, "mostly": mostly},
        "hardly any image is too dark, or empty glass",
        severity="warning",
        setting="expectations.max_unfit_share",
    )
    yield Expectation(
        "examples",
        "expect_column_values_to_be_between",
        {"column": "sharpness", "min_value": limits.min_sharpness, "mostly": mostly},
        "hardly any image is out of focus",
        severity="warning",
        setting="expectations.max_unfit_share",
    )
    yield from few_rejected("file", limits.max_rejected_share)
