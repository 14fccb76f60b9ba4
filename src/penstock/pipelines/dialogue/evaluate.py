"""How good the replies are: those that are found, or those that are written."""

from ...datasets.dataset import Dataset
from ...pipeline import Evaluation
from .evaluate_retrieval import evaluate_retrieval
from .evaluate_writing import evaluate_writing
from .network import Network
from .params import Params
from .retrieval import Retrieval


def evaluate(network: Network, dataset: Dataset, params: Params) -> Evaluation:
    """Score every test reply beside baselines; reply to test contexts."""
    if isinstance(network, Retrieval):
        return evaluate_retrieval(network, dataset, params)
    return evaluate_writing(network, dataset, params)
