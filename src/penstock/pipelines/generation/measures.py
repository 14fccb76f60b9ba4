"""How near drawn pictures are to real ones, by the features of the ruler. Plain numpy."""

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


def kernel_distance(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
    """Kernel distance: mean and standard deviation over 50 subsets (Binkowski et al. 2018).

    Unlike the Frechet distance it does not depend on the number of pictures.
    """
    import warnings

    import torch
    from torchmetrics.image.kid import KernelInceptionDistance

    size = min(1000, len(ours) // 2, len(theirs) // 2)
    with warnings.catch_warnings(), torch.random.fork_rng():
        warnings.simplefilter("ignore")  # that features are held
        torch.manual_seed(0)
        metric = KernelInceptionDistance(torch.nn.Identity(), subsets=50, subset_size=size)
        metric.update(torch.from_numpy(theirs), real=True)
        metric.update(torch.from_numpy(ours), real=False)
        mean, deviation = metric.compute()
    return float(mean), float(deviation)


def manifold_metrics(drawn: np.ndarray, real: np.ndarray, neighbours: int) -> dict[str, float]:
    """Precision, recall, density and coverage.

    A picture is near another if it is within the distance of that one's k-th neighbour. Precision:
    share of the drawn that are near a real one; recall: of the real that are near a drawn one
    (Kynkaanniemi et al. 2019). Density: how many real ones a drawn one is near, over k; coverage:
    share of the real that have a drawn one near (Naeem et al. 2020).

    Args:
        drawn: features, shape (pictures, features).
        real: likewise.
        neighbours: k.
    """
    from scipy.spatial.distance import cdist

    k = min(neighbours, len(drawn) - 1, len(real) - 1)
    of_real, of_drawn = _reach(real, k), _reach(drawn, k)
    apart = cdist(drawn, real)  # (drawn, real)
    near_real, near_drawn = apart <= of_real, apart <= of_drawn[:, None]
    return {
        "precision": float(near_real.any(1).mean()),
        "recall": float(near_drawn.any(0).mean()),
        "density": float(near_real.sum(1).mean() / k),
        "coverage": float((apart.min(0) <= of_real).mean()),
    }


def _reach(features: np.ndarray, k: int) -> np.ndarray:
    """Distance of each to its k-th neighbour."""
    from sklearn.neighbors import NearestNeighbors

    found = NearestNeighbors(n_neighbors=k + 1, algorithm="brute").fit(features)
    distances: np.ndarray = found.kneighbors(features)[0][:, -1]  # itself is the first
    return distances


def nearest(images: np.ndarray, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest of other images by its pixels: root mean squared difference, and its position.

    Args:
        images: uint8, shape (images, ...).
        among: uint8, shape (others, ...); may be memory-mapped.

    Returns:
        Distances on a scale of 0 to 1 and positions, each of shape (images,).
    """
    from sklearn.metrics import pairwise_distances_argmin_min

    flat, others = (it.reshape(len(it), -1).astype(np.float32) / 255 for it in (images, among))
    positions, distances = pairwise_distances_argmin_min(flat, others)
    return distances / np.sqrt(flat.shape[1]), positions
