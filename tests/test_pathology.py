"""Pathology through all stages on its sample, by the commands users type."""

import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from penstock.datasets.dataset import Dataset
from penstock.project.workspace import Workspace
from penstock.running.repro import reproduce
from penstock.running.steps import plan
from projects import finish_once

pytestmark = pytest.mark.pipeline

QUICK = {
    "data": {"image_size": 48},
    "train": {"max_epochs": 10, "min_steps": 0},
    "evaluate": {"gallery": 2, "resamples": 200},
    "register": {
        "limits": {"test/accuracy": [0.6, None], "test/sensitivity": [0.5, None]},
    },
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finish_once(tmp_path_factory, "pathology", **QUICK)


@pytest.fixture(scope="module")
def folder(finished):
    return finished.root / "data" / "pathology"


def test_it_learns_what_colour_does_not_tell(folder):
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["test/accuracy"] > 0.8
    assert metrics["test/mean_colour_accuracy"] < 0.65
    assert metrics["test/accuracy_low"] < metrics["test/accuracy"]
    for name in ("roc_auc", "pr_auc", "sensitivity", "specificity", "threshold"):
        assert 0 <= metrics[f"test/{name}"] <= 1
    assert json.loads((folder / "receipt.json").read_text())["decision"] == "champion"


def test_a_group_is_in_one_split_only(folder):
    index = Dataset(folder / "dataset").index
    assert len(index) == 360
    assert index.groupby("group")["split"].nunique().max() == 1
    assert index.groupby("group").size().max() == 3


def test_the_report_shows_where_the_network_looked(folder):
    page = (folder / "report.html").read_text()
    assert "Grad-CAM" in page
    assert "ROC" in page


def test_predict_takes_other_sizes_and_modes_and_shows_where_it_looked(finished, tmp_path):
    tile = Image.open(finished.root / "data/samples/pathology/malignant" / first(finished))
    files = []
    for name, image in {
        "large.jpg": tile.resize((700, 500)),
        "cmyk.tif": tile.convert("CMYK"),
        "grey.png": tile.convert("L"),
        "alpha.webp": tile.convert("RGBA"),
        "palette.bmp": tile.convert("P"),
    }.items():
        image.save(tmp_path / name)
        files.append(str(tmp_path / name))
    asked = ["-o", "gradcam=true", "--save", str(tmp_path / "maps"), "--json"]
    done = finished.run("penstock", "predict", "pathology", *files, *asked)
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [answer["label"] in ("benign", "malignant") for answer in answers] == [True] * 5
    maps = sorted((tmp_path / "maps").iterdir())
    assert len(maps) == 5
    assert Image.open(maps[0]).size == (48, 48)
    refused = finished.run("penstock", "predict", "pathology", *files, "-o", "cam=1", check=False)
    assert refused.returncode == 1
    assert "gradcam" in refused.stderr


def first(project):
    return sorted((project.root / "data/samples/pathology/malignant").iterdir())[0].name


def test_bad_files_are_rejected_by_name_and_the_rest_is_taken(finished, tmp_path, monkeypatch):
    project = finished.copy(tmp_path / "project")
    source = project.root / "data" / "mine"
    (project.root / "data" / "samples" / "pathology").rename(source)
    tile = source / "benign" / sorted((source / "benign").iterdir())[0].name
    (source / "benign" / "cut.jpg").write_bytes(tile.read_bytes()[:700])
    (source / "benign" / "text.png").write_text("no image")
    noise = np.random.default_rng(0).integers(0, 255, (90, 90, 3), np.uint8)
    Image.fromarray(noise).save(source / "malignant" / "肿瘤.png")
    (source / "malignant" / "out.png").symlink_to(tmp_path / "project" / "params.yaml")
    (source / "empty").mkdir()
    project.set("pathology", source="data/mine", data={"ungrouped": "alone"})
    done = project.run("penstock", "ingest", "pathology")
    assert "365 found, 361 taken" in done.stdout
    for key, value in project.environment().items():
        monkeypatch.setenv(key, value)
    monkeypatch.chdir(project.root)
    (ingest,) = [
        it for it in plan(Workspace.open("pathology", project.root)) if it.stage == "ingest"
    ]
    assert reproduce(project.root, ingest) == "ran", "DVC does not stop at them"
    dataset = Dataset(project.root / "data" / "pathology" / "dataset")
    assert "malignant/肿瘤.png" in set(dataset.index["id"])
    reasons = dict(dataset.rejected.itertuples(index=False))
    assert set(reasons) == {"benign/cut.jpg", "benign/text.png", "malignant/out.png", "empty"}
    assert "class folder with no image" in reasons["empty"]


def test_the_gate_refuses_a_low_sensitivity_whatever_the_accuracy(finished, tmp_path):
    project = finished.copy(tmp_path / "project")
    project.set("pathology", register={"limits": {"test/sensitivity": [1.01, None]}})
    project.run("penstock", "register", "pathology")
    receipt = json.loads((project.root / "data" / "pathology" / "receipt.json").read_text())
    assert receipt["decision"] == "refused"
    assert "test/sensitivity" in receipt["reason"]


def test_scores_are_per_example_with_their_group(folder):
    scores = pd.read_parquet(folder / "evaluation" / "scores.parquet")
    assert {"id", "group", "label", "predicted", "correct", "loss"} <= set(scores)
