"""What indices stand for, kept with the weights: ids, titles, and who has rated what."""

import numpy as np
import pandas as pd
import torch

from ...learning.kept import Kept, pack_texts, unpack_texts


class Vocabulary(Kept):
    """Ids of users and items, titles of items, and the items each user has rated, as tensors."""

    rated_items: torch.Tensor
    rated_ends: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self._index: dict[str, dict[str, int]] = {}
        for name in ("users", "items", "titles"):
            self.register_buffer(f"{name}_text", torch.zeros(0, dtype=torch.uint8))
            self.register_buffer(f"{name}_ends", torch.zeros(0, dtype=torch.int64))
        self.register_buffer("rated_items", torch.zeros(0, dtype=torch.int32))
        self.register_buffer("rated_ends", torch.zeros(0, dtype=torch.int64))

    def fill(
        self, users: pd.DataFrame, items: pd.DataFrame, columns: dict[str, np.ndarray]
    ) -> None:
        """Take over the ids and titles of a dataset, and all its pairs of user and item."""
        texts = {"users": users["id"], "items": items["id"], "titles": items["title"]}
        for name, values in texts.items():
            text, ends = pack_texts(values)
            setattr(self, f"{name}_text", text)
            setattr(self, f"{name}_ends", ends)
        order = np.argsort(columns["user"], kind="stable")
        self.rated_items = torch.from_numpy(columns["item"][order])
        counts = np.bincount(columns["user"], minlength=len(users))
        self.rated_ends = torch.from_numpy(counts.cumsum())

    def texts(self, name: str) -> list[str]:
        """All `users`, `items` or `titles`, by index."""
        return unpack_texts(getattr(self, f"{name}_text"), getattr(self, f"{name}_ends"))

    def index(self, name: str) -> dict[str, int]:
        """Index of each of all `users` or `items`."""
        if name not in self._index:
            self._index[name] = {text: number for number, text in enumerate(self.texts(name))}
        return self._index[name]

    def rated(self, user: int) -> np.ndarray:
        """Items a user has rated; none for a user that nobody knows."""
        if user >= len(self.rated_ends):
            return np.zeros(0, np.int64)
        start = int(self.rated_ends[user - 1]) if user else 0
        items: np.ndarray = self.rated_items[start : int(self.rated_ends[user])].cpu().numpy()
        return items
