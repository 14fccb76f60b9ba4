"""What training adds to the network: the loss, and where batches come from."""

from typing import TYPE_CHECKING

import numpy as np

from ...datasets.dataset import Dataset
from ...learning.learner import Learner
from ...learning.sources import Source, Whole
from .corpus import read_corpus
from .network import Network
from .pairs import Pairs
from .params import Retrieval as Finding
from .retrieval import Retrieval
from .retrieval_learner import RetrievalLearner
from .stretches import read_stretches
from .terms import count, list_features, measure_idf, weigh
from .writing_learner import WritingLearner

if TYPE_CHECKING:
    from .params import Params


def learner(network: Network, params: "Params", dataset: Dataset) -> Learner:
    """Wrap the network, which takes over what it keeps of the training split first."""
    turns = params.model.turns
    network.measure(read_corpus(dataset, params.train.splits, turns))
    if isinstance(network, Retrieval):
        validated = read_corpus(dataset, ("validation",), turns)
        return RetrievalLearner(network, params.train, validated)
    return WritingLearner(network, params.train)


def source(dataset: Dataset, splits: tuple[str, ...], params: "Params") -> Source:
    """Contexts and replies; to find replies, validation is one batch that stands for all."""
    model = params.model
    if not isinstance(model, Finding):
        return read_stretches(dataset, splits, model.turns, model.context, model.reply)
    if splits != params.train.splits:
        return Whole({"all": np.zeros(1)})
    corpus = read_corpus(dataset, splits, model.turns)
    counted = count(corpus.texts, list_features, model.buckets)
    return Pairs(corpus, weigh(counted, measure_idf(counted)))
