"""What must be true of images and boxes before anything learns from them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from ...datasets import profile
from ...datasets.expectations import enough_examples, few_rejected, one_split, unique_ids
from ...pipeline import Expectation
from .decode import scales
from .params import Params

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset

TINY = 4  # pixels of the letterbox


def tables(dataset: "Dataset") -> dict[str, pd.DataFrame]:
    """Derive what any dataset of images has, and two more.

    Returns:
        `boxes`: a row per box that is no crowd: image, split, label, side (the shorter one, in
        pixels of the letterbox). `classes`: split, class, boxes; a row also for a class that is
        missing.
    """
    index, classes = dataset.index, dataset.info["classes"]
    rows = np.repeat(np.arange(len(index)), index["boxes"].to_numpy())
    sides = np.diff(dataset.array("boxes").reshape(-1, 2, 2), axis=1)[:, 0]
    factors = scales(index["width"].to_numpy(), index["height"].to_numpy(), *_size(dataset))
    boxes = pd.DataFrame(
        {
            "image": index["id"].to_numpy()[rows],
            "split": index["split"].to_numpy()[rows],
            "label": dataset.array("labels"),
            "side": (sides * factors[rows, :2]).min(1),
        }
    )[dataset.array("crowd") == 0]
    counts = pd.crosstab(boxes["split"], boxes["label"]).reindex(
        index=profile.SPLITS, columns=range(len(classes)), fill_value=0
    )
    counts.columns = pd.Index(classes)
    return {
        **profile.tables(dataset),
        "boxes": boxes.reset_index(drop=True),
        "classes": counts.reset_index().melt("split", var_name="class", value_name="boxes"),
    }


def _size(dataset: "Dataset") -> tuple[int, int]:
    height, width = dataset.info["image_size"]
    return height, width


def expectations(params: Params) -> Iterator[Expectation]:
    """Yield every expectation, in the order a person should read them."""
    limits = params.expectations
    yield Expectation(
        "examples",
        "expect_column_values_to_be_in_set",
        {"column": "split", "value_set": list(profile.SPLITS)},
        "every image belongs to one of the three splits",
    )
    yield from enough_examples(limits.min_examples, "add images, or change the shares in data")
    yield from unique_ids("images")
    yield from one_split("contents", "image")
    yield from one_split("groups", "group")
    yield Expectation(
        "classes",
        "expect_column_values_to_be_between",
        {"column": "boxes", "min_value": limits.min_boxes},
        "each split has boxes enough of each class; add some, or name the others in data.classes",
        setting="expectations.min_boxes",
    )
    yield Expectation(
        "boxes",
        "expect_column_values_to_be_between",
        {"column": "side", "min_value": TINY, "mostly": 1 - limits.max_tiny_share},
        f"hardly any box has a side below {TINY} pixels in the letterbox; enlarge data.height and "
        "data.width, and set model.stride: 4",
        severity="warning",
        setting="expectations.max_tiny_share",
    )
    yield Expectation(
        "examples",
        "expect_column_values_to_be_between",
        {"column": "boxes", "max_value": limits.max_crowded},
        "no image has more objects than can be found in it; cut it into parts",
        severity="warning",
        setting="expectations.max_crowded",
    )
    yield Expectation(
        "examples",
        "expect_column_values_to_be_in_set",
        {"column": "blank", "value_set": [False]},
        "no image has one colour throughout",
        severity="warning",
    )
    yield from few_rejected("image or box", limits.max_rejected_share)
