"""What classical methods of scikit-learn reach on the same rows: a linear and a boosted one."""

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge

from .network import FrontEnd

if TYPE_CHECKING:
    from ...datasets.dataset import Dataset

MOST = 100_000  # rows they learn from: of more, so many are drawn


def predict_references(
    front: FrontEnd, dataset: "Dataset", splits: tuple[str, ...]
) -> dict[str, np.ndarray]:
    """Train both on what the network learned from; predict the test split.

    The linear one sees what the network's layers see, the boosted one the features as they are.

    Returns:
        Name -> probabilities, shape (rows, classes), or numbers, shape (rows,).
    """
    rows, tested = dataset.rows(*splits), dataset.rows("test")
    if len(rows) > MOST:
        rows = np.sort(np.random.default_rng(0).choice(rows, MOST, replace=False))
    features = dataset.array("features")
    learned, asked = np.asarray(features[rows]), np.asarray(features[tested])
    columns = dataset.info["columns"].values()
    boosted = {
        "categorical_features": [it["type"] == "category" for it in columns],
        "random_state": 0,
    }
    if dataset.info["task"] == "regression":
        target = dataset.columns("target")["target"][rows]
        return {
            "linear": Ridge().fit(_see(front, learned), target).predict(_see(front, asked)),
            "boosted": HistGradientBoostingRegressor(**boosted).fit(learned, target).predict(asked),
        }
    label = dataset.columns("label")["label"][rows]
    classes = len(dataset.info["classes"])
    linear = LogisticRegression(max_iter=1000).fit(_see(front, learned), label)
    trees = HistGradientBoostingClassifier(**boosted).fit(learned, label)
    return {
        "linear": _of_all(linear, linear.predict_proba(_see(front, asked)), classes),
        "boosted": _of_all(trees, trees.predict_proba(asked), classes),
    }


def _see(front: FrontEnd, features: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        seen: np.ndarray = front(torch.from_numpy(features).to(front.mean.device)).cpu().numpy()
    return seen


def _of_all(model: Any, probabilities: np.ndarray, classes: int) -> np.ndarray:
    """Probabilities of all classes: a class that no row learned from has gets 0."""
    of_all = np.zeros((len(probabilities), classes), np.float32)
    of_all[:, model.classes_] = probabilities
    return of_all
