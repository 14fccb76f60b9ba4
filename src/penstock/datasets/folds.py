"""Folds for cross-validation: every example is tested once, and no group sits in two folds."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

from ..messages.errors import PenstockError
from .splits import ranked_splits

GROUPS = ("group", "sha256", "id")  # what keeps examples together: the first there is
FOLDS = 5
MOST = 100  # folds of a value each; more is a slip, `--by id` say
REST = {"validation": 0.1, "train": 0.9}


@dataclass(frozen=True)
class Fold:
    """One way to split all examples.

    Attributes:
        held_out: what is tested on: a value of the column, or how many groups.
        splits: `train`, `validation` or `test` for each example.
    """

    held_out: str
    splits: np.ndarray


@dataclass(frozen=True)
class Deal:
    """All folds, and in words how they were dealt."""

    description: str
    folds: list[Fold]


def deal(index: pd.DataFrame, folds: int | None = None, by: str | None = None) -> Deal:
    """Deal a dataset's examples into folds by group, whatever split they are in.

    Args:
        index: a row per example.
        folds: how many; without it one for each value of `by`, or 5.
        by: the column of the groups; without it `group`, `sha256` or `id`.

    Raises:
        PenstockError: no such column, or its groups are too few or too many for that.
    """
    column = _column(index, by)
    names, group = np.unique([str(value) for value in index[column]], return_inverse=True)
    single = by is not None and folds is None
    count = len(names) if single else folds or FOLDS
    _check_count(column, len(names), count, single)
    fold = group if single else _spread(index, group, count)
    fold_of_group = np.empty(len(names), int)
    fold_of_group[group] = fold
    dealt = []
    for number in range(count):
        tested = fold_of_group == number
        if (~tested).sum() < 2:
            raise PenstockError(
                f"index.parquet: fold {number + 1} of {count} by {column} leaves {(~tested).sum()} "
                f"group of {len(names)}; expected 2, to train and to validate; give more --folds, "
                "or a finer column with --by"
            )
        splits = np.full(len(names), "test", dtype="<U10")
        splits[~tested] = ranked_splits(names[~tested].tolist(), REST)
        held_out = f"{column} {names[number]}" if single else _count(int(tested.sum()))
        dealt.append(Fold(held_out, splits[group]))
    return Deal(f"{count} folds by {column}{', a value each' if single else ''}", dealt)


def _column(index: pd.DataFrame, by: str | None) -> str:
    if by is None:
        return next(name for name in GROUPS if name in index)
    if by not in index:
        raise PenstockError(
            f"--by {by}: index.parquet has no such column; expected one of "
            f"{', '.join(map(str, index.columns))}; name one of these"
        )
    return by


def _check_count(column: str, groups: int, folds: int, single: bool) -> None:
    least = max(folds, 3)  # one each to test, to validate and to train on
    if groups < least:
        remedy = f"give --folds {groups} or fewer, or " if groups > 2 else ""
        raise PenstockError(
            f"index.parquet: {_count(groups)} by {column}; expected at least {least} for {folds} "
            f"folds; {remedy}name a finer column with --by"
        )
    if single and groups > MOST:
        raise PenstockError(
            f"--by {column}: {groups:,} values; expected at most {MOST} where each is a fold; "
            f"give --folds {FOLDS}, say"
        )


def _spread(index: pd.DataFrame, group: np.ndarray, folds: int) -> np.ndarray:
    """The fold of each example; classes alike in all folds where there are classes."""
    labels = _classes(index, folds)
    if labels is not None:
        splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=0)
        fold = _number(splitter.split(labels, labels, group), len(index))
        if len(np.unique(fold)) == folds:  # few groups of few classes can leave a fold empty
            return fold
    return _number(GroupKFold(folds).split(group, groups=group), len(index))


def _classes(index: pd.DataFrame, folds: int) -> np.ndarray | None:
    """Labels to stratify by: none where they are numbers, or too rare to be in each fold."""
    if "label" not in index or pd.api.types.is_float_dtype(index["label"]):
        return None
    labels, _ = pd.factorize(index["label"], use_na_sentinel=False)
    return np.asarray(labels) if np.bincount(labels).max() >= folds else None


def _number(parts: Iterable[tuple[np.ndarray, np.ndarray]], examples: int) -> np.ndarray:
    fold = np.empty(examples, int)
    for number, (_, tested) in enumerate(parts):
        fold[tested] = number
    return fold


def _count(groups: int) -> str:
    return f"{groups:,} group{'' if groups == 1 else 's'}"
