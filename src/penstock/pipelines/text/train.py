"""What training adds to the network: the loss, and where windows of text come from."""

from typing import TYPE_CHECKING

from ...datasets.dataset import Dataset
from ...learning.sources import Ragged, Stream
from .learner import LanguageModel
from .network import Network, network
from .windows import cut_windows, join_tokens, read_questions

if TYPE_CHECKING:
    from .params import Params

VALIDATED = 512  # blocks that validation reads each epoch, at most


def learner(network: Network, params: "Params", dataset: Dataset) -> LanguageModel:
    """Wrap the network: cross-entropy of the token that follows."""
    return LanguageModel(network, params.train)


def source(dataset: Dataset, splits: tuple[str, ...], params: "Params") -> Stream | Ragged:
    """Windows over the stream to learn from; to validate on, blocks as they will be scored."""
    if splits == params.train.splits:
        tokens = join_tokens(dataset, splits)
        return Stream(tokens, params.model.window, params.train.batch_size, params.train.seed)
    questions = read_questions(dataset, splits, VALIDATED)
    built = network(params.model, dataset.info)
    return cut_windows(questions, built.window, built.least_context).source
