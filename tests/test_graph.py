"""Graphs through all stages, by the commands users type."""

import json

import numpy as np
import pandas as pd
import pytest

from penstock.datasets.dataset import Dataset
from projects import finish_once

QUICK = {"train": {"max_epochs": 40}, "evaluate": {"as_new": 20}, "data": {"split": "hash"}}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finish_once(tmp_path_factory, "graph", **QUICK)


@pytest.fixture(scope="module")
def folder(finished):
    return finished.root / "data" / "graph"


@pytest.mark.pipeline
def test_papers_are_classified_measured_and_registered(folder):
    metrics = json.loads((folder / "metrics.json").read_text())
    assert 0.8 < metrics["test/accuracy"] < 1
    assert metrics["test/accuracy_low"] < metrics["test/accuracy"] < metrics["test/accuracy_high"]
    for name in ("label_propagation", "logistic"):
        assert metrics[f"test/accuracy_{name}"] < metrics["test/accuracy"]
    assert metrics["test/accuracy_as_new"] > 0.6
    assert metrics["test/gain_over_constant"] > 0.4
    receipt = json.loads((folder / "receipt.json").read_text())
    assert receipt["decision"] == "champion"
    assert receipt["proof"]["examples"] == metrics["test/examples"]


@pytest.mark.pipeline
def test_the_report_shows_where_it_fails(folder):
    page = (folder / "report.html").read_text()
    for title in (
        *("Beside edges or features alone", "Accuracy by degree", "Accuracy by homophily"),
        *("Map", "Around the worst mistakes", "The graph", "Calibration"),
    ):
        assert title in page
    scores = pd.read_parquet(folder / "evaluation" / "scores.parquet")
    for by in ("degree", "homophily"):
        table = pd.read_csv(folder / "evaluation" / "curves" / f"{by}.csv")
        assert (table["low"] <= table["accuracy"]).all()
        assert (table["accuracy"] <= table["high"]).all()
    degrees = pd.read_csv(folder / "evaluation" / "curves" / "degree.csv")
    assert degrees["examples"].sum() == len(scores)
    assert (degrees["examples"] @ degrees["accuracy"]) == pytest.approx(scores["correct"].sum())


@pytest.mark.pipeline
def test_nodes_known_and_new_are_answered(finished, folder, tmp_path):
    file, answers = tmp_path / "nodes.csv", tmp_path / "answers.csv"
    dataset = Dataset(folder / "dataset")
    nodes = pd.read_csv(finished.root / "data" / "samples" / "graph" / "nodes.csv")
    edges = np.array(dataset.array("edges"))
    ids = dataset.table("nodes")["id"].to_numpy()
    scores = pd.read_parquet(folder / "evaluation" / "scores.parquet").set_index("id")
    asked = scores[scores["correct"] == 1].nlargest(12, "confidence").index
    table = nodes.set_index("id").loc[asked].drop(columns="label").reset_index().copy()
    # The second half as new ones: their words, and whom they are linked to.
    table.insert(0, "node", np.where(np.arange(12) < 6, table["id"], "a new one"))
    places = {it: place for place, it in enumerate(ids)}
    table["neighbours"] = [
        ";".join(ids[np.setdiff1d(edges[(edges == places[it]).any(1)], [places[it]])])
        for it in table["id"]
    ]
    table["w005"] = [*table["w005"][:11], "many"]
    table.drop(columns="id").to_csv(file, index=False)
    done = finished.run(
        "penstock", "predict", "graph", str(file), "--csv", str(answers), check=False
    )
    assert done.returncode == 1, "one row has an error"
    found = pd.read_csv(answers)
    assert found["error"][11] == "line 13: w005: 'many' is no number"
    assert found["answered_as"].tolist()[:11] == ["known"] * 6 + ["new"] * 5
    classes = np.array(dataset.info["classes"])
    expected = classes[scores.loc[asked, "label"]]
    assert (found["label"][:6] == expected[:6]).all(), "as it was measured"
    assert (found["label"][6:11] == expected[6:11]).sum() >= 4, "of whom it was most certain"
    assert "features" not in found, "160 numbers are not repeated"
