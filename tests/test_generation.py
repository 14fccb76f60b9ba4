"""Generation through all stages, by the commands users type."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from penstock.datasets.dataset import Dataset
from penstock.learning.trained import load_trained
from penstock.pipelines.generation.drawing import draw
from projects import client_of, finish_once

QUICK = {
    "model": {"channels": [16, 8, 8], "discriminator": [8, 16]},
    "train": {"min_steps": 60, "max_epochs": 2},
    "register": {"limits": {"test/coverage": [0.0, None]}},
}
CODER = {"kind": "autoencoder", "channels": [8, 8], "code": 32, "pooling": "stride"}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finish_once(tmp_path_factory, "generation", **QUICK)


@pytest.fixture(scope="module")
def folder(finished):
    return finished.root / "data" / "generation"


@pytest.mark.pipeline
def test_digits_are_drawn_measured_and_registered(finished, folder):
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["test/frechet_floor"] < metrics["test/frechet_distance"]
    assert metrics["test/frechet_distance_low"] < metrics["test/frechet_distance_high"]
    for name in ("precision", "recall", "coverage"):
        assert 0 <= metrics[f"test/{name}"] <= 1
    assert json.loads((folder / "receipt.json").read_text())["decision"] == "champion"
    page = (folder / "report.html").read_text()
    for title in ("Drawn pictures", "How it learned to draw", "Distances", "Classes"):
        assert title in page
    assert "data:image/gif;base64," in page
    client = client_of(finished)
    (run,) = client.search_runs([client.get_experiment_by_name("generation").experiment_id])
    drawn = [it.path for it in client.list_artifacts(run.info.run_id, "images")]
    assert len([it for it in drawn if "drawn" in it]) >= 2, "a sheet of each epoch"


@pytest.mark.pipeline
def test_a_seed_is_the_same_picture_once_registered(finished, folder, tmp_path):
    file = tmp_path / "seeds.csv"
    pd.DataFrame({"seed": ["4", "no", "0"]}).to_csv(file, index=False)
    done = finished.run(
        "penstock", "predict", "generation", str(file), "--save", str(tmp_path / "out"), check=False
    )
    assert done.returncode == 1, "one row has an error"
    assert "seed no: expected a whole number" in done.stdout + done.stderr
    network, _ = load_trained(folder / "model")
    expected = draw(network, np.array([4, 0]), np.zeros(2, int))
    files = sorted((tmp_path / "out").iterdir())
    assert [it.name for it in files] == ["seeds-2.picture.png", "seeds.picture.png"]
    shown = {it.name: np.asarray(Image.open(io.BytesIO(it.read_bytes()))) for it in files}
    assert (shown["seeds.picture.png"] == expected[0]).all()
    assert (shown["seeds-2.picture.png"] == expected[1]).all()


@pytest.mark.pipeline
def test_another_kind_is_not_compared_and_has_its_own_inputs(finished, tmp_path):
    project = finished.copy(tmp_path / "project")
    project.replace("model", CODER, "generation")
    project.set(
        "generation",
        register={"limits": {}, "replace_incomparable": True},
        train={"noise": 0.2, "max_epochs": 20, "momentum": 0.9},
    )
    done = project.run("penstock", "run", "generation")
    assert "> penstock ingest" not in done.stdout
    root = project.root / "data" / "generation"
    receipt = json.loads((root / "receipt.json").read_text())
    assert receipt["decision"] == "champion"
    assert (
        "cannot be compared with: it is measured by test/frechet_distance, and this model by "
        "test/cross_entropy" in receipt["reason"]
    )
    metrics = receipt["metrics"]
    assert metrics["test/cross_entropy"] < 0.6
    assert metrics["test/denoising_gain"] > 0, "it has learned to"
    assert metrics["test/auroc_noise"] > 0.9
    dataset = Dataset(root / "dataset")
    image = dataset.array("images")[dataset.rows("test")[0]]
    for name, pixels in (("digit", image), ("large", np.zeros((40, 40), np.uint8))):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    done = project.run(
        "penstock", "predict", "generation", str(tmp_path / "digit.png"),
        str(tmp_path / "large.png"), "--json", check=False,
    )  # fmt: skip
    assert done.returncode == 1
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["error"] == ""
    assert first["loss"] > 0
    assert second["error"].startswith("40x40 pixels; expected 28x28, as data.image_size says")
