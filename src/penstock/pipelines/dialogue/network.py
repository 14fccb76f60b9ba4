"""The model: one that finds replies, or one of two that write them."""

from typing import Any

from . import params
from .retrieval import Retrieval

Network = Retrieval


def network(
    model: params.Retrieval | params.Seq2Seq | params.Transformer, info: dict[str, Any]
) -> Network:
    """Build the model that `model.kind` names, for the tokens of a dataset."""
    assert isinstance(model, params.Retrieval)
    return Retrieval(model)
