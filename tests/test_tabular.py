"""Tables through all stages, by the commands users type; what models of tables answer."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from ruamel.yaml import YAML
from sklearn.datasets import load_diabetes

from penstock.pipelines.tabular.evaluate import measure_importance
from penstock.pipelines.tabular.network import FrontEnd, network
from penstock.pipelines.tabular.params import Network, Perceptron, Train
from penstock.pipelines.tabular.plane import Plane
from penstock.pipelines.tabular.train import (
    PerceptronClassifier,
    SquaredErrorClassifier,
    measure,
)
from projects import Project, client_of, finish_once

COLUMNS = {
    "n": {"type": "number", "values": [], "missing": 0.1},
    "c": {"type": "category", "values": ["red", "green"], "missing": 0.0},
    "m": {"type": "number", "values": [], "missing": 0.0},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finish_once(tmp_path_factory, "tabular")


@pytest.fixture(scope="module")
def folder(finished):
    return finished.root / "data" / "tabular"


@pytest.mark.pipeline
def test_iris_is_learned_and_registered(folder):
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["test/accuracy"] > 0.85
    assert metrics["test/accuracy_low"] < metrics["test/accuracy"] < 1
    for name in ("linear", "boosted"):
        assert metrics[f"test/accuracy_{name}"] > 0.85
    assert metrics["test/gain_over_constant"] > 0.5
    assert json.loads((folder / "receipt.json").read_text())["decision"] == "champion"


@pytest.mark.pipeline
def test_the_report_shows_what_the_model_goes_by(folder):
    page = (folder / "report.html").read_text()
    for title in ("Beside classical methods", "What matters", "Decision regions", "Calibration"):
        assert title in page
    importance = pd.read_csv(folder / "evaluation" / "curves" / "importance.csv")
    assert importance["column"][0].startswith("petal"), "lengths of petals tell species apart"


@pytest.mark.pipeline
def test_a_table_is_answered_with_a_table(finished, tmp_path):
    given = pd.read_csv(finished.root / "data" / "samples" / "tabular" / "iris.csv")
    given = given.sample(12, random_state=0).drop(columns="species").astype(object)
    given.insert(0, "plant", [f"plant {it}" for it in range(12)])
    given.iloc[3, 2] = "wide"
    given.iloc[5, 3] = None
    given.to_csv(tmp_path / "rows.csv", index=False)
    answers = tmp_path / "answers.csv"
    done = finished.run(
        "penstock", "predict", "tabular", str(tmp_path / "rows.csv"), "--csv", str(answers),
        check=False,
    )  # fmt: skip
    assert done.returncode == 1, "one row has an error"
    found = pd.read_csv(answers)
    assert list(found["plant"]) == [f"plant {it}" for it in range(12)]
    assert found["error"][3] == "line 5: sepal width (cm): 'wide' is no number"
    assert pd.isna(found["label"][3])
    rest = found.drop(index=3)
    assert rest["error"].isna().all()
    assert set(rest["label"]) == {"setosa", "versicolor", "virginica"}
    assert all(abs(sum(json.loads(it)) - 1) < 1e-5 for it in rest["probabilities"])
    nowhere = tmp_path / "no" / "answers.csv"
    done = finished.run(
        "penstock", "predict", "tabular", str(tmp_path / "rows.csv"), "--csv", str(nowhere),
        check=False,
    )  # fmt: skip
    assert f"{nowhere}: " in done.stderr
    lacking = given.drop(columns="petal width (cm)")
    lacking.to_csv(tmp_path / "rows.csv", index=False)
    done = finished.run("penstock", "predict", "tabular", str(tmp_path / "rows.csv"), check=False)
    assert "no column petal width (cm); found plant" in done.stderr


@pytest.mark.pipeline
def test_own_data_is_looked_at_pinned_learned_and_guarded(tmp_path):
    mine = Project.create(tmp_path / "project")
    mine.keep("tabular")
    table = load_diabetes(as_frame=True).frame.round(4)
    table.insert(0, "ward", [f"ward {it % 5}" for it in range(len(table))])
    (mine.root / "mine").mkdir()
    table.to_csv(mine.root / "mine" / "patients.csv", index=False)
    before = (mine.root / "params.yaml").read_text()
    settings = ("-S", "source=mine", "-S", "data.target=target")
    said = mine.run("penstock", "look", "tabular", *settings, "--pin").stdout
    assert "regression of target from 11 columns" in said
    assert "pinned 11 columns in params.yaml" in said
    after = (mine.root / "params.yaml").read_text()
    assert after.splitlines()[:5] == before.splitlines()[:5], "comments stay"
    section = YAML(typ="safe").load(after)["pipelines"]["tabular"]
    assert section["source"] == "mine"
    assert section["data"]["columns"]["bmi"]["type"] == "number"
    assert section["data"]["columns"]["ward"]["values"][0].startswith("ward")
    mine.run("penstock", "run", "tabular")
    metrics = json.loads((mine.root / "data" / "tabular" / "metrics.json").read_text())
    assert metrics["test/rmse_low"] < metrics["test/rmse"] < metrics["test/rmse_high"]
    assert metrics["test/rmse"] < 1.1 * metrics["test/rmse_linear"]
    assert "Residuals" in (mine.root / "data" / "tabular" / "report.html").read_text()
    champion = client_of(mine).get_model_version_by_alias("tabular", "champion")
    table.assign(bmi=table["bmi"] * 100).to_csv(mine.root / "mine" / "patients.csv", index=False)
    done = mine.run("penstock", "run", "tabular", check=False)
    assert done.returncode == 1
    assert "column=bmi" in done.stderr
    assert "`penstock look tabular --pin`" in done.stderr
    still = client_of(mine).get_model_version_by_alias("tabular", "champion")
    assert still.version == champion.version
    asked = table.head(3).drop(columns="target")
    asked.to_csv(tmp_path / "rows.csv", index=False)
    rows = mine.run("penstock", "predict", "tabular", str(tmp_path / "rows.csv"), "--json").stdout
    assert all(25 < json.loads(line)["prediction"] < 350 for line in rows.splitlines())


def test_the_front_end_standardises_and_says_what_is_missing():
    chance = np.random.default_rng(0)
    features = chance.normal(1e6, 3, (5000, 3)).astype(np.float32)
    features[:, 1] = chance.integers(0, 4, 5000)
    features[::7, 0] = np.nan
    front = FrontEnd(COLUMNS)
    measure(front, features, np.arange(5000))
    seen = front(torch.from_numpy(features)).numpy()
    assert seen.shape == (5000, front.width) == (5000, 2 + 1 + 4)
    assert seen[:, 1].mean() == pytest.approx(0, abs=0.05)
    assert seen[:, 1].std() == pytest.approx(1, abs=0.05)
    assert (seen[::7, 0] == 0).all(), "a missing number is the mean"
    assert np.array_equal(seen[:, 2], np.isnan(features[:, 0]))
    assert (seen[:, 3:].argmax(1) == features[:, 1]).all()
    measure(front, np.ones((10, 3), np.float32), np.arange(10))
    constant = front(torch.ones(10, 3)).numpy()
    assert np.isfinite(constant).all(), "a constant divides by nothing"


def test_a_perceptron_moves_by_what_it_gets_wrong_only():
    info = {"columns": {"m": COLUMNS["m"]}, "classes": ["a", "b"], "target": "t"}
    net = network(Perceptron(), info)
    net.layers.weight.data = torch.tensor([[1.0], [-1.0]])
    net.layers.bias.data.zero_()
    learner = PerceptronClassifier(net, Train(learning_rate=0.5))
    step = learner.configure_optimizers()
    for value, label, weights in ((2.0, 0, [1.0, -1.0]), (2.0, 1, [0.0, 0.0])):
        step.zero_grad()
        batch = {"inputs": torch.tensor([[value]]), "label": torch.tensor([label])}
        learner.training_step(batch, 0).backward()
        step.step()
        # Right: nothing moves. Wrong: both move by the input, times the rate, to their side.
        assert net.layers.weight.data[:, 0].tolist() == pytest.approx(weights)


def test_squared_error_is_that_of_sigmoid_outputs_and_shares_are_theirs():
    info = {"columns": {"m": COLUMNS["m"]}, "classes": ["a", "b", "c"], "target": "t"}
    net = network(Network(hidden=[], loss="squared_error"), info)
    net.layers[0].weight.data.zero_()
    net.layers[0].bias.data = torch.tensor([0.0, 0.0, 1.0])
    logits = net(torch.zeros(1, 1))
    sigmoids = torch.tensor([0.5, 0.5, 1 / (1 + np.exp(-1))])
    loss = SquaredErrorClassifier(net, Train()).loss(logits, torch.tensor([2]), 0.0, None)
    assert loss.item() == pytest.approx(0.25 + 0.25 + (1 - float(sigmoids[2])) ** 2)
    shares = logits.softmax(1)[0]
    assert shares.tolist() == pytest.approx((sigmoids / sigmoids.sum()).tolist())


def test_importance_finds_the_column_that_matters():
    columns = dict.fromkeys("abc", COLUMNS["m"])
    net = network(Network(hidden=[]), {"columns": columns, "target": "t"})
    net.layers[0].weight.data = torch.tensor([[0.0, 0.0, 3.0]])
    net.layers[0].bias.data.zero_()
    features = np.random.default_rng(0).normal(size=(3000, 3)).astype(np.float32)
    table = measure_importance(net, features, features[:, 2] * 3, ["a", "b", "c"], 3)
    assert table["column"][0] == "c"
    assert table["importance"][0] == pytest.approx(18, rel=0.1), "twice the variance"
    assert table["importance"][1:].to_numpy() == pytest.approx(0, abs=1e-6)


def test_a_plane_changes_two_columns_only():
    features = np.array([[0, 1, 5], [2, 1, 7], [4, 0, 9]], np.float32)
    plane = Plane(features, ("n", "m"), COLUMNS)
    grid = plane.grid()
    assert (grid[:, 1] == 1).all(), "the most frequent category"
    left, right, bottom, top = plane.extent
    assert grid[0].tolist() == pytest.approx([left, 1, bottom])
    assert grid[-1].tolist() == pytest.approx([right, 1, top])
    image = plane.as_image(grid[:, 2])
    assert (image[0] == bottom).all(), "a row of the image is a value of the second column"
