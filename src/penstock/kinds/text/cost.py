"""What text costs a model: the score that models of language are compared by."""

import numpy as np
import pandas as pd

from ...pipeline import Score


def nats_per_character(scores: pd.DataFrame, weights: np.ndarray) -> float:
    """Nats of texts, over all of their characters; NaN if one has no score, or there is none."""
    nats, characters = (scores[name].to_numpy(float) for name in ("nats", "characters"))
    total = float(weights @ characters)
    return float(weights @ nats) / total if total else float("nan")


BY_CHARACTER = Score(
    "test/nats_per_character",
    nats_per_character,
    unit="group",
    span=2.0,
    higher_is_better=False,
)
