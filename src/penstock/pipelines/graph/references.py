"""What is reached without a network: by edges alone, and by features alone."""

from typing import TYPE_CHECKING

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import MaxAbsScaler

from .graph import normalise, read_features

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset

SPREADS = (0.8, 0.9, 0.95, 0.99)
ITERATIONS = 100


def predict_references(dataset: "Dataset", splits: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Probabilities for the test nodes by name, each of shape (nodes, classes).

    Args:
        dataset: a graph.
        splits: what the network learned from.
    """
    return {
        "label_propagation": _spread_labels(dataset, splits),
        "logistic": _regress(dataset, splits),
    }


def _spread_labels(dataset: "Dataset", splits: tuple[str, ...]) -> np.ndarray:
    """Labels that spread along edges (Zhou et al. 2004); how far is chosen on validation nodes.

    A node that no label reaches is given the shares of the classes that were learned from.
    """
    classes, columns = len(dataset.info["classes"]), dataset.columns("node", "label")
    nodes, labels = columns["node"], columns["label"]
    adjacency = normalise(np.array(dataset.array("edges")), dataset.info["nodes"])
    learned, chosen, tested = (dataset.rows(*it) for it in (splits, ["validation"], ["test"]))
    start = np.zeros((dataset.info["nodes"], classes))
    start[nodes[learned], labels[learned]] = 1
    shares = np.bincount(labels[learned], minlength=classes) / len(learned)
    best, answer = -1.0, start
    for share in SPREADS:
        spread = start
        for _ in range(ITERATIONS):
            spread = share * (adjacency @ spread) + (1 - share) * start
        right = spread[nodes[chosen]].argmax(axis=1) == labels[chosen]
        if right.mean() > best:
            best, answer = float(right.mean()), spread
    given = answer[nodes[tested]]
    total = given.sum(axis=1, keepdims=True)
    likely: np.ndarray = np.where(total > 0, given / np.where(total > 0, total, 1), shares)
    return likely.astype(np.float32)


def _regress(dataset: "Dataset", splits: tuple[str, ...]) -> np.ndarray:
    """Logistic regression on features; each is scaled so that its largest size is 1."""
    columns, features = (
        dataset.columns("node", "label"),
        MaxAbsScaler().fit_transform(read_features(dataset)),
    )
    learned, tested = dataset.rows(*splits), dataset.rows("test")
    model = LogisticRegression(max_iter=1000)
    model.fit(features[columns["node"][learned]], columns["label"][learned])
    likely = np.zeros((len(tested), len(dataset.info["classes"])), np.float32)
    likely[:, model.classes_] = model.predict_proba(features[columns["node"][tested]])
    return likely
