"""How good the model of a table is, beside classical methods, and what it goes by."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.dummy import DummyRegressor
from sklearn.inspection import permutation_importance

from ...datasets.dataset import Dataset
from ...evaluation import exhibits
from ...evaluation.classification import evaluate_classes, measure_accuracy
from ...evaluation.comparison import compare
from ...evaluation.inference import class_probabilities, log_losses
from ...evaluation.predictions import as_predictions
from ...evaluation.regression import measure_errors
from ...pipeline import Evaluation
from . import figures
from .network import TabularNetwork
from .params import Params
from .plane import Plane
from .predict import interface, outcome, predict_numbers
from .references import predict_references

BLOCKS = 1000  # rows are resampled in so many blocks, at most
SHUFFLED = 2000  # rows, at most


def evaluate(network: TabularNetwork, dataset: Dataset, params: Params) -> Evaluation:
    """Score every test row; compare with a linear and a boosted model that learned the same."""
    features = np.asarray(dataset.array("features")[dataset.rows("test")])
    scores = _mark(_answer(network, features), dataset)
    add_up = _evaluate_classes if network.classes else _evaluate_numbers
    evaluation = add_up(scores, dataset, params.evaluate.resamples)
    references = predict_references(network.front, dataset, params.train.splits)
    _compare(evaluation, references, dataset, params.evaluate.resamples)
    _show_what_matters(evaluation, network, features, dataset, params)
    return evaluation


def _answer(network: TabularNetwork, features: np.ndarray) -> np.ndarray:
    """Probabilities, shape (rows, classes), or numbers, shape (rows,)."""
    answer = class_probabilities if network.classes else predict_numbers
    return answer(network, features)


def _mark(answers: np.ndarray, dataset: Dataset) -> pd.DataFrame:
    """The scores of answers to the test split, whoever gives them."""
    if answers.ndim == 2:
        given = as_predictions(answers, dataset.info["classes"])
    else:
        given = pd.DataFrame({"prediction": answers})
    return outcome(given, dataset.examples("test"))


def _evaluate_classes(scores: pd.DataFrame, dataset: Dataset, resamples: int) -> Evaluation:
    """Accuracy, beside that of the most frequent class."""
    grouped = resamples if "group" in scores else None
    evaluation = evaluate_classes(scores, dataset.info["classes"], grouped)
    frequent = dataset.examples("train")["label"].mode()[0]
    constant = float((scores["label"] == frequent).mean())
    evaluation.metrics["test/gain_over_constant"] = evaluation.metrics["test/accuracy"] - constant
    evaluation.meanings["test/gain_over_constant"] = (
        f"accuracy above that of always answering {dataset.info['classes'][frequent]}"
    )
    return evaluation


def _evaluate_numbers(scores: pd.DataFrame, dataset: Dataset, resamples: int) -> Evaluation:
    """Errors in units of the target, beside those of its mean."""
    target, predicted = (scores[it].to_numpy() for it in ("target", "predicted"))
    mean = float(dataset.examples("train")["target"].mean())
    errors = measure_errors(scores, _units(scores), resamples)
    constant = float(np.sqrt(np.square(target - mean).mean()))
    variance = float(np.square(target - target.mean()).mean())
    return Evaluation(
        metrics={
            **errors,
            "test/r2": 1 - errors["test/mse"] / variance,
            "test/gain_over_constant": constant - errors["test/rmse"],
            "test/examples": len(scores),
        },
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


def _units(scores: pd.DataFrame) -> np.ndarray:
    """What is resampled: groups, or rows; of many rows, blocks of them."""
    if "group" in scores:
        return scores["group"].to_numpy()
    return np.arange(len(scores)) % BLOCKS


def _compare(
    evaluation: Evaluation, references: dict[str, np.ndarray], dataset: Dataset, resamples: int
) -> None:
    """Add what each reference reaches, and how far the network is from it on the same rows."""
    score = interface(dataset.info, {}).score
    metric = score.metric.removeprefix("test/")
    records: list[dict[str, Any]] = [
        {"model": "this one", metric: evaluation.metrics[score.metric], "this one is better by": ""}
    ]
    for name, answers in references.items():
        marked = _mark(answers, dataset)
        if "classes" in dataset.info:
            grouped = resamples if "group" in marked else None
            found = measure_accuracy(metric, marked, grouped)
        else:
            found = measure_errors(marked, _units(marked), resamples)
        evaluation.metrics |= {
            key.replace(metric, f"{metric}_{name}"): value
            for key, value in found.items()
            if key.startswith(score.metric)
        }
        difference = str(compare(evaluation.scores, marked, score))
        records.append(
            {"model": name, metric: found[score.metric], "this one is better by": difference}
        )
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
    truth = evaluation.scores["label" if network.classes else "target"].to_numpy()
    columns = list(dataset.info["columns"])
    table = measure_importance(network, features, truth, columns, params.evaluate.repeats)
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


def measure_importance(
    network: TabularNetwork,
    features: np.ndarray,
    truth: np.ndarray,
    columns: list[str],
    repeats: int,
) -> pd.DataFrame:
    """How much worse predictions get when a column's values are dealt to other rows (Breiman 2001).

    Returns:
        column, importance (mean rise of the loss), low and high (of the repeats); the largest
        first.
    """

    def score(_: object, changed: np.ndarray, asked: np.ndarray) -> float:
        answers = _answer(network, changed)
        losses = log_losses(answers, asked) if network.classes else np.square(answers - asked)
        return -float(losses.mean())

    rows = np.arange(len(features))
    if len(rows) > SHUFFLED:
        rows = np.random.default_rng(0).choice(rows, SHUFFLED, replace=False)
    # An estimator is asked for; the score does without.
    rises = permutation_importance(
        DummyRegressor(), features[rows], truth[rows], scoring=score, n_repeats=repeats,
        random_state=0,
    )["importances"]  # fmt: skip
    table = pd.DataFrame(
        {
            "column": columns,
            "importance": rises.mean(1),
            "low": rises.min(1),
            "high": rises.max(1),
        }
    )
    return table.sort_values("importance", ascending=False, kind="stable", ignore_index=True)


def _choose_two(table: pd.DataFrame, dataset: Dataset, params: Params) -> tuple[str, str] | None:
    """The two columns of numbers to draw, or nothing if there are not two."""
    numbers = [it for it, of in dataset.info["columns"].items() if of["type"] == "number"]
    asked = [it for it in params.evaluate.regions if it in numbers]
    by_importance = [it for it in table["column"] if it in numbers and it not in asked]
    chosen = [*asked, *by_importance]
    return (chosen[0], chosen[1]) if len(chosen) > 1 else None


def _regions(
    network: TabularNetwork,
    features: np.ndarray,
    names: tuple[str, str],
    dataset: Dataset,
    truth: np.ndarray,
) -> exhibits.Picture:
    """What is predicted over two columns."""
    plane = Plane(features, names, dataset.info["columns"])
    answers = _answer(network, plane.grid())
    if network.classes:
        classes = dataset.info["classes"]
        picture = figures.class_regions(plane, answers.argmax(1), truth, classes)
    else:
        picture = figures.number_regions(plane, answers, truth)
    return exhibits.figure(
        "Decision regions" if network.classes else "Prediction over two columns",
        picture,
        "What is predicted where, all other columns as they are in the middle; dots are test rows "
        "in the colour of their truth.",
    )
