"""What must be true of the recordings before anything learns from them."""

from collections.abc import Iterator

from ...datasets.expectations import few_rejected, grouped, labelled
from ...datasets.profile import tables as tables
from ...pipeline import Expectation
from .params import RATE, Params


def expectations(params: Params) -> Iterator[Expectation]:
    """Yield every expectation, in the order a person should read them."""
    limits = params.expectations
    remedy = "add recordings, or set data.split: ranked where there are few speakers"
    yield from labelled(limits.min_examples, remedy)
    yield from grouped(
        "speaker",
        "min_speakers",
        limits.min_speakers,
        limits.min_class_share,
        # Whoever splits by a pattern has asked for the same voices in both.
        severity="warning" if params.data.split == "pattern" else "critical",
    )
    yield from _recordings_are_fit(params)
    yield from few_rejected("file", limits.max_rejected_share)


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
            setting="expectations.max_unfit_share",
        )
    yield Expectation(
        "examples",
        "expect_column_unique_value_count_to_be_between",
        {"column": "rate", "max_value": 1},
        "all have one sample rate: where words differ in it, the rate gives the word away",
        severity="warning",
    )
