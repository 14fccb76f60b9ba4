"""How good the networks are: those that draw, and those that compress."""

from ...datasets.dataset import Dataset
from ...pipeline import Evaluation
from .evaluate_coding import evaluate_coding
from .evaluate_drawing import evaluate_drawing
from .network import Adversarial, Network, Variational
from .params import Params


def evaluate(network: Network, dataset: Dataset, params: Params) -> Evaluation:
    """Draw a picture beside every test image, or make every one again; a vae does both."""
    if isinstance(network, Adversarial):
        return evaluate_drawing(network, dataset, params)
    evaluation = evaluate_coding(network, dataset, params)
    if isinstance(network, Variational):
        drawn = evaluate_drawing(network, dataset, params)
        evaluation.metrics |= drawn.metrics
        evaluation.exhibits += drawn.exhibits
        evaluation.meanings |= drawn.meanings
    return evaluation
