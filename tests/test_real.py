"""The real MNIST, whole, with default parameters but for a quarter of the epochs."""

import pytest

from projects import Project, read


@pytest.mark.real
@pytest.mark.long
def test_three_epochs_come_near_the_accuracy_the_readme_names(tmp_path, real_mnist):
    """Already after 3 of 20 epochs: 0.9941, within the interval of the README's 0.9952."""
    digits = Project.create(tmp_path / "project")
    digits.set(source=str(real_mnist), train={"max_epochs": 3})
    digits.run("penstock", "run", "mnist")
    metrics = read(digits, "metrics.json")
    assert metrics["test/examples"] == 10_000
    assert metrics["test/accuracy"] >= 0.993
    assert metrics["test/accuracy_low"] < metrics["test/accuracy"] < metrics["test/accuracy_high"]
    assert metrics["test/shift_accuracy"] > 0.97
    assert metrics["test/calibration_error"] < 0.02
    info = read(digits, "dataset/dataset.json")
    assert info["found"] == info["examples"] == 70_000, "every image is taken"
    assert info["splits"]["test"]["examples"] == 10_000
    assert info["splits"]["validation"]["examples"] == pytest.approx(6_000, abs=250)
