"""Is one model worse than another? Answered on the same test examples."""

from typing import NamedTuple

import numpy as np


class Difference(NamedTuple):
    """Mean of the per-example differences, with its 95 % interval."""

    mean: float
    low: float
    high: float


def paired_bootstrap(
    challenger: np.ndarray, champion: np.ndarray, resamples: int, seed: int = 0
) -> Difference:
    """Compare two models' scores on the same examples, resampling examples (Efron 1979).

    Args:
        challenger: score per example, shape (examples,).
        champion: score per example, in the same order.
        resamples: bootstrap resamples.
        seed: of the resampling, so that a decision can be repeated.
    """
    from scipy.stats import bootstrap  # slow to import

    differences = np.asarray(challenger, np.float64) - np.asarray(champion, np.float64)
    mean = float(differences.mean())
    if np.ptp(differences) == 0:
        return Difference(mean, mean, mean)
    interval = bootstrap(
        (differences,),
        np.mean,
        n_resamples=resamples,
        batch=100,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Difference(mean, float(interval.low), float(interval.high))
