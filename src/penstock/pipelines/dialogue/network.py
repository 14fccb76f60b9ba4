"""The model: one that finds replies, or one of two that write them."""

from typing import Any

from . import params
from .retrieval import Retrieval
from .writers import Seq2SeqWriter, TransformerWriter, Writer

Network = Retrieval | Writer


def network(
    model: params.Retrieval | params.Seq2Seq | params.Transformer, info: dict[str, Any]
) -> Network:
    """Build the model that `model.kind` names, for the tokens of a dataset."""
    if isinstance(model, params.Seq2Seq):
        return Seq2SeqWriter(model, info["vocabulary"])
    if isinstance(model, params.Transformer):
        return TransformerWriter(model, info["vocabulary"])
    return Retrieval(model)
