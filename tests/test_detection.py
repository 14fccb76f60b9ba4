"""Detection through all stages on its sample, by the commands users type; and on BCCD, if here."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from faster_coco_eval import COCO
from PIL import Image

from penstock.datasets.dataset import Dataset
from projects import REAL, client_of, finish_once
from test_detection_data import coco, read

QUICK = {
    "model": {"channels": [8, 12, 16, 24, 32], "features": 16, "stride": 8},
    "train": {"max_epochs": 5, "min_steps": 0, "learning_rate": 0.01},
    "evaluate": {"gallery": 2, "resamples": 100},
    "register": {"limits": {"test/map50": [0.02, None]}},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finish_once(tmp_path_factory, "detection", **QUICK)


@pytest.fixture(scope="module")
def folder(finished):
    return finished.root / "data" / "detection"


@pytest.mark.pipeline
def test_cells_are_found_measured_and_registered(folder):
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["test/map50_low"] <= metrics["test/map50"] <= metrics["test/map50_high"]
    assert metrics["test/map"] < metrics["test/map50"]
    for name in ("map_small", "precision", "recall", "calibration_error"):
        assert 0 <= metrics[f"test/{name}"] <= 1
    receipt = json.loads((folder / "receipt.json").read_text())
    assert receipt["decision"] == "champion"
    assert receipt["proof"] == {"examples": metrics["test/examples"], "ties_flipped": 0}
    page = (folder / "report.html").read_text()
    for title in ("Counting", "Per class", "By size", "Precision and recall", "Worst image 2"):
        assert title in page
    scores = pd.read_parquet(folder / "evaluation" / "scores.parquet")
    assert sum(map(sum, scores["objects"])) == metrics["test/objects"]


@pytest.mark.pipeline
def test_predict_answers_in_rows_in_a_picture_and_as_coco(finished, folder, tmp_path):
    dataset = Dataset(folder / "dataset")
    name = dataset.examples("test")["id"][0]
    file = finished.root / "data" / "samples" / "detection" / name
    with Image.open(file) as image:
        image.resize((300, 200)).save(tmp_path / "larger.png")
    (tmp_path / "broken.png").write_bytes(b"no image")
    files = [str(file), *(str(tmp_path / it) for it in ("larger.png", "broken.png"))]
    saved = tmp_path / "out"
    done = finished.run(
        "penstock", "predict", "detection", *files, "-o", "confidence=0.05", "--save", str(saved),
        "--json", check=False,
    )  # fmt: skip
    assert done.returncode == 1, "one file is no image"
    first, second, third = map(json.loads, done.stdout.splitlines())
    assert third["error"].startswith("not an image file")
    assert first["counts"]
    assert len(first["labels"]) == len(first["confidences"]) == len(first["xmin"]) > 0
    assert min(first["confidences"]) >= 0.05
    assert max(second["xmax"]) <= 300
    pictures = {it.name: it for it in saved.iterdir()}
    stem = file.stem
    assert set(pictures) == {
        *(f"{stem}.{it}" for it in ("picture.png", "coco.json")),
        *("larger.picture.png", "larger.coco.json"),
    }
    with Image.open(pictures["larger.picture.png"]) as picture:
        assert picture.size == (300, 200)
    document = COCO(str(pictures[f"{stem}.coco.json"]))
    assert len(document.anns) == len(first["labels"])
    source = tmp_path / "again"  # what was found is annotations to begin with
    (source / "images").mkdir(parents=True)
    shutil.copy(file, source / "images")
    shutil.copy(pictures[f"{stem}.coco.json"], source)
    again = read(source, tmp_path / "dataset")
    assert len(again.array("boxes")) + len(again.rejected) == len(first["labels"])

    shown = finished.run("penstock", "predict", "detection", str(file), "-o", "confidence=0.05")
    lines = [it for it in shown.stdout.splitlines() if first["labels"][0] in it]
    assert f"{first['xmin'][0]:.4g}" in lines[0], "a line has the class and the corners of a box"
    assert "candidates" not in shown.stdout


@pytest.mark.pipeline
def test_a_second_model_is_compared_by_the_precision_on_the_same_images(finished, tmp_path):
    project = finished.copy(tmp_path / "project")
    project.set("detection", train={"max_epochs": 2}, register={"limits": {}})
    project.run("penstock", "run", "detection")
    receipt = json.loads((project.root / "data" / "detection" / "receipt.json").read_text())
    (comparison,) = receipt["comparisons"]
    assert comparison["scores"] == "stored"
    assert comparison["units"] == receipt["metrics"]["test/examples"]
    assert receipt["reason"].startswith("test/map50 against champion v1 on ")
    version = client_of(project).get_model_version_by_alias("detection", "challenger")
    assert int(version.version) == 2


@pytest.fixture(scope="session")
def bccd():
    folder = REAL / "detection" / "BCCD"
    if not folder.is_dir():
        pytest.skip(f"real data: {folder} is not here")
    return folder


@pytest.mark.real
def test_blood_cells_are_read_with_their_lists_and_flaws(bccd, tmp_path):
    dataset = read(bccd, tmp_path / "dataset")
    splits = {name: it["examples"] for name, it in dataset.info["splits"].items()}
    assert splits == {"train": 205, "validation": 87, "test": 72}
    assert dataset.rejected["id"].tolist() == [
        "JPEGImages/BloodImage_00338.jpg: RBC at 504, 337, 504, 337",
        "JPEGImages/BloodImage_00343.jpg: RBC at 181, 329, 181, 329",
    ]
    assert set(dataset.rejected["reason"]) == {"empty: no width or no height"}
    classes, counts = np.unique(dataset.array("labels"), return_counts=True)
    assert dataset.info["classes"] == ["Platelets", "RBC", "WBC"]
    assert dict(zip(classes.tolist(), counts.tolist(), strict=True)) == {0: 361, 1: 4153, 2: 372}


@pytest.mark.real
def test_blood_cells_in_another_format_are_the_same_dataset(bccd, tmp_path):
    ours = read(bccd, tmp_path / "voc")
    source = tmp_path / "source"
    (source / "JPEGImages").mkdir(parents=True)
    shutil.copytree(bccd / "ImageSets", source / "ImageSets")
    for image in (bccd / "JPEGImages").iterdir():
        shutil.copy(image, source / "JPEGImages")
    boxes = [
        {
            "id": number,
            "image_id": image,
            "category_id": int(label),
            "bbox": [*map(float, (*box[:2], *(box[2:] - box[:2])))],
        }
        for number, (image, box, label) in enumerate(
            zip(
                np.repeat(np.arange(len(ours.index)), ours.index["boxes"]).tolist(),
                ours.array("boxes"),
                ours.array("labels"),
                strict=True,
            )
        )
    ]
    boxes += [
        {"id": -1, "image_id": int(ours.index["id"].str.contains(f"00{name}").idxmax()),
         "category_id": 1, "bbox": [x, y, 0, 0]}
        for name, x, y in (("338", 504, 337), ("343", 181, 329))
    ]  # fmt: skip
    content = coco(
        {},
        images=[
            {"id": number, "file_name": name.rpartition("/")[2], "width": 640, "height": 480}
            for number, name in enumerate(ours.index["id"])
        ],
        categories=[{"id": n, "name": name} for n, name in enumerate(ours.info["classes"])],
        annotations=boxes,
    )
    (source / "annotations.json").write_bytes(content)
    theirs = read(source, tmp_path / "coco")
    assert theirs.info["digest"] == ours.info["digest"]
