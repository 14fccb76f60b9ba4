"""What may be compared by number, and what the gate says of what may not."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.datasets import identity
from penstock.datasets.dataset import Dataset, DatasetWriter
from penstock.datasets.identity import identities, overlap, sketch
from penstock.evaluation.comparability import another_question, difference, in_order
from penstock.pipeline import Interface, Mean, Score
from projects import finish_once
from test_pathology import QUICK

NOTHING = np.zeros(0, np.uint64)
hashes = st.lists(st.integers(0, 2**64 - 1), max_size=200, unique=True).map(
    lambda them: np.array(them, np.uint64)
)


@given(hashes, hashes, st.integers(1, 50))
def test_what_a_sketch_says_of_those_it_looks_at_is_exact(learned, tested, kept):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(identity, "KEPT", kept)
        known, looked = overlap(sketch(learned), tested)
    both = np.isin(tested, learned).sum()
    assert known <= both
    assert known <= looked <= len(tested)
    if len(learned) < kept:
        assert (known, looked) == (both, len(tested))


def test_pairs_of_ids_are_the_same_in_another_dataset_with_other_indices(tmp_path):
    found = {}
    for name, users in (("one", ["ann", "bob", "cy"]), ("two", ["cy", "ann", "zoe", "bob"])):
        with DatasetWriter(tmp_path / name) as writer:
            writer.table("users", pd.DataFrame({"id": users}))
            writer.table("items", pd.DataFrame({"id": ["x", "y"]}))
            rows = pd.DataFrame(
                {
                    "id": range(3),
                    "split": "train",
                    "user": [users.index(it) for it in ("ann", "bob", "ann")],
                    "item": [0, 1, 1],
                    "rating": [1.0, 2.0, 3.0] if name == "one" else [5.0, 5.0, 5.0],
                }
            )
            writer.add(rows, {})
        found[name] = identities(Dataset(tmp_path / name), "train")
    assert found["one"].tolist() == found["two"].tolist()
    assert len(set(found["one"].tolist())) == 3


def test_a_champion_of_another_question_is_named():
    def ask(metric, **inputs):
        return Interface(inputs, {}, Score(metric, Mean("loss")))

    ours = ask("test/rmse", rooms="double", garden="optional string")
    asked = ["id", "rooms", "garden", "light"]
    assert another_question(ours, ours, asked) == ""
    theirs = ask("test/rmse", rooms="double", light="double", pool="optional string")
    assert another_question(ours, theirs, asked) == ""
    told = another_question(ours, ask("test/rmse", rooms="double", floor="double"), asked)
    assert told == "it asks for floor, which there is no more"
    told = another_question(ours, ask("test/accuracy", rooms="double"), asked)
    assert told == "it is measured by test/accuracy, and this model by test/rmse"


def test_other_classes_are_named_and_another_order_is_the_same():
    ours, theirs = {"classes": ["a", "b", "c"]}, {"classes": ["a", "x", "y"]}
    told = difference(ours, theirs, NOTHING, NOTHING)
    assert told == ("it knows other classes: 2 new to it (b, c), 2 that are gone (x, y)")
    assert difference({"classes": ["b", "a"]}, {"classes": ["a", "b"]}, NOTHING, NOTHING) == ""
    predictions = pd.DataFrame({"probabilities": [[0.7, 0.3], None]})
    moved = in_order(predictions, ["a", "b"], ["b", "a"])
    assert moved["probabilities"].tolist() == [[0.3, 0.7], None]


def test_ids_of_another_source_mean_others():
    ours = {"ids": {"users": "1", "items": "2"}, "source": "new.csv"}
    theirs = {"ids": {"users": "9", "items": "2"}, "source": "old.csv"}
    assert "its users are of another source (old.csv)" in difference(ours, theirs, NOTHING, NOTHING)
    grown = {**theirs, "source": "new.csv"}
    assert difference(ours, grown, NOTHING, NOTHING) == "", "users were added to one file"


@pytest.fixture(scope="module")
def tissue(tmp_path_factory):
    return finish_once(tmp_path_factory, "pathology", **QUICK)


def register(project):
    project.run("penstock", "run", "pathology")
    return json.loads((project.root / "data" / "pathology" / "receipt.json").read_text())


@pytest.mark.pipeline
def test_a_champion_that_knows_other_classes_is_replaced_only_if_asked(tissue, tmp_path):
    project = tissue.copy(tmp_path / "project")
    sample = project.root / "data" / "samples" / "pathology"
    source = project.root / "tumours"
    shutil.copytree(sample, source)
    (source / "malignant").rename(source / "tumour")
    listed = source / "groups.csv"
    listed.write_text(listed.read_text().replace("malignant/", "tumour/"))
    project.set("pathology", source="tumours")
    receipt = register(project)
    assert receipt["decision"] == "challenger"
    assert receipt["comparisons"] == []
    assert (
        "champion v1 cannot be compared with: it knows other classes: 1 new to it (tumour), 1 that "
        "are gone (malignant)"
    ) in receipt["reason"]
    assert "`penstock promote pathology 2` makes it champion" in receipt["reason"]
    project.set("pathology", register={"replace_incomparable": True})
    assert register(project)["decision"] == "champion"


@pytest.mark.pipeline
def test_a_champion_that_learned_what_is_now_tested_on_is_not_compared(tissue, tmp_path):
    project = tissue.copy(tmp_path / "project")
    project.set("pathology", data={"test_share": 0.4})
    receipt = register(project)
    assert receipt["decision"] == "challenger"
    assert "cannot be compared with: it learned from" in receipt["reason"]
