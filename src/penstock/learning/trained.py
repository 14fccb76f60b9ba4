"""A trained model, rebuilt from its folder: by `evaluate` here, by a registered model anywhere."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter

from .. import pipeline
from .weights import load_weights, read_description

if TYPE_CHECKING:
    from torch import nn


def load_trained(folder: Path) -> tuple["nn.Module", dict[str, Any]]:
    """Rebuild the network in a model folder.

    Returns:
        The network, ready to evaluate, and its description (model.json).
    """
    description = read_description(folder)
    name = description["pipeline"]
    section = pipeline.load(name, "params").Params.model_fields["model"].annotation
    model = TypeAdapter(section).validate_python(description["params"]["model"])
    network: nn.Module = pipeline.load(name, "network").network(model, description["dataset"])
    load_weights(network, folder)
    return network.eval(), description
