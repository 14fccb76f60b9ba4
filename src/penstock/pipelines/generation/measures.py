"""How near drawn pictures are to real ones in other ways, how varied, and how new."""

import warnings

import numpy as np
import torch

PART = 4096  # images that are compared at a time


def kernel_distances(ours: np.ndarray, theirs: np.ndarray, parts: int) -> np.ndarray:
    """Kernel distances of disjoint parts of two sets of features (Binkowski et al. 2018).

    Unlike a Frechet distance, one does not depend on how many pictures there are, so that its mean
    over the parts is that of all.

    Args:
        ours: shape (pictures, features).
        theirs: likewise.
        parts: how many.

    Returns:
        Shape (parts,).
    """
    from torchmetrics.image.kid import KernelInceptionDistance  # slow to import

    found = []
    for part in range(parts):
        first, second = (torch.tensor(it[part::parts]) for it in (ours, theirs))
        size = min(len(first), len(second))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that features are held
            metric = KernelInceptionDistance(torch.nn.Identity(), subsets=1, subset_size=size)
        metric.update(second, real=True)
        metric.update(first, real=False)
        with torch.random.fork_rng():  # it draws a subset: all, if both have as many
            torch.manual_seed(0)
            found.append(float(metric.compute()[0]))
    return np.array(found)


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


def rarest_class(drawn: np.ndarray, real: np.ndarray) -> float:
    """How often the class that is drawn most rarely is drawn: 1 is as often as it is real.

    Args:
        drawn: class that each drawn picture looks like.
        real: that of each real image.
    """
    classes = 1 + max(drawn.max(), real.max())
    ours, theirs = (np.bincount(it, minlength=classes) / len(it) for it in (drawn, real))
    there = theirs > 0
    return float((ours[there] / theirs[there]).min())


def diversity(drawn: np.ndarray, real: np.ndarray) -> float:
    """How much features, shape (pictures, features), vary: 1 is as much as those of real images."""
    return float(drawn.var(0).sum() / real.var(0).sum())


def nearest(
    images: np.ndarray, everything: np.ndarray, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The nearest of other images by its pixels, read a part at a time.

    Args:
        images: uint8, shape (images, ...).
        everything: uint8, shape (others, ...); may be memory-mapped.
        rows: which of the others are looked at.

    Returns:
        Root mean squared differences on a scale of 0 to 1, and rows, each of shape (images,).
    """
    from sklearn.metrics import pairwise_distances_argmin_min

    flat = images.reshape(len(images), -1).astype(np.float32) / 255
    best, found = np.full(len(images), np.inf), np.zeros(len(images), np.int64)
    for start in range(0, len(rows), PART):
        part = rows[start : start + PART]
        others = everything[part].reshape(len(part), -1).astype(np.float32) / 255
        positions, distances = pairwise_distances_argmin_min(flat, others)
        nearer = distances < best
        best[nearer], found[nearer] = distances[nearer], part[positions[nearer]]
    return best / np.sqrt(flat.shape[1]), found
