"""How good the classifier of nodes is, beside what edges or features alone reach, and where."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from ...datasets.dataset import Dataset
from ...evaluation import exhibits
from ...evaluation.classification import evaluate_classes, measure_accuracy
from ...evaluation.comparison import compare
from ...evaluation.metrics import proportion_interval
from ...evaluation.predictions import ACCURACY, as_predictions, at_even_distances, worst_mistakes
from ...pipeline import Evaluation
from . import figures
from .graph import read_features
from .maps import draw_map
from .network import NodeClassifier
from .params import Params
from .predict import class_probabilities, new_probabilities, outcome
from .raw import NO_LABEL
from .references import predict_references
from .surroundings import describe_surroundings

DEGREES = [0, 1, 2, 3, 5, 9, 17, np.inf]  # edges of bins of degrees
SHARES = [0, 1e-9, 0.5, 1 - 1e-9, np.inf]  # of bins of homophily
SHARE_NAMES = ["none", "less than half", "half or more", "all"]


def evaluate(network: NodeClassifier, dataset: Dataset, params: Params) -> Evaluation:
    """Score every test node; compare with references that learned from the same nodes."""
    asked, classes = dataset.examples("test"), dataset.info["classes"]
    nodes = asked["node"].to_numpy()
    probabilities = class_probabilities(network)
    scores = outcome(as_predictions(probabilities[nodes], classes), asked)
    evaluation = evaluate_classes(scores, classes)
    _compare(evaluation, dataset, params)
    _ask_as_new(evaluation, network, dataset, params.evaluate.as_new)
    around = describe_surroundings(dataset)
    _break_down(evaluation, around.loc[nodes])
    evaluation.exhibits += _show(evaluation, network, dataset, probabilities, params)
    evaluation.exhibits.append(_describe(dataset, around))
    return evaluation


def _compare(evaluation: Evaluation, dataset: Dataset, params: Params) -> None:
    """Add what references reach, and how far the network is from them on the same nodes."""
    asked, classes = dataset.examples("test"), dataset.info["classes"]
    reached = evaluation.metrics["test/accuracy"]
    records = [{"model": "this one", "accuracy": reached, "this one is better by": ""}]
    for name, given in predict_references(dataset, params.train.splits).items():
        marked = outcome(as_predictions(given, classes), asked)
        found = measure_accuracy(f"accuracy_{name}", marked)
        evaluation.metrics |= found
        records.append(
            {
                "model": name.replace("_", " "),
                "accuracy": found[f"test/accuracy_{name}"],
                "this one is better by": str(compare(evaluation.scores, marked, ACCURACY)),
            }
        )
    frequent = dataset.examples("train")["label"].mode()[0]
    constant = float((asked["label"] == frequent).mean())
    evaluation.metrics["test/gain_over_constant"] = reached - constant
    evaluation.meanings["test/gain_over_constant"] = (
        f"accuracy above that of always answering {classes[frequent]}"
    )
    evaluation.exhibits.append(
        exhibits.Table(
            "Beside edges or features alone",
            pd.DataFrame(records),
            "Label propagation knows edges and no features, logistic regression features and no "
            "edges; on the same nodes. What rules out 0 is a difference.",
        )
    )


def _ask_as_new(
    evaluation: Evaluation, network: NodeClassifier, dataset: Dataset, most: int
) -> None:
    """Take test nodes out of the graph, one at a time, and ask for each as a new one."""
    asked = dataset.examples("test")
    rows = at_even_distances(np.arange(len(asked)), most)
    features, graph = read_features(dataset), network.graph
    given = [
        new_probabilities(network, features[[node]], [graph.neighbours(node)], graph.without(node))
        for node in asked["node"].to_numpy()[rows]
    ]
    answers = as_predictions(np.concatenate(given), dataset.info["classes"])
    marked = outcome(answers, asked.iloc[rows])
    evaluation.metrics |= measure_accuracy("accuracy_as_new", marked)
    evaluation.meanings["test/accuracy_as_new"] = (
        f"{len(rows):,} test nodes, each taken out of the graph and asked for by features and edges"
    )


def _break_down(evaluation: Evaluation, around: pd.DataFrame) -> None:
    """Accuracy by how many neighbours a node has, and by how many of them are of its class."""
    correct = evaluation.scores["correct"].to_numpy()
    for by, groups, note in (
        (
            "degree",
            _bin_degrees(around["degree"].to_numpy()),
            "How many neighbours a node has; with 95 % intervals, and how many nodes there are.",
        ),
        (
            "homophily",
            _bin_shares(around["homophily"].to_numpy()),
            "How many neighbours are of the node's own class, of those whose class is known: where "
            "few are, edges mislead.",
        ),
    ):
        table = pd.DataFrame(_accuracies(groups, correct))
        if table.empty:  # no neighbour has a class that is known
            continue
        evaluation.plots[by] = table
        evaluation.exhibits.append(
            exhibits.figure(f"Accuracy by {by}", figures.accuracy_figure(table, by), note)
        )


def _bin_degrees(degrees: np.ndarray) -> pd.Categorical:
    names = [
        str(low) if high == low + 1 else f"{low}+" if np.isinf(high) else f"{low} to {high - 1}"
        for low, high in pairwise(DEGREES)
    ]
    return pd.cut(degrees, DEGREES, right=False, labels=names)


def _bin_shares(shares: np.ndarray) -> pd.Categorical:
    return pd.cut(shares, SHARES, right=False, labels=SHARE_NAMES)


def _accuracies(groups: pd.Categorical, correct: np.ndarray) -> Iterator[dict[str, Any]]:
    """Accuracy with its interval (Wilson) of each group that has nodes."""
    for name in groups.categories:
        right = correct[groups == name]
        if len(right):
            low, high = proportion_interval(int(right.sum()), len(right))
            yield {"group": name, "accuracy": right.mean(), "low": low, "high": high,
                   "examples": len(right)}  # fmt: skip


def _show(
    evaluation: Evaluation,
    network: NodeClassifier,
    dataset: Dataset,
    probabilities: np.ndarray,
    params: Params,
) -> Iterator[exhibits.Exhibit]:
    """Where the network puts test nodes, and what surrounds its worst mistakes."""
    asked, scores = dataset.examples("test"), evaluation.scores
    classes = dataset.info["classes"]
    yield exhibits.figure(
        "Map",
        draw_map(probabilities[asked["node"].to_numpy()], scores, classes),
        "Test nodes in the colour of their class, near each other where the network says much the "
        "same (t-SNE of the logarithms of its probabilities); crosses are mistakes.",
    )
    worst = worst_mistakes(scores, params.evaluate.gallery)
    if len(worst):
        labels = dataset.table("nodes")["label"].to_numpy()
        nodes = asked["node"].to_numpy()[worst]
        yield exhibits.figure(
            "Around the worst mistakes",
            figures.surroundings_figure(
                nodes.tolist(),
                asked["id"].to_numpy()[worst].tolist(),
                {int(it): network.graph.neighbours(int(it)).tolist() for it in nodes},
                labels,
                probabilities,
                classes,
            ),
            "A node in the middle and its neighbours: the colour is the class, grey where none is "
            "known; the ring of the middle is what was predicted.",
        )


def _describe(dataset: Dataset, around: pd.DataFrame) -> exhibits.Table:
    """What kind of graph it is."""
    info, labels = dataset.info, dataset.table("nodes")["label"].to_numpy()
    edges = np.array(dataset.array("edges"))
    ends = labels[edges]
    known = (ends != NO_LABEL).all(axis=1)
    same = float((ends[known, 0] == ends[known, 1]).mean()) if known.any() else np.nan
    told = {
        "nodes": f"{info['nodes']:,}",
        "edges": f"{info['edges']:,}",
        "features": f"{len(info['features']):,}",
        "classes": f"{len(info['classes']):,}",
        "neighbours of a node, the median": f"{around['degree'].median():g}",
        "nodes without an edge": f"{(around['degree'] == 0).sum():,}",
        "edges between nodes of one class": f"{same:.3f}",
        "nodes learned from": f"{len(dataset.rows('train')):,}",
    }
    rows = pd.DataFrame({"what": told.keys(), "value": told.values()})
    return exhibits.Table("The graph", rows)
