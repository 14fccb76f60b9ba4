"""The real MNIST, whole, with default parameters."""

import json

import pytest

from projects import Project

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory, real_mnist) -> Project:
    project = Project.create(tmp_path_factory.mktemp("real") / "project")
    project.set(source=str(real_mnist))
    project.run("penstock", "run", "mnist")
    return project


def test_defaults_reach_the_accuracy_the_readme_promises(digits):
    metrics = json.loads((digits.root / "data" / "mnist" / "metrics.json").read_text())
    assert metrics["test/examples"] == 10_000
    assert metrics["test/accuracy"] >= 0.993
    assert metrics["test/accuracy_low"] < metrics["test/accuracy"] < metrics["test/accuracy_high"]
    assert metrics["test/shift_accuracy"] > 0.97
    assert metrics["test/calibration_error"] < 0.02


def test_every_image_is_taken_and_the_official_test_set_kept(digits):
    info = json.loads((digits.root / "data" / "mnist" / "dataset" / "dataset.json").read_text())
    assert info["found"] == info["examples"] == 70_000
    assert info["splits"]["test"]["examples"] == 10_000
    assert info["splits"]["validation"]["examples"] == pytest.approx(6_000, abs=250)


def test_a_network_that_ignores_position_falls_apart_when_digits_move(digits):
    """What shift robustness is for: the MLP is fine until the digits are moved."""
    mlp = {"kind": "mlp", "hidden": [256], "batch_norm": False, "dropout": 0.0}
    params = digits.root / "params.yaml"
    before = params.read_text()
    try:
        digits.set(train={"max_shift": 0, "max_epochs": 2})
        _set_model(digits, mlp)
        digits.run("penstock", "train", "mnist")
        digits.run("penstock", "evaluate", "mnist")
        metrics = json.loads((digits.root / "data" / "mnist" / "metrics.json").read_text())
    finally:
        params.write_text(before)
    assert metrics["test/accuracy"] > 0.96
    assert metrics["test/shift_accuracy"] < 0.6


def _set_model(project: Project, model: dict) -> None:
    from ruamel.yaml import YAML

    yaml = YAML()
    file = project.root / "params.yaml"
    content = yaml.load(file)
    content["pipelines"]["mnist"]["model"] = model
    yaml.dump(content, file)
