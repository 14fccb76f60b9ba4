"""The language model: from tokens read so far to logits of the one that follows."""

from typing import Any

from ...kinds.text.transformer import Transformer
from . import params
from .recurrent import Recurrent

Network = Recurrent | Transformer


def network(model: params.Recurrent | params.Transformer, info: dict[str, Any]) -> Network:
    """Build the network that `model.kind` names, for the tokens of a dataset."""
    if isinstance(model, params.Transformer):
        return Transformer(
            info["vocabulary"],
            model.width,
            model.layers,
            model.heads,
            model.window,
            model.feed_forward,
            model.dropout,
            model.tied,
            model.positions == "rotary",
        )
    return Recurrent(
        model.kind,
        info["vocabulary"],
        model.embedding,
        model.hidden,
        model.layers,
        model.dropout,
        model.tied,
        model.cell == "explicit",
        model.window,
    )
