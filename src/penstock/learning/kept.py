"""What a network keeps beside its weights, as large as the data: ids, a graph, who rated what."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import nn


class Kept(nn.Module):
    """Tensors that are no weights, whose sizes are those of what is loaded.

    So they lie in weights.safetensors, which no code hides in, and load as fast as weights do.
    """

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *arguments: Any
    ) -> None:
        for name in self._buffers:
            if f"{prefix}{name}" in state_dict:
                setattr(self, name, torch.empty_like(state_dict[f"{prefix}{name}"]))
        super()._load_from_state_dict(state_dict, prefix, *arguments)


def pack_texts(texts: Iterable[Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """Texts as tensors: the bytes of all, and where each ends."""
    encoded = [str(text).encode() for text in texts]
    content = np.frombuffer(b"".join(encoded), np.uint8).copy()
    return torch.from_numpy(content), torch.tensor([len(it) for it in encoded]).cumsum(0)


def unpack_texts(content: torch.Tensor, ends: torch.Tensor) -> list[str]:
    """Texts from the tensors of `pack_texts`."""
    text, stops = content.cpu().numpy().tobytes(), ends.cpu().numpy()
    return [text[start:end].decode() for start, end in zip([0, *stops], stops, strict=False)]
