"""The gate: what passes, what stops, and what is said about it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.datasets.expectations import enough_examples, few_rejected, grouped
from penstock.datasets.rejections import summarize
from penstock.pipeline import Expectation
from penstock.settings.explanation import default_params
from penstock.stages.advice import _outward, advise, explain
from penstock.stages.validate import check

FRAME = pd.DataFrame(
    {"id": ["a", "b", "c", "d"], "label": [0, 1, 2, 99], "width": [28, 28, 28, 30]}
)


def expect(type_: str, severity: str = "critical", **arguments) -> Expectation:
    return Expectation("examples", type_, arguments, "because", severity)


def test_results_come_in_order_with_rows_and_a_few_of_them():
    results = check(
        [
            expect("expect_column_values_to_be_in_set", column="label", value_set=[0, 1, 2]),
            expect("expect_column_values_to_be_unique", column="id"),
            expect("expect_column_mean_to_be_between", column="width", max_value=28),
        ],
        {"examples": FRAME},
    )
    assert [result["success"] for result in results] == [False, True, False]
    assert results[0]["rows"] == 1
    assert results[0]["few"] == [{"id": "d", "label": "99", "width": "30"}]
    assert results[2]["observed"] == 28.5
    text = explain(results[0])
    for part in (
        "critical",
        "examples.label",
        "in_set",
        "value_set [0, 1, 2]",
        "1 row does not",
        "label=99",
    ):
        assert part in text
    assert "observed 28.5" in explain(results[2])


def test_only_a_few_rows_are_shown_but_all_are_counted():
    frame = pd.DataFrame({"id": [str(n) for n in range(1000)], "label": 7})
    (result,) = check(
        [expect("expect_column_values_to_be_between", column="label", max_value=5)],
        {"examples": frame},
    )
    assert result["rows"] == 1000
    assert len(result["few"]) == 5


@pytest.mark.parametrize(
    ("type_", "arguments"),
    [
        ("expect_column_values_to_be_between", {"max_value": 5}),
        ("expect_column_values_to_be_between", {"max_value": 5, "mostly": 0.7}),
        ("expect_column_values_to_be_in_set", {"value_set": [1.0]}),
        ("expect_column_values_to_be_unique", {}),
        ("expect_column_mean_to_be_between", {"max_value": 5}),
        ("expect_column_unique_value_count_to_be_between", {"max_value": 1}),
    ],
)
@pytest.mark.parametrize("values", [[np.nan], [np.nan, np.nan, np.nan, 1.0]])
def test_rows_without_a_value_do_not_meet_what_is_expected_of_values(type_, arguments, values):
    (result,) = check(
        [expect(type_, column="mean", **arguments)], {"examples": pd.DataFrame({"mean": values})}
    )
    assert not result["success"]
    assert "without a value" in explain(result)


def test_as_many_rows_may_lack_a_value_as_may_be_wrong():
    frame = pd.DataFrame({"mean": [np.nan, 9.0, *[1.0] * 98]})
    for mostly, success in ((0.98, True), (0.99, False)):
        (result,) = check(
            [
                expect(
                    "expect_column_values_to_be_between",
                    column="mean",
                    max_value=5,
                    mostly=mostly,
                )
            ],
            {"examples": frame},
        )
        assert result["success"] is success
        assert result["rows"] == 2


def test_of_nothing_nothing_is_missing():
    """A table without rows, and a column that is to be empty."""
    frame = pd.DataFrame({"year": [np.nan]})
    for expectation, table in (
        (expect("expect_column_values_to_be_between", column="year", min_value=1990), frame[:0]),
        (expect("expect_column_values_to_be_null", column="year"), frame),
    ):
        assert check([expectation], {"examples": table})[0]["success"]


def test_a_missing_column_fails_and_says_so():
    (result,) = check(
        [expect("expect_column_mean_to_be_between", column="zz")], {"examples": FRAME}
    )
    assert not result["success"]
    assert "zz" in explain(result)
    assert "does not exist" in explain(result)


def test_an_unknown_table_is_a_mistake_of_the_pipeline():
    with pytest.raises(ValueError, match="splits"):
        check([Expectation("splits", "x", {}, "")], {"examples": FRAME})


def test_data_docs_are_written_on_request(tmp_path):
    check(
        [
            expect("expect_column_values_to_be_unique", column="id"),
            expect("expect_column_values_to_be_in_set", column="id", value_set=["<b onload=ran>"]),
        ],
        {"examples": FRAME.assign(id=["<img src=x onerror=ran>", *FRAME["id"][1:]])},
        tmp_path / "docs",
    )
    page = (tmp_path / "docs" / "examples.html").read_text()
    assert "<html" in page
    for text in ("&lt;img src=x onerror=ran&gt;", "&lt;b onload=ran&gt;"):
        assert text in page
    for tag in ("<img src=x", "<b onload"):
        assert tag not in page


def advice(type_, setting, frame, params=None, **arguments):
    """What is said of the setting of an expectation that fails."""
    made = replace(expect(type_, **arguments), setting=f"expectations.{setting}")
    (result,) = check([made], {"examples": frame})
    assert not result["success"]
    return advise(result, frame, params or default_params("mnist"))


def test_a_failure_names_its_setting_and_the_value_that_would_let_the_data_pass():
    ink = pd.DataFrame({"mean": np.full(10, 0.0431)})
    told = advice(
        "expect_column_mean_to_be_between", "mean_ink", ink, column="mean", min_value=0.05
    )
    assert told == (
        ". Limit: expectations.mean_ink: [0.05, 0.5]; this data would pass with [0.0431, 0.5]"
    )
    few = pd.DataFrame({"examples": [500, 11, 80]})
    told = advice(
        "expect_column_values_to_be_between",
        "min_examples",
        few,
        column="examples",
        min_value=20,
    )
    assert told.endswith("min_examples: 20; this data would pass with 11")
    blank = pd.DataFrame({"blank": [True] * 3 + [False] * 97})
    told = advice(
        "expect_column_values_to_be_in_set",
        "max_blank_share",
        blank,
        column="blank",
        value_set=[False],
        mostly=0.999,
    )
    assert told.endswith("max_blank_share: 0.001; this data would pass with 0.03")


@given(st.floats(1e-6, 1e6), st.booleans())
def test_a_proposed_limit_lets_pass_what_it_was_made_for(value, least):
    frame = pd.DataFrame({"x": [value, value]})
    proposed = _outward(value, np.floor if least else np.ceil)
    assert proposed <= frame["x"].min() if least else proposed >= frame["x"].max()
    assert proposed == pytest.approx(value, rel=0.011)


def test_reasons_that_differ_in_a_number_are_one():
    told = summarize([("a", "rating 7 is off"), ("b", "rating 9.5 is off"), ("c", "no user")])
    assert told == "2 times: rating 7 is off (a, ...); once: no user (c)"


def test_what_is_only_unusual_is_a_warning():
    """It passes the limits of params.yaml, and is said."""
    frames = {
        "splits": pd.DataFrame({"examples": [900, 60, 60], "groups": [30, 3, 3]}),
        "rejected": pd.DataFrame({"found": [1000], "rejected": [20], "share": [0.02]}),
    }
    made = [
        *enough_examples(20, "add some"),
        *grouped("patient", "min_groups", 2, 0.05),
        *few_rejected("file", 0.1),
    ]
    results = check(
        [it for it in made if it.table in frames and it.type.endswith("between")], frames
    )
    unmet = [it for it in results if not it["success"]]
    assert [it["severity"] for it in unmet] == ["warning"] * 3
    assert [it["arguments"]["column"] for it in unmet] == ["examples", "groups", "share"]
    assert [it["severity"] for it in results if it["success"]] == ["critical"] * 3
