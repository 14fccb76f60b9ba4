"""What training adds to a model: games against itself, and how to learn from them."""

from typing import TYPE_CHECKING

import numpy as np

from ...datasets.dataset import Dataset
from ...learning.sources import Arrays, Episodes, Rows
from .learner import GoLearner, ReinforcedLearner, RememberingLearner
from .network import DensePolicy, GoModel

if TYPE_CHECKING:
    from .params import Params


def learner(network: GoModel, params: "Params", dataset: Dataset) -> GoLearner:
    """Have the model play, by the rules of the dataset."""
    if isinstance(network, DensePolicy):
        return ReinforcedLearner(network, params.train, dataset)
    return RememberingLearner(network, params.train, dataset)


def source(dataset: Dataset, splits: tuple[str, ...], params: "Params") -> Episodes | Rows | None:
    """To learn: `place` and `symmetry`, random numbers that decide what is learned from.

    To validate: `row`, the questions to play; None if there are none.
    """
    train = params.train
    if splits == ("validation",):
        rows = dataset.rows(*splits)[: train.validation_games]
        return Rows({"row": np.arange(len(dataset.index))}, rows) if len(rows) else None
    examples = train.steps * train.batch_size

    def draw(seed: int) -> Arrays:
        chance = np.random.default_rng(seed)
        return {
            "place": chance.random(examples, np.float64),
            "symmetry": chance.integers(0, 8, examples),
        }

    return Episodes(draw, examples, train.seed)
