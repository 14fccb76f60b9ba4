"""What training adds to the networks: how they learn, and from which images."""

from typing import TYPE_CHECKING

from ...datasets.dataset import Dataset
from ...learning.learner import Learner
from ...learning.sources import Rows
from ...messages.errors import PenstockError
from .adversarial_learner import AdversarialLearner
from .coding_learner import CodingLearner
from .network import Adversarial, Network

if TYPE_CHECKING:
    from .params import Params


def learner(network: Network, params: "Params", dataset: Dataset) -> Learner:
    """Two networks against each other, or an autoencoder."""
    if isinstance(network, Adversarial):
        validation = source(dataset, ("validation",), params).rows
        return AdversarialLearner(network, params, dataset, validation)
    return CodingLearner(network, params.train)


def source(dataset: Dataset, splits: tuple[str, ...], params: "Params") -> Rows:
    """A batch is `inputs`, uint8 (batch, height, width[, 3]), and `label`, (batch,).

    Raises:
        PenstockError: the class that is to be left out is not there.
    """
    rows, labels = dataset.rows(*splits), dataset.index["label"].to_numpy()
    if left_out := params.train.without:
        if left_out not in dataset.info["classes"]:
            raise PenstockError(
                f"params.yaml: pipelines.generation.train.without: {left_out}: no such class; "
                f"there is: {', '.join(dataset.info['classes'])}"
            )
        rows = rows[labels[rows] != dataset.info["classes"].index(left_out)]
    arrays = {"inputs": dataset.array("images"), "label": labels}
    return Rows(arrays, rows)
