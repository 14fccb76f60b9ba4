"""A trained network on disk: safetensors, which cannot execute code, and model.json."""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn  # takes more than a second, and who asks for a description needs none

WEIGHTS = "weights.safetensors"
DESCRIPTION = "model.json"
LEARNED = "learned.npy"  # a sketch of the examples it learned from (datasets/identity.py)


def save_weights(network: "nn.Module", folder: Path) -> str:
    """Write a network's weights; answer their SHA-256."""
    from safetensors.torch import save_file

    tensors = {
        name: value.detach().contiguous().cpu() for name, value in network.state_dict().items()
    }
    save_file(tensors, folder / WEIGHTS)
    return weights_sha256(folder)


def weights_sha256(folder: Path) -> str:
    """SHA-256 of the weights: what a run and its model find each other by."""
    with (folder / WEIGHTS).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def load_weights(network: "nn.Module", folder: Path) -> None:
    """Load weights into a network of the same shape."""
    from safetensors.torch import load_file

    network.load_state_dict(load_file(folder / WEIGHTS))


def read_description(folder: Path) -> dict[str, Any]:
    """model.json: the parameters, the dataset's info and how the training went."""
    description: dict[str, Any] = json.loads((folder / DESCRIPTION).read_text())
    return description
