"""Datasets on disk and splits: nothing lost, nothing leaked, the same bytes each time."""

import hashlib

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.datasets.dataset import Dataset, DatasetWriter
from penstock.datasets.profile import tables
from penstock.datasets.splits import hash_splits
from penstock.messages.errors import PenstockError

SHARES = {"validation": 0.2, "test": 0.1, "train": 0.7}


def digests(names):
    return [hashlib.sha256(str(name).encode()).hexdigest() for name in names]


@given(names=st.lists(st.text(), min_size=1), more=st.lists(st.text()))
def test_adding_examples_moves_nobody_to_another_split(names, more):
    before = hash_splits(digests(names), SHARES)
    after = hash_splits(digests(more + names), SHARES)[len(more) :]
    assert (before == after).all()


@given(name=st.text())
def test_equal_content_lands_in_one_split(name):
    assert len(set(hash_splits(digests([name] * 3), SHARES))) == 1


def test_shares_are_met_and_every_example_has_a_split():
    splits = hash_splits(digests(range(20_000)), SHARES)
    for split, share in SHARES.items():
        assert abs((splits == split).mean() - share) < 0.015
    extreme = ["0" * 64, "f" * 64]
    assert list(hash_splits(extreme, SHARES)) == ["validation", "train"]


def frame(start, count):
    return pd.DataFrame(
        {
            "id": [f"e{n}" for n in range(start, start + count)],
            "split": ["train", "test"] * (count // 2),
            "label": [n % 3 for n in range(count)],
            "sha256": digests(range(start, start + count)),
        }
    )


def write(folder, parts):
    with DatasetWriter(folder) as writer:
        writer.info = {"classes": ["a", "b", "c"]}
        for start, count in parts:
            values = np.arange(start, start + count, dtype=np.float32)[:, None] * np.ones(
                (1, 4), np.float32
            )
            writer.add(frame(start, count), {"values": values})
        writer.reject("bad.png", "truncated")
    return Dataset(folder)


@settings(max_examples=20)
@given(counts=st.lists(st.integers(1, 20).map(lambda n: 2 * n), min_size=1, max_size=5))
def test_what_is_streamed_in_parts_is_read_back_whole(tmp_path_factory, counts):
    starts = np.cumsum([0, *counts[:-1]])
    dataset = write(
        tmp_path_factory.mktemp("d") / "dataset", list(zip(starts, counts, strict=True))
    )
    assert dataset.info["examples"] == sum(counts)
    assert dataset.info["found"] == sum(counts) + 1
    values = dataset.array("values")
    assert isinstance(values, np.memmap)
    assert (values[:, 0] == np.arange(sum(counts))).all()
    assert len(dataset.index) == sum(counts)
    assert dataset.rejected.to_dict("records") == [{"id": "bad.png", "reason": "truncated"}]


def test_the_same_examples_give_the_same_bytes(tmp_path):
    one, two = (write(tmp_path / name, [(0, 6), (6, 4)]) for name in "ab")
    assert one.info["digest"] == two.info["digest"]
    other = write(tmp_path / "c", [(0, 6), (6, 2)])
    assert one.info["digest"] != other.info["digest"]


def test_a_dataset_without_examples_is_refused(tmp_path):
    with (
        pytest.raises(PenstockError, match="no example was taken"),
        DatasetWriter(tmp_path / "d") as writer,
    ):
        writer.reject("a.png", "blank")


def test_arrays_and_rows_must_fit(tmp_path):
    with (
        pytest.raises(ValueError, match="3 rows for 2 examples"),
        DatasetWriter(tmp_path / "d") as writer,
    ):
        writer.add(frame(0, 2), {"values": np.zeros((3, 1))})


def test_profile_counts_what_is_missing_too(tmp_path):
    with DatasetWriter(tmp_path / "d") as writer:
        writer.info = {"classes": ["a", "b", "c", "d"]}
        writer.add(frame(0, 6), {"values": np.zeros((6, 1))})
    made = tables(Dataset(tmp_path / "d"))
    splits = made["splits"].set_index("split")["examples"]
    assert splits["validation"] == 0
    assert splits["train"] == 3
    classes = made["classes"].set_index(["split", "label"])["examples"]
    assert classes["train", 3] == 0
    assert made["contents"]["splits"].max() == 1
