"""Nodes on a plane, near each other where a network says much the same of them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from ...evaluation.predictions import at_even_distances
from .figures import colour_of

MOST = 1000  # nodes: more take long and cover each other
TINY = 1e-6  # probability: of smaller ones it does not matter how small


def draw_map(probabilities: np.ndarray, scores: pd.DataFrame, classes: Sequence[str]) -> Figure:
    """A map of test nodes in the colours of their classes.

    Args:
        probabilities: of each node, shape (nodes, classes).
        scores: a row each, with label and correct.
        classes: name of each label.
    """
    shown = at_even_distances(np.arange(len(scores)), MOST)
    places = place(probabilities[shown])
    labels, correct = (scores[it].to_numpy()[shown] for it in ("label", "correct"))
    figure = Figure(figsize=(5.6, 4.2), layout="constrained")
    axis = figure.subplots()
    for label, name in enumerate(classes):
        for right, marker, size in ((1, "o", 10), (0, "x", 18)):
            x, y = places[(labels == label) & (correct == right)].T
            axis.scatter(x, y, s=size, marker=marker, linewidths=0.8, color=colour_of(label),
                         label=name if right else None)  # fmt: skip
    axis.set(xticks=[], yticks=[])
    if len(classes) <= 10:
        axis.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def place(probabilities: np.ndarray) -> np.ndarray:
    """Places on a plane by t-SNE (van der Maaten and Hinton 2008), shape (nodes, 2).

    The same on any number of cores, since it takes one; few nodes are placed as they are.
    """
    logs = np.log(np.maximum(probabilities.astype(np.float64), TINY))
    centred = logs - logs.mean(axis=1, keepdims=True)
    if len(centred) < 4:
        return centred[:, :2]
    perplexity = min(30.0, (len(centred) - 1) / 3)
    with threadpool_limits(1):
        placed: np.ndarray = TSNE(
            perplexity=perplexity, init="pca", random_state=0, n_jobs=1, max_iter=500
        ).fit_transform(centred)
    return placed
