"""What must be true of any dataset whose examples have a label, before what is particular to it."""

from collections.abc import Iterator
from typing import Literal

from ..pipeline import Expectation

# What is unusual, though it can be learned from: a warning.
FEW_EXAMPLES = 100  # of a split
FEW_GROUPS = 5  # likewise
FEW_REJECTED = 0.01  # share of what was found


def enough_examples(least: int, remedy: str) -> Iterator[Expectation]:
    """Yield that each split has examples enough to learn from or to measure on."""
    yield Expectation(
        "splits",
        "expect_column_values_to_be_between",
        {"column": "examples", "min_value": least},
        f"no split is empty or too small to measure anything on; {remedy}",
        setting="expectations.min_examples",
    )
    yield Expectation(
        "splits",
        "expect_column_values_to_be_between",
        {"column": "examples", "min_value": FEW_EXAMPLES},
        f"no split has fewer than {FEW_EXAMPLES} examples: what is measured on it is uncertain",
        severity="warning",
    )


def unique_ids(what: str = "examples") -> Iterator[Expectation]:
    """Yield that ids tell `what` (images, nodes, ...) apart."""
    yield Expectation(
        "examples",
        "expect_column_values_to_be_unique",
        {"column": "id"},
        f"ids tell {what} apart",
    )


def one_split(
    table: str, what: str, severity: Literal["critical", "warning"] = "critical"
) -> Iterator[Expectation]:
    """Yield that no `what` (example, group, ...) of a table sits in two splits."""
    yield Expectation(
        table,
        "expect_column_values_to_be_between",
        {"column": "splits", "max_value": 1},
        f"no {what} sits in two splits: the test would measure memory",
        severity=severity,
    )


def few_rejected(what: str, most: float | None = None) -> Iterator[Expectation]:
    """Yield that hardly any `what` (file, row, ...) could not be taken, and at most a share."""
    remedy = "rejected.parquet says which and why: mend or remove them"
    yield Expectation(
        "rejected",
        "expect_column_values_to_be_between",
        {"column": "share", "max_value": FEW_REJECTED},
        f"hardly any {what} was rejected; {remedy}",
        severity="warning",
    )
    if most is not None:
        yield Expectation(
            "rejected",
            "expect_column_values_to_be_between",
            {"column": "share", "max_value": most},
            f"not too many {what}s were rejected; {remedy}",
            setting="expectations.max_rejected_share",
        )


def grouped(
    group: str,
    setting: str,
    min_groups: int,
    min_class_share: float,
    severity: Literal["critical", "warning"] = "critical",
) -> Iterator[Expectation]:
    """Yield what a dataset of class folders must keep to whose examples come in groups.

    Args:
        group: what one is: a speaker, say.
        setting: that says how many there must be: `min_speakers`, say.
        min_groups: least groups in each split.
        min_class_share: least share of each class within a split.
        severity: of a group that sits in two splits.
    """
    yield Expectation(
        "examples",
        "expect_column_values_to_be_between",
        {"column": "label", "min_value": 0},
        "every label is the number of a class folder",
    )
    yield Expectation(
        "groups",
        "expect_column_values_to_be_between",
        {"column": "splits", "max_value": 1},
        f"no {group} sits in two splits: the test would measure how well one is remembered, not "
        "what a new one gets",
        severity=severity,
    )
    yield Expectation(
        "splits",
        "expect_column_values_to_be_between",
        {"column": "groups", "min_value": min_groups},
        f"each split has {min_groups} ({group}) or more; add some, or set data.split: ranked",
        setting=f"expectations.{setting}",
    )
    yield Expectation(
        "splits",
        "expect_column_values_to_be_between",
        {"column": "groups", "min_value": FEW_GROUPS},
        f"each split has {FEW_GROUPS} ({group}) or more: with fewer, intervals say little",
        severity="warning",
    )
    yield Expectation(
        "classes",
        "expect_column_values_to_be_between",
        {"column": "examples", "min_value": 1},
        "no class is missing in a split; add files of it, or remove those there are",
    )
    yield Expectation(
        "classes",
        "expect_column_values_to_be_between",
        {"column": "share", "min_value": min_class_share},
        "no class is nearly missing in a split: what is said of it will be uncertain",
        severity="warning",
        setting="expectations.min_class_share",
    )


def labelled(min_examples: int, remedy: str) -> Iterator[Expectation]:
    """Yield what every labelled dataset must keep to: valid rows, fit splits, nothing leaked.

    Args:
        min_examples: least examples in each split.
        remedy: what to do when a split has fewer.
    """
    yield Expectation(
        "examples",
        "expect_column_values_to_be_in_set",
        {"column": "split", "value_set": ["train", "validation", "test"]},
        "every example belongs to one of the three splits",
    )
    yield from enough_examples(min_examples, remedy)
    yield Expectation(
        "examples",
        "expect_column_values_to_not_be_null",
        {"column": "label"},
        "every example has a label",
    )
    yield from unique_ids()
    yield from one_split("contents", "example")
