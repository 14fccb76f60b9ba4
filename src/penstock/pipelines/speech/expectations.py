"""What must be true of the recordings before anything learns from them."""

from collections.abc import Iterator

from ...datasets.expectations import few_rejected, labelled
from ...datasets.profile import tables as tables
from ...pipeline import Expectation
from .params import RATE, Params


def expectations(params: Params) -> Iterator[Expectation]:
    """Yield every expectation, in the order a person should read them."""
    remedy = "add recordings, or set data.split: ranked where there are few speakers"
    yield from labelled(params.expectations.min_examples, remedy)
    yield from _speakers_and_words_are_fit(params)
    yield from _recordings_are_fit(params)
    yield few_rejected("file", params.expectations.max_rejected_share)


def _speakers_and_words_are_fit(params: Params) -> Iterator[Expectation]:
    limits = params.expectations
    yield Expectation(
        "examples",
        "expect_column_values_to_be_between",
        {"column": "label", "min_value": 0},
        "every label is the number of a word's folder",
    )
    yield Expectation(
        "groups",
        "expect_column_values_to_be_between",
        {"column": "splits", "max_value": 1},
        "no speaker sits in two splits: the test would measure how well a voice is remembered, "
        "not how well a stranger is understood",
        # Whoever splits by a pattern has asked for that.
        severity="warning" if params.data.split == "pattern" else "critical",
    )
    yield Expectation(
        "splits",
        "expect_column_values_to_be_between",
        {"column": "groups", "min_value": limits.min_speakers},
        "each split has speakers enough; add some, or set data.split: ranked",
    )
    yield Expectation(
        "classes",
        "expect_column_values_to_be_between",
        {"column": "share", "min_value": limits.min_class_share},
        "no word is missing or nearly so within a split; add recordings, or remove its folder",
    )


def _recordings_are_fit(params: Params) -> Iterator[Expectation]:
    limits = params.expectations
    mostly = 1 - limits.max_unfit_share
    for column, arguments, meaning in (
        ("seconds", {"max_value": params.data.duration}, "hardly any is cut to data.duration"),
        ("peak", {"min_value": limits.min_peak}, "hardly any is nearly silent"),
        ("clipped", {"max_value": limits.max_clipped}, "hardly any is clipped: recorded too loud"),
        ("rate", {"min_value": RATE}, f"hardly any lacks what is above {RATE // 2:,} Hz"),
    ):
        yield Expectation(
            "examples",
            "expect_column_values_to_be_between",
            {"column": column, **arguments, "mostly": mostly},
            meaning,
            severity="warning",
        )
    yield Expectation(
        "examples",
        "expect_column_unique_value_count_to_be_between",
        {"column": "rate", "max_value": 1},
        "all have one sample rate: where words differ in it, the rate gives the word away",
        severity="warning",
    )
