"""How good the replies are: those that are found, or those that are written."""

from ...datasets.dataset import Dataset
from ...pipeline import Evaluation
from .evaluate_retrieval import evaluate_retrieval
from .network import Network
from .params import Params


def evaluate(network: Network, dataset: Dataset, params: Params) -> Evaluation:
    """Score every test reply; measure baselines; reply to test contexts."""
    return evaluate_retrieval(network, dataset, params)
