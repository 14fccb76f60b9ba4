"""What training adds to the network: the loss, and where batches come from."""

from typing import TYPE_CHECKING

import numpy as np

from ...datasets.dataset import Dataset
from ...learning.learner import Learner
from ...learning.sources import Source, Whole
from .corpus import read_corpus
from .network import Network, network
from .pairs import Pairs
from .retrieval_learner import RetrievalLearner

if TYPE_CHECKING:
    from .params import Params


def learner(network: Network, params: "Params", dataset: Dataset) -> Learner:
    """Wrap the network, which takes over what it keeps of the training split first."""
    turns = params.model.turns
    network.measure(read_corpus(dataset, params.train.splits, turns))
    return RetrievalLearner(network, params.train, read_corpus(dataset, ("validation",), turns))


def source(dataset: Dataset, splits: tuple[str, ...], params: "Params") -> Source:
    """Contexts and replies to learn from; to validate on, one batch that stands for all."""
    if splits != params.train.splits:
        return Whole({"all": np.zeros(1)})
    corpus = read_corpus(dataset, splits, params.model.turns)
    measured = network(params.model, dataset.info)
    measured.measure(corpus)
    return Pairs(corpus, measured.weigh_features(corpus.texts))
