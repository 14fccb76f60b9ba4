"""Dialogues through all stages, by the commands users type."""

import json

import pytest

from penstock.datasets.dataset import Dataset
from penstock.learning.trained import load_trained
from projects import finish_once

QUICK = {"evaluate": {"generated": 40, "resamples": 100}}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finish_once(tmp_path_factory, "dialogue", **QUICK)


@pytest.fixture(scope="module")
def folder(finished):
    return finished.root / "data" / "dialogue"


@pytest.fixture(scope="module")
def trained(folder):
    return Dataset(folder / "dataset"), load_trained(folder / "model")[0]


def answers(project, *arguments):
    done = project.run("penstock", "predict", "dialogue", *arguments, "--json", check=False)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@pytest.mark.pipeline
def test_a_sample_is_learned_measured_and_registered(finished, folder):
    metrics = json.loads((folder / "metrics.json").read_text())
    recall = metrics["test/recall_at_1_of_10"]
    assert metrics["test/recall_at_1_of_10_low"] < recall < metrics["test/recall_at_1_of_10_high"]
    assert metrics["test/tfidf_recall_at_1_of_10"] < 0.5 < recall < 0.95
    assert metrics["test/recall_at_1_of_100"] < metrics["test/mrr"] < recall
    assert json.loads((folder / "receipt.json").read_text())["decision"] == "champion"
    page = (folder / "report.html").read_text()
    for title in ("Card", "Which reply was it", "Replies to test contexts"):
        assert title in page
    assert "made by rules, for anybody to use" in page
