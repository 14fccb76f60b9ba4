"""How good the model of a table is, beside classical methods, and what it goes by."""

from typing import Any

import numpy as np
import pandas as pd
from torch import nn

from ...datasets.dataset import Dataset
from ...evaluation import exhibits
from ...evaluation.classification import evaluate_classes, named_accuracy
from ...evaluation.comparison import compare
from ...evaluation.grouped import group_intervals
from ...evaluation.inference import class_probabilities, log_losses
from ...evaluation.metrics import proportion_interval
from ...evaluation.predictions import as_predictions
from ...pipeline import Evaluation
from . import figures
from .importance import GRID, permutation_importance, plane
from .network import TabularNetwork
from .params import Params
from .predict import interface, outcome, predict_numbers
from .references import predict_references

BLOCKS = 1000  # rows are resampled in so many blocks, at most


def evaluate(network: nn.Module, dataset: Dataset, params: Params) -> Evaluation:
    """Score every test row; compare with a linear and a boosted model that learned the same."""
    assert isinstance(network, TabularNetwork)
    rows, classes = dataset.rows("test"), dataset.info.get("classes")
    features = np.asarray(dataset.array("features")[rows])
    answers = _answer(network, features, classes is not None)
    scores = _mark(answers, dataset)
    resamples = params.evaluate.resamples
    if classes:
        evaluation = evaluate_classes(scores, classes, resamples if "group" in scores else None)
        share = dataset.examples("train")["label"].value_counts(normalize=True).max()
        evaluation.metrics["test/gain_over_constant"] = evaluation.metrics[
            "test/accuracy"
        ] - _constant_accuracy(dataset)
        evaluation.meanings["test/gain_over_constant"] = (
            f"accuracy above that of the most frequent class, {share:.3f} of the training rows"
        )
    else:
        evaluation = _evaluate_numbers(scores, dataset, resamples)
    references = predict_references(network.front, dataset, params.train.splits)
    _compare(evaluation, references, dataset)
    _show_what_matters(evaluation, network, features, dataset, params)
    return evaluation


def _answer(network: nn.Module, features: np.ndarray, classified: bool) -> np.ndarray:
    """Probabilities, shape (rows, classes), or numbers, shape (rows,)."""
    return (
        class_probabilities(network, features) if classified else predict_numbers(network, features)
    )


def _mark(answers: np.ndarray, dataset: Dataset) -> pd.DataFrame:
    """The scores of answers to the test split, whoever gives them."""
    if answers.ndim == 2:
        given = as_predictions(answers, dataset.info["classes"])
    else:
        given = pd.DataFrame({"prediction": answers})
    return outcome(given, dataset.examples("test"))


def _constant_accuracy(dataset: Dataset) -> float:
    most_frequent = dataset.examples("train")["label"].mode()[0]
    return float((dataset.examples("test")["label"] == most_frequent).mean())


def _evaluate_numbers(scores: pd.DataFrame, dataset: Dataset, resamples: int) -> Evaluation:
    """Errors in units of the target, beside those of its mean."""
    target, predicted = (scores[it].to_numpy() for it in ("target", "predicted"))
    mean = float(dataset.examples("train")["target"].mean())
    squares, constant = scores["squared_error"].to_numpy(), np.square(target - mean)
    rmse, rmse_mean = float(np.sqrt(squares.mean())), float(np.sqrt(constant.mean()))
    low, high = _rmse_interval(scores, resamples)
    metrics = {
        "test/rmse": rmse,
        **({"test/rmse_low": low, "test/rmse_high": high} if np.isfinite(low) else {}),
        "test/mae": float(scores["error"].abs().mean()),
        "test/r2": float(1 - squares.sum() / np.square(target - target.mean()).sum()),
        "test/gain_over_constant": rmse_mean - rmse,
        "test/examples": len(scores),
    }
    return Evaluation(
        metrics=metrics,
        scores=scores,
        exhibits=[
            exhibits.figure(
                "Residuals",
                figures.residual_figure(target, predicted),
                "On the dotted line a prediction is right; errors should lie evenly around 0.",
            )
        ],
        plots={"residuals": pd.DataFrame({"true": target, "predicted": predicted})},
        meanings={
            "test/gain_over_constant": f"how much less than always answering the mean, {mean:.4g}"
        },
    )


def _rmse_interval(scores: pd.DataFrame, resamples: int) -> tuple[float, float]:
    """By bootstrap of groups, or of rows; of many rows, of blocks of them."""
    units = scores["group"] if "group" in scores else np.arange(len(scores)) % BLOCKS
    squares = scores["squared_error"].to_numpy()
    names, member = np.unique(units, return_inverse=True)
    total, count = np.bincount(member, squares), np.bincount(member)
    intervals = group_intervals(
        lambda times: {"rmse": float(np.sqrt(times @ total / (times @ count)))}, names, resamples
    )
    return intervals["rmse"]


def _compare(evaluation: Evaluation, references: dict[str, np.ndarray], dataset: Dataset) -> None:
    """Add what each reference reaches, and how far the network is from it on the same rows."""
    score = interface(dataset.info).score
    metric = score.metric.removeprefix("test/")
    records: list[dict[str, Any]] = [
        {"model": "this one", metric: evaluation.metrics[score.metric], "this one is better by": ""}
    ]
    for name, answers in references.items():
        marked = _mark(answers, dataset)
        value = score.statistic(marked, np.ones(len(marked)))
        difference = compare(evaluation.scores, marked, score)
        records.append({"model": name, metric: value, "this one is better by": str(difference)})
        if metric == "accuracy":
            correct = int(marked["correct"].sum())
            interval = proportion_interval(correct, len(marked))
            evaluation.metrics |= named_accuracy(f"accuracy_{name}", value, *interval)
        else:
            evaluation.metrics[f"test/{metric}_{name}"] = value
    evaluation.exhibits.append(
        exhibits.Table(
            "Beside classical methods",
            pd.DataFrame(records),
            "Logistic or ridge regression, and gradient-boosted trees, with scikit-learn's "
            "defaults, on the same rows; what rules out 0 is a difference.",
        )
    )


def _show_what_matters(
    evaluation: Evaluation,
    network: TabularNetwork,
    features: np.ndarray,
    dataset: Dataset,
    params: Params,
) -> None:
    columns, scores = dataset.info["columns"], evaluation.scores
    truth = scores["label" if network.classes else "target"].to_numpy()

    def losses(changed: np.ndarray, rows: np.ndarray) -> np.ndarray:
        answers = _answer(network, changed, bool(network.classes))
        if network.classes:
            return log_losses(answers, truth[rows])
        return np.square(answers - truth[rows])

    table = permutation_importance(losses, features, columns, params.evaluate.repeats)
    evaluation.plots["importance"] = table
    loss = "log loss" if network.classes else "squared error"
    evaluation.exhibits.append(
        exhibits.figure(
            "What matters",
            figures.importance_figure(table),
            f"How much the {loss} of test rows rises when a column's values are dealt to other "
            "rows; two columns that say the same share what they matter.",
        )
    )
    if chosen := _choose_two(table, dataset, params):
        evaluation.exhibits.append(_regions(network, features, chosen, dataset, truth))


def _choose_two(table: pd.DataFrame, dataset: Dataset, params: Params) -> list[str]:
    """The two columns of numbers to draw, or nothing if there are not two."""
    numbers = [it for it, of in dataset.info["columns"].items() if of["type"] == "number"]
    asked = [it for it in params.evaluate.regions if it in numbers]
    by_importance = [it for it in table["column"] if it in numbers and it not in asked]
    chosen = [*asked, *by_importance][:2]
    return chosen if len(chosen) == 2 else []


def _regions(
    network: TabularNetwork,
    features: np.ndarray,
    names: list[str],
    dataset: Dataset,
    truth: np.ndarray,
) -> exhibits.Picture:
    """What is predicted over two columns."""
    columns = dataset.info["columns"]
    across, up = (list(columns).index(name) for name in names)
    *axes, grid = plane(features, (across, up), columns)
    answers = _answer(network, grid, bool(network.classes))
    drawn = ((axes[0], axes[1]), (names[0], names[1]))
    points = features[:, [across, up]]
    if network.classes:
        labels = answers.argmax(1).reshape(GRID, GRID)
        picture = figures.class_regions(*drawn, labels, points, truth, dataset.info["classes"])
    else:
        picture = figures.number_regions(*drawn, answers.reshape(GRID, GRID), points, truth)
    return exhibits.figure(
        "Decision regions" if network.classes else "Prediction over two columns",
        picture,
        "What is predicted where, all other columns as they are in the middle; dots are test rows "
        "in the colour of their truth.",
    )
