"""Answers that people marked as wrong, as an additional source: for training alone, if asked."""

import io
import json
import shutil

import numpy as np
import pandas as pd
import pytest
import soundfile
from PIL import Image

from penstock.datasets.dataset import Dataset
from penstock.project.workspace import Workspace
from penstock.running.steps import survey
from penstock.settings.explanation import default_params
from penstock.stages.ingest import ingest

RATE = 16_000


def ingested(root, name, **data):
    """The dataset of what lies in root/source, with the marks of root/data/feedback."""
    params = default_params(name)
    data = params.data.model_dump(mode="json") | {"feedback": True} | data
    section = params.data.model_validate(data)
    params = params.model_copy(update={"source": "source", "data": section})
    dataset = ingest(Workspace(root, name, params, root / "data" / name))
    assert len(dataset.index) == dataset.info["examples"]  # read now: the next one takes its place
    return dataset


def put(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def picture(seed, side=64):
    """A PNG in colours, another for each seed."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "png")
    return file.getvalue()


def word(pitch):
    file = io.BytesIO()
    time = np.arange(RATE // 2) / RATE
    soundfile.write(file, 0.5 * np.sin(2 * np.pi * pitch * time), RATE, format="WAV")
    return file.getvalue()


def rejected(dataset):
    return dict(zip(dataset.rejected["id"], dataset.rejected["reason"], strict=True))


def marked(dataset):
    """Id -> split of the examples that come from marks."""
    rows = dataset.index[dataset.index["id"].astype(str).str.startswith("feedback/")]
    return dict(zip(rows["id"], rows["split"], strict=True))


def without_marks(dataset):
    rows = dataset.index[~dataset.index["id"].astype(str).str.startswith("feedback/")]
    return rows.reset_index(drop=True)


def tiles(root):
    """Twelve patients with two tiles of each class; and who is in which split."""
    files = {f"{kind}/p{one}_{it}.png": (one, it) for one in range(12) for it in (0, 1)
             for kind in ("benign", "malignant")}  # fmt: skip
    put(root / "source", {name: picture(place) for place, name in enumerate(files)})
    lines = ["file,patient", *(f"{name},p{one}" for name, (one, _) in files.items())]
    put(root / "source", {"groups.csv": "\n".join(lines).encode()})
    plain = ingested(root, "pathology", feedback=False, split="ranked")
    return plain, dict(zip(plain.index["group"], plain.index["split"], strict=True))


def test_marked_tiles_are_learned_from_and_nothing_else_moves(tmp_path):
    plain, split_of = tiles(tmp_path)
    learned = next(one for one, split in split_of.items() if split == "train")
    tested = next(one for one, split in split_of.items() if split == "test")
    raw = tmp_path / "data" / "feedback" / "pathology" / "raw"
    test_tile = plain.examples("test")["id"].iloc[0]
    put(
        raw,
        {
            "benign/new.png": picture(1000),
            "benign/of-a-tested-patient.png": picture(1001),
            "benign/alone.png": picture(1002),
            "malignant/seen.png": (tmp_path / "source" / test_tile).read_bytes(),
            "unclear/x.png": picture(1003),
            "benign/broken.png": b"\x89PNG",
            "benign/.half.png.partial": b"",
            "loose.png": picture(1004),
            "groups.csv": (
                "file,patient\nbenign/new.png," + learned + "\nmalignant/seen.png," + learned
                + "\nbenign/of-a-tested-patient.png," + tested
            ).encode(),
        },
    )  # fmt: skip
    dataset = ingested(tmp_path, "pathology", split="ranked")
    at = "feedback/pathology/raw/"
    assert marked(dataset) == {at + "benign/new.png": "train"}
    pd.testing.assert_frame_equal(without_marks(dataset), plain.index)
    why = rejected(dataset)
    assert why.pop(at + "malignant/seen.png") == f"the same image as {test_tile}"
    assert why.pop(at + "benign/of-a-tested-patient.png") == (
        f"its group, {tested}, is in the test split"
    )
    assert "in no group" in why.pop(at + "benign/alone.png")
    for file in ("unclear/x.png", "loose.png"):
        assert why.pop(at + file) == "not in a folder of a class; there is: benign, malignant"
    assert why.pop(at + "benign/broken.png")
    assert why == {}
    assert dataset.info["found"] == dataset.info["examples"] + dataset.info["rejected"]


def test_digits_may_be_marked_where_the_source_has_other_files(tmp_path):
    from penstock.pipelines.mnist.sample import sample

    (tmp_path / "source").mkdir()
    sample(tmp_path / "source")
    plain = ingested(tmp_path, "mnist", feedback=False)
    test = plain.rows("test")[0]
    image = io.BytesIO()
    Image.fromarray(plain.array("images")[test]).save(image, "png")
    raw = tmp_path / "data" / "feedback" / "mnist" / "raw"
    put(raw, {"3/new.png": picture(7, 28), "4/tested.png": image.getvalue()})
    dataset = ingested(tmp_path, "mnist")
    assert marked(dataset) == {"feedback/mnist/raw/3/new.png": "train"}
    pd.testing.assert_frame_equal(without_marks(dataset), plain.index)
    assert rejected(dataset)["feedback/mnist/raw/4/tested.png"] == (
        f"the same image as {plain.index['id'][test]}"
    )
    row = dataset.index.iloc[-1]
    assert dataset.info["classes"][row["label"]] == "3"


def test_marked_words_need_a_speaker_who_is_not_tested(tmp_path):
    names = {f"{it}/s{one}_nohash_0.wav": pitch + 9 * one for one in range(12)
             for it, pitch in (("no", 200), ("yes", 800))}  # fmt: skip
    put(tmp_path / "source", {name: word(pitch) for name, pitch in names.items()})
    plain = ingested(tmp_path, "speech", feedback=False, split="ranked")
    split_of = dict(zip(plain.index["speaker"], plain.index["split"], strict=True))
    tested = next(one for one, split in split_of.items() if split == "test")
    raw = tmp_path / "data" / "feedback" / "speech" / "raw"
    put(
        raw,
        {
            "no/20261128-audio.wav": word(1500),
            "no/20261128-other.wav": word(1600),
            "yes/20261128-tested.wav": word(1700),
            "groups.csv": (
                f"file,speaker\nno/20261128-audio.wav,anna\nyes/20261128-tested.wav,{tested}\n"
            ).encode(),
        },
    )
    dataset = ingested(tmp_path, "speech", split="ranked")
    at = "feedback/speech/raw/"
    assert marked(dataset) == {at + "no/20261128-audio.wav": "train"}
    assert "no speaker in its name" in rejected(dataset)[at + "no/20261128-other.wav"]
    assert tested in rejected(dataset)[at + "yes/20261128-tested.wav"]
    alone = ingested(tmp_path, "speech", split="ranked", speaker="none")
    assert set(marked(alone).values()) == {"train"}


@pytest.mark.parametrize("target", ["kind", "weight"])
def test_marked_rows_are_learned_from_with_their_right_answer(tmp_path, target):
    chance = np.random.default_rng(0)
    table = pd.DataFrame({"size": chance.normal(size=200), "city": chance.choice(["a", "b"], 200)})
    table["kind"] = np.where(table["size"] > 0, "big", "small")
    table["weight"] = table["size"] * 3 + chance.normal(size=200)
    (tmp_path / "source").mkdir()
    table.to_csv(tmp_path / "source" / "things.csv", index=False)
    data = {"target": target, "ignore": [{"kind": "weight", "weight": "kind"}[target]]}
    plain = ingested(tmp_path, "tabular", feedback=False, **data)
    held = table.iloc[plain.examples("test")["id"].iloc[0] - 2]
    right = {"kind": "small", "weight": "7.5"}[target]
    records = {
        "1": {"input": {"size": 0.125, "city": "b"}, "right": right, "version": 1},
        "2": {"input": {"size": held["size"], "city": held["city"]}, "right": right},
        "3": {"input": {"size": 2.0, "city": None}, "right": right},
        "4": {"input": {"size": 2.5}, "right": {"kind": "huge", "weight": "heavy"}[target]},
        "5": ["no record"],
    }
    folder = tmp_path / "data" / "feedback" / "tabular"
    put(folder, {f"{name}.json": json.dumps(it).encode() for name, it in records.items()})
    dataset = ingested(tmp_path, "tabular", **data)
    pd.testing.assert_frame_equal(dataset.index.iloc[: len(plain.index)], plain.index)
    added = dataset.index.iloc[len(plain.index) :]
    assert added["split"].tolist() == ["train", "train"]
    assert dataset.info["marked"] == {
        str(one): f"feedback/tabular/{file}.json"
        for one, file in zip(added["id"], "13", strict=True)
    }
    if target == "kind":
        assert {dataset.info["classes"][it] for it in added["label"]} == {"small"}
    else:
        assert added["target"].tolist() == [7.5, 7.5]
    features = dataset.array("features")[-2:]
    place = list(dataset.info["columns"])
    values = dataset.info["columns"]["city"]["values"]
    assert features[:, place.index("size")].tolist() == [0.125, 2.0]
    assert features[:, place.index("city")].tolist() == [values.index("b"), len(values) + 1]
    why = rejected(dataset)
    assert "held out" in why["feedback/tabular/2.json"]
    assert why["feedback/tabular/4.json"]
    assert why["feedback/tabular/5.json"] == "no record of a marked answer"


def test_a_marked_row_needs_its_group_where_rows_have_groups(tmp_path):
    chance = np.random.default_rng(0)
    table = pd.DataFrame(
        {"size": chance.normal(size=200), "ill": chance.choice([True, False], 200)}
    )
    table["who"] = [f"p{it % 40}" for it in range(200)]
    table["kind"] = np.where(table["size"] > 0, "big", "small")
    (tmp_path / "source").mkdir()
    table.to_csv(tmp_path / "source" / "things.csv", index=False)
    data = {"target": "kind", "group": "who", "split": "hash"}
    plain = ingested(tmp_path, "tabular", feedback=False, **data)
    split_of = dict(zip(plain.index["group"], plain.index["split"], strict=True))
    record = {"input": {"size": 9.0, "ill": True}, "right": "small"}
    folder = tmp_path / "data" / "feedback" / "tabular"
    put(folder, {"1.json": json.dumps(record).encode()})
    dataset = ingested(tmp_path, "tabular", **data)
    assert rejected(dataset) == {"feedback/tabular/1.json": "no who"}
    pd.testing.assert_frame_equal(dataset.index, plain.index)
    for split in ("train", "test"):
        record["input"]["who"] = next(one for one, it in split_of.items() if it == split)
        put(folder, {f"{split}.json": json.dumps(record).encode()})
    dataset = ingested(tmp_path, "tabular", **data)
    assert list(dataset.info["marked"].values()) == ["feedback/tabular/train.json"]
    assert "held out" in rejected(dataset)["feedback/tabular/test.json"]
    place = list(dataset.info["columns"]).index("ill")
    assert dataset.array("features")[-1, place] == 1


@pytest.mark.pipeline
def test_a_mark_makes_stale_only_the_pipelines_that_learn_from_marks(project):
    def stale():
        return [it.stage for it in survey(project.root, ["mnist"])["mnist"]]

    raw = project.root / "data" / "feedback" / "mnist" / "raw"
    put(raw, {"3/new.png": picture(7, 28)})
    assert stale() == []
    shutil.rmtree(project.root / "data" / "feedback")
    assert stale() == [], "no folder is no error"
    put(raw, {"3/new.png": picture(7, 28)})
    project.set(data={"feedback": True})
    assert "ingest" in stale()
    project.run("dvc", "repro", "ingest@mnist")
    assert "ingest" not in stale()
    done = project.run("penstock", "crossval", "mnist", check=False)
    assert "data.feedback is true; expected no marked answers" in done.stderr
    dataset = Dataset(project.root / "data" / "mnist" / "dataset")
    assert marked(dataset) == {"feedback/mnist/raw/3/new.png": "train"}
    put(raw, {"4/another.png": picture(8, 28)})
    assert "ingest" in stale()


def test_no_marks_is_no_error(tmp_path):
    tiles(tmp_path)
    dataset = ingested(tmp_path, "pathology", split="ranked")
    assert marked(dataset) == {}
