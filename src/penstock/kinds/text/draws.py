"""Drawing the next token from what a network expects."""

from dataclasses import dataclass

import numpy as np

from .tokens import UNKNOWN


@dataclass(frozen=True)
class Draw:
    """How the next token is drawn.

    Attributes:
        temperature: by which logits are divided; 0 takes the likeliest token.
        top_k: how many of the likeliest tokens may be drawn; 0 for all.
        seed: of the random numbers.
    """

    temperature: float = 1.0
    top_k: int = 0
    seed: int = 0

    def chooser(self) -> "Chooser":
        """A row of draws, which a seed decides."""
        return Chooser(self, np.random.Generator(np.random.PCG64(self.seed)))


@dataclass(frozen=True)
class Chooser:
    """Draws tokens, one after the other."""

    draw: Draw
    chance: np.random.Generator

    def __call__(self, logits: np.ndarray) -> int:
        """Draw a token that can be written; logits are float64, shape (tokens,)."""
        logits = logits.copy()
        logits[UNKNOWN] = -np.inf
        if self.draw.temperature == 0:
            return int(logits.argmax())
        if 0 < self.draw.top_k < len(logits):
            logits[logits < np.partition(logits, -self.draw.top_k)[-self.draw.top_k]] = -np.inf
        weights = np.exp((logits - logits.max()) / self.draw.temperature)
        sums = weights.cumsum()
        return int(np.searchsorted(sums, self.chance.random() * sums[-1], side="right"))
