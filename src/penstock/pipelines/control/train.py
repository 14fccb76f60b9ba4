"""What training adds to a table or a network: environments to act in, and how to learn from it."""

from typing import TYPE_CHECKING

import numpy as np

from ...datasets.dataset import Dataset
from ...learning.sources import Arrays, Episodes, Rows
from .deep_learner import DeepLearner
from .learner import ActingLearner, Chance
from .network import DeepActor, TableActor
from .table_learner import TableLearner
from .tables import read_tables

if TYPE_CHECKING:
    from .params import Params


def learner(network: TableActor | DeepActor, params: "Params", dataset: Dataset) -> ActingLearner:
    """Put the actor into the environments of the dataset."""
    tables = read_tables(dataset)
    starts = dataset.columns("row")["row"][dataset.rows(*params.train.splits)]
    if isinstance(network, DeepActor):
        return DeepLearner(network, params.train, tables, starts)
    return TableLearner(network, params.train, tables, starts, params.model.kind)


def source(dataset: Dataset, splits: tuple[str, ...], params: "Params") -> Episodes | Rows:
    """To learn: `chance`, the random numbers of a step of all lanes, drawn anew in each epoch.

    To validate: `row`, where episodes start, and their `seed`.
    """
    if splits == ("validation",):
        return Rows(dataset.columns("row", "seed"), dataset.rows(*splits))
    train = params.train
    shape = train.epoch_steps, len(Chance._fields), params.model.runs * train.environments

    def draw(seed: int) -> Arrays:
        return {"chance": np.random.default_rng(seed).random(shape, np.float32)}

    return Episodes(draw, train.epoch_steps, train.seed)
