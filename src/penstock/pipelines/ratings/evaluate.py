"""How near predicted ratings are, and whether lists hold what users turned out to like."""

import numpy as np
import pandas as pd

from ...datasets.dataset import Dataset
from ...evaluation import figures
from ...evaluation.exhibits import Table, figure
from ...evaluation.regression import measure_errors
from ...pipeline import Evaluation
from . import ranking
from .baselines import Biases, predict_by_neighbours
from .network import Recommender
from .params import Params
from .predict import exam, outcome, rank_items, rate_pairs

BINS = 6
Columns = dict[str, np.ndarray]


def evaluate(network: Recommender, dataset: Dataset, params: Params) -> Evaluation:
    """Score every test rating beside baselines; judge lists of recommended items."""
    learned, test_rows = dataset.rows(*params.train.splits), dataset.rows("test")
    columns = dataset.columns("user", "item", "rating")
    train, test = ({k: v[rows] for k, v in columns.items()} for rows in (learned, test_rows))
    predicted = pd.DataFrame({"rating": rate_pairs(network, test["user"], test["item"])})
    scores = outcome(predicted, exam(dataset, "test"))
    errors = measure_errors(scores, test["user"], params.evaluate.resamples)
    evaluation = Evaluation(metrics=errors, scores=scores)
    _add_baselines(evaluation, dataset, train, test, params)
    _add_lists(evaluation, network, dataset, train, test, params)
    _add_errors_by(evaluation, network, test)
    evaluation.metrics["test/examples"] = len(scores)
    return evaluation


def _add_baselines(
    evaluation: Evaluation, dataset: Dataset, train: Columns, test: Columns, params: Params
) -> None:
    """What the mean, biases and neighbours reach, with the same training and test ratings."""
    shape = dataset.info["users"], dataset.info["items"]
    biases = Biases.fit(train["user"], train["item"], train["rating"], shape)
    pairs = test["user"], test["item"]
    found = {
        "mean": np.full(len(test["rating"]), biases.mean),
        "biases": biases.predict(*pairs),
        "neighbours": predict_by_neighbours(
            biases,
            (train["user"], train["item"], train["rating"]),
            pairs,
            shape,
            params.evaluate.neighbours,
        ),
    }
    if "reference" in dataset.info["columns"]:
        found["reference"] = dataset.columns("reference")["reference"][dataset.rows("test")]
    model = evaluation.scores["predicted"].to_numpy()
    records = []
    for name, predicted in {"this model": model, **found}.items():
        errors = test["rating"] - np.clip(predicted, *dataset.info["scale"])
        known = np.isfinite(errors)
        rmse = float(np.sqrt(np.mean(np.square(errors[known])))) if known.any() else np.nan
        records.append((name, rmse, float(np.abs(errors[known]).mean()), int(known.sum())))
        if name in found:
            evaluation.metrics[f"test/rmse_{name}"] = rmse
    gain = evaluation.metrics["test/rmse_biases"] - evaluation.metrics["test/rmse"]
    evaluation.metrics["test/gain_over_biases"] = gain
    table = pd.DataFrame(records, columns=["prediction", "RMSE", "MAE", "ratings"])
    evaluation.exhibits.append(Table("Errors beside baselines", table))


def _add_lists(
    evaluation: Evaluation,
    network: Recommender,
    dataset: Dataset,
    train: Columns,
    test: Columns,
    params: Params,
) -> None:
    """Judge lists of the best items of users who liked something in the test split."""
    settings, shape = params.evaluate, (dataset.info["users"], dataset.info["items"])
    liked = test["rating"] >= settings.relevant
    relevant = ranking.pairs(test["user"][liked], test["item"][liked], shape)
    columns, known = dataset.columns("user", "item"), dataset.rows("train", "validation")
    seen = ranking.pairs(columns["user"][known], columns["item"][known], shape)
    counts = np.bincount(train["item"], minlength=shape[1])
    users = np.flatnonzero(np.diff(relevant.indptr))
    if len(users) > settings.users:
        users = np.sort(np.random.default_rng(0).choice(users, settings.users, replace=False))
    if not len(users):
        return
    scorers = {
        "this model": lambda block: rank_items(network, block),
        "most popular": lambda block: np.tile(counts.astype(np.float32), (len(block), 1)),
    }
    records, lists = [], {}
    for name, score in scorers.items():
        lists[name] = ranking.best_items(score, users, seen, counts > 0, settings.top)
        judged = ranking.judge(lists[name], users, relevant).mean()
        covered = ranking.coverage(lists[name], counts > 0)
        records.append((name, *judged.astype(float), covered))
    names = ["precision", "recall", "f1", "ndcg", "map", "coverage"]
    for label, record in zip(("", "_popular"), records, strict=True):
        for name, value in zip(names, record[1:], strict=True):
            evaluation.metrics[f"test/{name}_at_{settings.top}{label}"] = float(value)
    evaluation.metrics["test/ranked_users"] = len(users)
    table = pd.DataFrame(records, columns=["by", *names])
    evaluation.exhibits.append(Table(f"Lists of {settings.top}", table))
    _show_users(evaluation, dataset, train, users, lists["this model"], settings.gallery)


def _show_users(
    evaluation: Evaluation,
    dataset: Dataset,
    train: Columns,
    users: np.ndarray,
    lists: np.ndarray,
    count: int,
) -> None:
    """For a handful of users: what they liked best in training, and what is recommended."""
    items = dataset.table("items")
    titles = items["title"].where(items["title"] != "", items["id"]).to_numpy()
    ids = dataset.table("users")["id"].to_numpy()
    shown = []
    for place in np.linspace(0, len(users) - 1, min(count, len(users))).astype(int):
        mine = train["user"] == users[place]
        best = np.argsort(-train["rating"][mine], kind="stable")[:5]
        liked = titles[train["item"][mine][best]]
        offered = titles[lists[place][lists[place] >= 0][:5]]
        shown.append((ids[users[place]], "; ".join(liked), "; ".join(offered)))
    table = pd.DataFrame(shown, columns=["user", "liked best in training", "recommended"])
    evaluation.exhibits.append(Table("What users liked, and what is recommended", table))


def _add_errors_by(evaluation: Evaluation, network: Recommender, test: Columns) -> None:
    """Errors by how active the user and how popular the item is, and by the rating given."""
    scores = evaluation.scores
    for title, column, counts in (
        ("Error by activity of the user", "user", network.user_counts),
        ("Error by popularity of the item", "item", network.item_counts),
    ):
        ratings = counts.cpu().numpy()[test[column]]
        table = _binned(ratings, scores["squared_error"].to_numpy())
        evaluation.plots[title.lower().replace(" ", "_")] = table
        drawn = figures.steps(table, "training ratings", "rmse", "examples")
        note = (
            f"RMSE of test ratings by how many training ratings their {column} has; the numbers "
            "count test ratings."
        )
        evaluation.exhibits.append(figure(title, drawn, note))
    by_rating = scores.groupby("rating")["predicted"].quantile(np.array([0.1, 0.5, 0.9])).unstack()
    table = by_rating.reset_index().set_axis(["rating given", "low", "predicted", "high"], axis=1)
    drawn = figures.band(table, "rating given", "predicted", "low", "high")
    note = "Median of the predictions, and where 80 % of them lie."
    evaluation.exhibits.append(figure("Predicted against given", drawn, note))


def _binned(ratings: np.ndarray, squared: np.ndarray) -> pd.DataFrame:
    """RMSE in bins of about as many test ratings each."""
    edges = np.unique(np.quantile(ratings, np.linspace(0, 1, BINS + 1)).astype(int))
    bins = np.clip(np.searchsorted(edges, ratings, side="right") - 1, 0, max(0, len(edges) - 2))
    frame = pd.DataFrame({"bin": bins, "ratings": ratings, "squared": squared})
    grouped = frame.groupby("bin")
    return pd.DataFrame(
        {
            "training ratings": grouped["ratings"].median().to_numpy(),
            "rmse": np.sqrt(grouped["squared"].mean().to_numpy()),
            "examples": grouped.size().to_numpy(),
        }
    )
