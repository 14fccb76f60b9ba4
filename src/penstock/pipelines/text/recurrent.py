"""Recurrent language models: what was read so far is a state of fixed size."""

import torch
from torch import nn

from ...kinds.text.tied import Tied
from .cells import State, unroll

KINDS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
SCORED_TWICE = 4  # scoring reads windows of so many times the length that was trained on


class Recurrent(nn.Module):
    """Embedding, recurrent layers, and logits of the token that follows.

    Attributes:
        window: tokens that are scored in one go.
        least_context: tokens of a window that are read before scoring starts.
    """

    def __init__(
        self,
        kind: str,
        tokens: int,
        embedding: int,
        hidden: int,
        layers: int,
        dropout: float,
        tied: bool,
        explicit: bool,
        window: int,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, embedding)
        between = dropout if layers > 1 else 0.0
        self.cells = KINDS[kind](embedding, hidden, layers, batch_first=True, dropout=between)
        self.dropout = nn.Dropout(dropout)
        project = tied and hidden != embedding
        self.projection = nn.Linear(hidden, embedding, bias=False) if project else nn.Identity()
        self.head = Tied(self.embedding) if tied else nn.Linear(hidden, tokens)
        if tied:
            nn.init.normal_(self.embedding.weight, std=0.1)
        self.scale = embedding**0.5 if tied else 1.0
        if isinstance(self.cells, nn.LSTM):
            _remember_at_first(self.cells)
        self.explicit = explicit
        self.window, self.least_context = SCORED_TWICE * window, window

    def forward(
        self, tokens: torch.Tensor, state: State | None = None
    ) -> tuple[torch.Tensor, State]:
        """Read on.

        Args:
            tokens: shape (batch, time).
            state: what an earlier call answered; of nothing read if left out.

        Returns:
            Logits of the token after each, shape (batch, time, tokens), and the state.
        """
        read = self.dropout(self.embedding(tokens) * self.scale)
        if self.explicit:
            outputs, state = unroll(self.cells, read, state)
        else:
            outputs, state = self.cells(read, state)
        return self.head(self.dropout(self.projection(outputs))), state


def _remember_at_first(cells: nn.LSTM) -> None:
    """Open the forget gates (Jozefowicz et al. 2015): a bias of 1."""
    hidden = cells.hidden_size
    with torch.no_grad():
        for layer in range(cells.num_layers):
            getattr(cells, f"bias_ih_l{layer}")[hidden : 2 * hidden] = 1.0
