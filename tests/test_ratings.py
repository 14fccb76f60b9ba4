"""Ratings through all stages on its sample, by the commands users type; what models answer."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from penstock.datasets.dataset import Dataset, DatasetWriter
from penstock.learning.weights import load_weights, save_weights
from penstock.pipelines.ratings import train
from penstock.pipelines.ratings.gibbs import draw_prior
from penstock.pipelines.ratings.ingest import ingest
from penstock.pipelines.ratings.network import network
from penstock.pipelines.ratings.params import Bayesian, Factors, Neural, Train
from penstock.pipelines.ratings.predict import OPTIONS, predict
from penstock.pipelines.ratings.train import keep_at, learner
from penstock.settings.explanation import default_params
from projects import REAL, Project, finish_once

QUICK = {"model": {"factors": 4, "samples": 10}, "train": {"max_epochs": 40}}
KINDS = [Bayesian(factors=3, samples=4), Factors(factors=5), Neural(factors=6, dense=8)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finish_once(tmp_path_factory, "ratings", **QUICK)


@pytest.fixture(scope="module")
def folder(finished):
    return finished.root / "data" / "ratings"


@pytest.mark.pipeline
def test_it_comes_near_the_best_there_can_be_and_beats_what_is_easy(folder):
    metrics = json.loads((folder / "metrics.json").read_text())
    assert (
        metrics["test/rmse_reference"]
        < metrics["test/rmse"]
        < 1.05 * metrics["test/rmse_reference"]
    )
    for baseline in ("mean", "biases", "neighbours"):
        assert metrics["test/rmse"] < metrics[f"test/rmse_{baseline}"]
    assert metrics["test/rmse_low"] < metrics["test/rmse"] < metrics["test/rmse_high"]
    for name in ("precision", "recall", "f1", "ndcg", "map", "coverage"):
        assert 0 < metrics[f"test/{name}_at_10"] < 1
        assert 0 < metrics[f"test/{name}_at_10_popular"] < 1
    assert json.loads((folder / "receipt.json").read_text())["decision"] == "champion"


@pytest.mark.pipeline
def test_the_report_shows_users_what_they_liked_and_what_is_recommended(folder):
    page = (folder / "report.html").read_text()
    assert "What users liked, and what is recommended" in page
    assert "Errors beside baselines" in page
    assert "Error by popularity of the item" in page


@pytest.mark.pipeline
def test_predict_rates_pairs_recommends_to_users_and_flags_unknown_users(finished, tmp_path):
    file = tmp_path / "questions.csv"
    file.write_text("user,item\nu0001,100\nu0001,\nnobody,100\nu0002,nothing\nnobody,\n")
    done = finished.run("penstock", "predict", "ratings", str(file), "-o", "count=5", "--json")
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["unknown"] for row in rows] == ["", "", "user", "item", "user"]
    assert all(0.5 <= rows[n]["rating"] <= 5 for n in (0, 2, 3))
    dataset = Dataset(finished.root / "data" / "ratings" / "dataset")
    users, items = (dataset.table(name)["id"] for name in ("users", "items"))
    index = dataset.index
    rated = set(items[index["item"][users[index["user"]].to_numpy() == "u0001"]])
    assert len(rows[1]["items"]) == len(rows[1]["titles"]) == 5
    assert not rated & set(rows[1]["items"])
    assert rows[4]["items"], "an unknown user is recommended what most people like"
    assert rows[1]["rating"] is None
    file.write_text("MovieId,UserID\n100,u0001\n100,u0001,5\n100,\n,u0002\n")
    done = finished.run("penstock", "predict", "ratings", str(file), "--json", check=False)
    assert done.returncode == 1, "some rows are none"
    pair, long, nobody, user = map(json.loads, done.stdout.splitlines())
    assert pair["rating"] == pytest.approx(rows[0]["rating"])
    assert (pair["error"], user["error"]) == ("", "")
    assert user["items"]
    assert long["error"] == "line 3: 3 values; expected 2"
    assert nobody["error"] == "no user"
    assert nobody["items"] is nobody["rating"] is None
    file.write_text("user,item\n")
    done = finished.run("penstock", "predict", "ratings", str(file), check=False)
    assert done.stderr == f"penstock: error: {file}: no rows; expected at least one to predict\n"
    file.write_text("name,item\na,b\n")
    done = finished.run("penstock", "predict", "ratings", str(file), check=False)
    assert "error: questions.csv: no column user; found name, item; expected" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A dataset of 30 users and 20 items, some of them only in test."""
    folder = tmp_path_factory.mktemp("small")
    chance = np.random.default_rng(0)
    pairs = chance.permutation(600)[:400]
    lines = [
        f"u{p // 20},i{p % 20},{1 + (p // 20 + p % 20) % 5},{n}\n" for n, p in enumerate(pairs)
    ]
    (folder / "train.csv").write_text("".join(lines))
    (folder / "test.csv").write_text("new,i1,3,900\nu1,unseen,4,901\n" + "u2,i3,2,902\n")
    params = default_params("ratings")
    data = params.data.model_copy(update={"split": "files"})
    with DatasetWriter(folder / "dataset") as writer:
        ingest(folder, writer, params.model_copy(update={"data": data}))
    return Dataset(folder / "dataset")


@pytest.mark.parametrize("model", KINDS, ids=lambda it: it.kind)
def test_every_kind_comes_back_from_disk_and_answers_alike(small, tmp_path, model):
    params = default_params("ratings").model_copy(update={"model": model})
    torch.manual_seed(0)
    recommender = network(model, small.info)
    wrapped = learner(recommender, params, small)
    if model.kind == "bpmf":
        for _ in range(3):
            recommender.keep(wrapped.vectors["user"], wrapped.vectors["item"])
    save_weights(recommender, tmp_path)
    again = network(model, small.info)
    load_weights(again, tmp_path)
    questions = pd.DataFrame(
        {"user": ["u1", "u2", "new", "?"], "item": ["i1", "unseen", "i1", "?"]}
    )
    ours, theirs = (
        predict(it.eval(), questions, small.info, OPTIONS) for it in (recommender, again)
    )
    assert ours["rating"].tolist() == theirs["rating"].tolist()
    assert ours["unknown"].tolist() == ["", "item", "user", "user and item"]
    lists = predict(again, pd.DataFrame({"user": ["u1", "?"]}), small.info, {"count": 30})
    assert "unseen" not in lists["items"][0], "nobody has rated it in training"
    users = torch.tensor([0, 3])
    pairs = torch.tensor([[0] * 20, [3] * 20]).flatten(), torch.arange(20).repeat(2)
    every = recommender.rate_all(users)[:, :20].flatten()
    assert torch.allclose(every, recommender.rate(*pairs), atol=1e-5)


def test_the_prior_comes_from_what_is_rated(small, monkeypatch):
    """Vectors of users and items that only the test split has say nothing of the others."""
    params = default_params("ratings").model_copy(update={"model": Bayesian(factors=2, samples=3)})
    wrapped = learner(network(params.model, small.info), params, small)
    seen = []
    monkeypatch.setattr(train, "draw_prior", lambda it: seen.append(len(it)) or draw_prior(it))
    rows = small.rows("train")
    columns = small.columns("user", "item", "rating")
    wrapped.batches = [{name: torch.from_numpy(it[rows]) for name, it in columns.items()}]
    wrapped.keep_at = set()
    wrapped._sweep()
    assert seen == [len(np.unique(columns[side][rows])) for side in ("user", "item")]
    assert seen == [30, 20]
    assert (small.info["users"], small.info["items"]) == (31, 21)


def test_kept_samples_average(small):
    recommender = network(Bayesian(factors=2, samples=3), small.info)
    users = [torch.randn(recommender.users + 1, 3) for _ in range(3)]
    items = [torch.randn(recommender.items + 1, 3) for _ in range(3)]
    for user, item in zip(users, items, strict=True):
        recommender.keep(user, item)
    rated = recommender.rate(torch.tensor([4]), torch.tensor([5]))
    each = [u[4, :2] @ i[5, :2] + u[4, 2] + i[5, 2] for u, i in zip(users, items, strict=True)]
    assert rated.item() == pytest.approx(np.mean([float(it) for it in each]), abs=1e-5)


def test_draws_are_kept_at_even_distances_after_the_burn_in():
    assert sorted(keep_at(20, 0.5, 5)) == [11, 13, 15, 17, 20]
    assert keep_at(1, 0.9, 5) == {1}
    assert max(keep_at(160, 0.25, 40)) == 160


def test_what_is_learned_from_cannot_be_chosen_by():
    assert Train().splits == ("train", "validation")
    assert Train(on_validation_too=False, keep="best", patience=3).splits == ("train",)
    for settings in ({"keep": "best"}, {"patience": 3}):
        with pytest.raises(ValueError, match="leaves nothing to choose by"):
            Train(**settings)


@pytest.mark.real
@pytest.mark.pipeline
def test_defaults_reach_the_error_the_readme_promises_on_movielens(tmp_path):
    source = REAL / "movielens-latest-small"
    if not source.is_dir():
        pytest.skip(f"real data: {source} is not here")
    project = Project.create(tmp_path / "project")
    project.keep("ratings")
    project.set("ratings", source=str(source))
    for stage in ("ingest", "validate", "train", "evaluate"):
        project.run("penstock", stage, "ratings")
    metrics = json.loads((project.root / "data" / "ratings" / "metrics.json").read_text())
    assert metrics["test/rmse"] <= 0.850
    assert metrics["test/rmse"] < metrics["test/rmse_neighbours"] < metrics["test/rmse_biases"]
    assert metrics["test/ndcg_at_10"] > metrics["test/ndcg_at_10_popular"]
