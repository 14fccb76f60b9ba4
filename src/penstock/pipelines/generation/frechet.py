"""The Frechet distance between drawn and real pictures, by the features of the ruler."""

import numpy as np
import pandas as pd

DRAWN, REAL = "drawn_", "real_"  # columns of features: drawn_0, drawn_1, ...


def feature_columns(features: np.ndarray, prefix: str) -> pd.DataFrame:
    """Features, shape (pictures, features), as columns of scores."""
    names = [f"{prefix}{number}" for number in range(features.shape[1])]
    return pd.DataFrame(features, columns=names)


def features_of(scores: pd.DataFrame, prefix: str) -> np.ndarray:
    """The features in the columns of scores, float64, shape (pictures, features)."""
    names = [name for name in scores if str(name).startswith(prefix)]
    return scores[names].to_numpy(np.float64)


def scored_distance(scores: pd.DataFrame, weights: np.ndarray) -> float:
    """Frechet distance between the drawn and the real pictures of scores, by their weights."""
    return frechet_distance(features_of(scores, DRAWN), features_of(scores, REAL), weights)


def frechet_distance(
    ours: np.ndarray, theirs: np.ndarray, weights: np.ndarray | None = None
) -> float:
    """Frechet distance of two normal distributions fitted to features.

    d^2 = |m - n|^2 + tr(A + B - 2 (A B)^(1/2)) (Dowson and Landau 1982; Heusel et al. 2017). It
    shrinks with the number of pictures: compare only distances of as many, by one ruler.

    Args:
        ours: shape (pictures, features).
        theirs: likewise; as many if there are weights.
        weights: of each, shape (pictures,); 0 leaves one out.

    Returns:
        The squared distance, as is usual; NaN where a feature is.
    """
    first, second = _moments(ours, weights), _moments(theirs, weights)
    if not np.isfinite([*first[0], *second[0]]).all():
        return float("nan")
    values, vectors = np.linalg.eigh(first[1])
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    crossed = np.sqrt(np.linalg.eigvalsh(root @ second[1] @ root).clip(0)).sum()
    apart = np.square(first[0] - second[0]).sum()
    return float(apart + np.trace(first[1]) + np.trace(second[1]) - 2 * crossed)


def _moments(features: np.ndarray, weights: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    if weights is not None:
        features, weights = features[weights > 0], weights[weights > 0]
    mean = np.average(features, 0, weights)
    return mean, np.cov(features, rowvar=False, aweights=weights)
