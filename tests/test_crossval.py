"""Cross-validation: no group in two folds, every example tested once, nothing else touched."""

import hashlib
import signal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.commands.crossval import summarize
from penstock.datasets.dataset import Dataset, DatasetWriter
from penstock.datasets.folds import deal
from penstock.kinds.images.idx import read_idx, write_idx
from penstock.messages.errors import PenstockError
from projects import client_of, hashes, runs_of

KEPT = ("params.yaml", "dvc.lock", "data/mnist/receipt.json", "data/mnist/report.html")


def made_up(groups, labels=None):
    count = len(groups)
    index = pd.DataFrame({"id": [f"e{n}" for n in range(count)], "split": "train", "group": groups})
    return index if labels is None else index.assign(label=labels)


def check(index, column, folds):
    """Whatever was dealt: every example is tested once, and groups are never divided."""
    tested = np.zeros(len(index), int)
    for fold in folds:
        tested += fold.splits == "test"
        assert set(fold.splits) == {"train", "validation", "test"}
        assert (pd.Series(fold.splits).groupby(index[column].astype(str)).nunique() == 1).all()
    assert (tested == 1).all()


@settings(deadline=None, max_examples=50)
@given(
    examples=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 3)), min_size=1, max_size=120),
    folds=st.integers(2, 7),
    labelled=st.booleans(),
)
@pytest.mark.filterwarnings("ignore:The least populated class")
def test_folds_are_whole_groups_and_cover_everything(examples, folds, labelled):
    groups, labels = (list(it) for it in zip(*examples, strict=True))
    index = made_up(groups, labels if labelled else None)
    dealt, problem = [], ""
    try:
        dealt = deal(index, folds).folds
    except PenstockError as error:
        problem = str(error)
    if problem:
        assert len(set(groups)) < max(folds, 3) or "leaves 1 group" in problem
    else:
        assert len(dealt) == folds
        check(index, "group", dealt)


def test_each_value_of_a_column_is_a_fold():
    index = made_up(range(60)).assign(speaker=[f"s{n % 5}" for n in range(60)])
    dealt = deal(index, by="speaker")
    assert dealt.description == "5 folds by speaker, a value each"
    assert [fold.held_out for fold in dealt.folds] == [f"speaker s{n}" for n in range(5)]
    check(index, "speaker", dealt.folds)
    dealt = deal(index, 3, "speaker")
    assert dealt.description == "3 folds by speaker"
    check(index, "speaker", dealt.folds)


def test_groups_are_by_group_then_content_then_id():
    index = made_up(range(40)).assign(sha256="a")
    assert deal(index).description == "5 folds by group"
    with pytest.raises(PenstockError, match="1 group by sha256; expected at least 5"):
        deal(index.drop(columns="group"))
    assert deal(index[["id", "split"]]).description == "5 folds by id"


def test_classes_are_alike_in_all_folds_and_a_tenth_validates():
    index = made_up(np.arange(400) // 2, (np.arange(400) // 2) % 4)
    for fold in deal(index, 5).folds:
        shares = index["label"][fold.splits == "test"].value_counts(normalize=True)
        assert shares.between(0.2, 0.3).all()
        assert (fold.splits == "validation").sum() == 32


def test_numbers_as_labels_are_not_stratified():
    index = made_up(range(30), np.linspace(0, 1, 30))
    check(index, "group", deal(index, 4).folds)


@pytest.mark.parametrize(
    ("groups", "folds", "by", "message"),
    [
        (range(9), 5, "speaker", "--by speaker: .* no such column; expected one of id, split, gr"),
        (range(4), 5, None, "4 groups by group; expected at least 5 .* give --folds 4 or fewer"),
        ([1, 1, 2], 2, None, "2 groups by group; expected at least 3 for 2 folds; name a finer"),
        ([1, 2, 3], 2, None, "leaves 1 group of 3; expected 2, to train and to validate"),
        (range(101), None, "id", "--by id: 101 values; expected at most 100 .* give --folds 5"),
    ],
)
def test_what_cannot_be_dealt_says_what_to_do(groups, folds, by, message):
    with pytest.raises(PenstockError, match=message):
        deal(made_up(list(groups)), folds, by)


def test_a_dataset_in_other_splits_is_the_same_examples(tmp_path):
    values = np.arange(12, dtype=np.float32).reshape(6, 2)
    index = made_up(range(6), range(6)).assign(split=["train", "test"] * 3)
    with DatasetWriter(tmp_path / "real") as writer:
        writer.info = {"classes": list("abcdef"), "image_size": [2, 1]}
        writer.add(index, {"images": values})
        writer.reject("bad", "broken")
    real = Dataset(tmp_path / "real")
    splits = {
        "same": index["split"].to_numpy(),
        "other": np.array(["test"] * 2 + ["train"] * 4),
    }
    for name, split in splits.items():
        with DatasetWriter(tmp_path / name) as writer:
            writer.resplit(real, split)
    same, other = Dataset(tmp_path / "same"), Dataset(tmp_path / "other")
    assert same.info == real.info, "the digest too: the same files"
    assert other.info["splits"]["test"]["examples"] == len(other.rows("test")) == 2
    assert other.info["digest"] != real.info["digest"]
    assert other.info["image_size"] == [2, 1]
    assert (other.info["found"], other.info["rejected"]) == (7, 1)
    assert (other.array("images") == values).all()
    link = (tmp_path / "other" / "images.npy").stat()
    assert link.st_ino == (tmp_path / "real" / "images.npy").stat().st_ino


def test_the_summary_leaves_out_intervals_and_what_is_undefined():
    results = pd.DataFrame(
        {
            "fold": [1, 2],
            "test/accuracy": [0.8, 0.9],
            "test/accuracy_low": [0.7, 0.8],
            "test/auc": [np.nan, 0.5],
            "train_seconds": [1.0, 2.0],
        }
    )
    assert summarize(results) == pytest.approx(
        {
            "test/accuracy": 0.85,
            "test/accuracy_std": 0.1 / 2**0.5,
            "test/accuracy_min": 0.8,
            "test/accuracy_max": 0.9,
            "test/auc": 0.5,
            "test/auc_std": 0.0,
            "test/auc_min": 0.5,
            "test/auc_max": 0.5,
        }
    )


def state(project):
    dataset = project.root / "data" / "mnist" / "dataset"
    contents = {it.name: hashlib.sha256(it.read_bytes()).hexdigest() for it in dataset.iterdir()}
    return hashes(project), [(project.root / name).read_bytes() for name in KEPT], contents


@pytest.mark.pipeline
def test_crossval_is_a_run_with_a_child_per_fold_and_touches_nothing_else(project):
    before = state(project)
    done = project.run("penstock", "crossval", "mnist", "--folds", "2", "-S", "train.seed=3")
    assert state(project) == before
    assert "Running stage" not in project.run("dvc", "repro").stdout
    folder = project.root / "data" / "mnist"
    assert not (folder / ".crossval").exists()
    assert "fold 2 of 2: " in done.stdout
    assert "mean ± std" in done.stdout

    runs = runs_of(project)
    (parent,) = [run for run in runs if "penstock.crossval" in run.data.tags]
    children = [r for r in runs if r.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    children.sort(key=lambda run: run.data.tags["penstock.crossval.fold"])
    assert [run.data.tags["penstock.crossval.fold"] for run in children] == ["1", "2"]
    assert len(runs) == 4, "these three and that of the real model"
    assert parent.data.tags["penstock.crossval"] == "2 folds by sha256"
    assert {run.info.status for run in runs} == {"FINISHED"}
    for run in (parent, *children):
        assert run.data.params["train.seed"] == "3"
        assert run.data.tags["penstock.overrides"] == "train.seed=3"

    accuracies = [run.data.metrics["test/accuracy"] for run in children]
    metrics = parent.data.metrics
    assert metrics["test/accuracy"] == pytest.approx(np.mean(accuracies))
    assert metrics["test/accuracy_std"] == pytest.approx(np.std(accuracies, ddof=1))
    assert metrics["test/accuracy_min"] == min(accuracies)
    assert "test/accuracy_low" not in metrics
    table = pd.read_csv(folder / "crossval.csv")
    assert table["test/accuracy"].tolist() == pytest.approx(accuracies)
    assert table["test/examples"].sum() == len(pd.read_parquet(folder / "dataset/index.parquet"))
    client = client_of(project)
    assert [it.path for it in client.list_artifacts(parent.info.run_id)] == ["folds.csv"]
    assert len(client.search_model_versions("name = 'mnist'")) == 1


@pytest.mark.pipeline
def test_what_crossval_cannot_do_is_refused_in_a_line(project):
    refused = {
        ("--by", "speaker"): "no such column; expected one of id, split, label",
        ("--folds", "5000"): "groups by sha256; expected at least 5000",
        ("-S", "data.validation_share=0.2"): "crossval takes the dataset as it is",
    }
    for arguments, message in refused.items():
        done = project.run("penstock", "crossval", "mnist", *arguments, check=False)
        assert done.returncode == 1
        assert message in done.stderr
        assert done.stderr.count("\n") == 1
    project.set("mnist", expectations={"mean_ink": [0.0, 0.05]})
    done = project.run("penstock", "crossval", "mnist", check=False)
    assert "the gate is shut" in done.stderr, "the dataset at hand had passed other limits"
    assert len(runs_of(project)) == 1
    assert not (project.root / "data" / "mnist" / ".crossval").exists()


SHORT = ("-S", "train.max_epochs=1", "-S", "train.min_steps=0")


@pytest.mark.pipeline
def test_crossval_takes_what_the_source_names_now(project):
    """Not the dataset that was ingested from another one."""
    source, mine = project.root / "data" / "samples" / "mnist", project.root / "mine"
    mine.mkdir()
    for file in source.iterdir():
        values = read_idx(file, 3 if "images" in file.name else 1)
        write_idx(mine / file.name, values[: len(values) // 2])
    project.set("mnist", source="mine", expectations={"min_examples": 10})
    before = state(project)
    done = project.run("penstock", "crossval", "mnist", "--folds", "2", *SHORT)
    assert "of another source, settings or code: a new one is made" in done.stdout
    assert state(project) == before
    table = pd.read_csv(project.root / "data" / "mnist" / "crossval.csv")
    there = pd.read_parquet(project.root / "data" / "mnist" / "dataset" / "index.parquet")
    assert len(there) / 2 - 20 < table["test/examples"].sum() <= len(there) / 2


@pytest.mark.pipeline
@pytest.mark.parametrize("command", [("crossval", "mnist", "--folds", "2"), ("run", "mnist")])
def test_what_tries_other_settings_makes_the_sample_where_it_is_missing(fresh, command):
    fresh.run("penstock", *command, *SHORT)
    assert (fresh.root / "data" / "samples" / "mnist").is_dir()
    assert not (fresh.root / "data" / "mnist" / "dataset").exists()


@pytest.mark.pipeline
def test_an_interrupted_crossval_ends_its_runs_and_leaves_nothing(project):
    process = project.start_training("crossval", "mnist")
    before = state(project)
    process.send_signal(signal.SIGINT)
    process.stdout.read()
    assert process.wait() != 0
    killed = [run for run in runs_of(project) if run.info.status != "FINISHED"]
    assert [run.info.status for run in killed] == ["KILLED", "KILLED"]
    assert not (project.root / "data" / "mnist" / ".crossval").exists()
    assert not (project.root / "data" / "mnist" / "crossval.csv").exists()
    assert state(project) == before
