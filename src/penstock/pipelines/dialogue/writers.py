"""Networks that write a reply, a token at a time: a decoder with attention, or a transformer."""

from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from ...kinds.text import transformer
from ...kinds.text.tied import Tied
from .corpus import Corpus
from .memory import Memory, TermWeights

if TYPE_CHECKING:
    from . import params

CELLS = {"lstm": nn.LSTM, "gru": nn.GRU}
LONGEST = 1_024  # tokens of a reply that are scored, or written

State = Any  # what was read and written so far; a row of a batch each
Scored = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


class Writer(nn.Module):
    """What both have in common: what is kept of the training split, and how a batch is read.

    A batch has `tokens`, turns and a reply, each ended by a BOUNDARY, (batch, time); `lengths`; and
    `skipped`, the tokens before the reply.

    Attributes:
        context: most tokens of the turns that are read.
    """

    context: int

    def __init__(self, model: "params.Seq2Seq | params.Transformer") -> None:
        super().__init__()
        self.turns, self.context = model.turns, model.context
        self.blocked, self.least_confidence = model.blocked, model.least_confidence
        self.memory, self.terms = Memory(), TermWeights()

    def measure(self, corpus: Corpus) -> None:
        """Take over what is learned from, and which words say much."""
        self.memory.fill(corpus)
        self.terms.measure(corpus.texts)

    def forward(self, batch: dict[str, torch.Tensor]) -> Scored:
        """Score replies.

        Returns:
            Logits, (batch, time, tokens); what should have been said, (batch, time); which count.
        """
        raise NotImplementedError

    def step(self, tokens: torch.Tensor, state: State | None) -> tuple[torch.Tensor, State]:
        """Read on: the turns at first, then what was written, (batch, time).

        Returns:
            Logits of the next token, (batch, tokens), and the state.
        """
        raise NotImplementedError

    def select(self, state: State, rows: torch.Tensor) -> State:
        """The state of some rows, in this order; a row may come several times."""
        raise NotImplementedError


class TransformerWriter(Writer):
    """The text pipeline's transformer, which reads the turns and goes on with the reply."""

    def __init__(self, model: "params.Transformer", tokens: int) -> None:
        super().__init__(model)
        self.language = transformer.Transformer(
            tokens,
            model.width,
            model.layers,
            model.heads,
            model.context + LONGEST,
            model.feed_forward,
            model.dropout,
            tied=True,
            rotary=True,
        )

    def forward(self, batch: dict[str, torch.Tensor]) -> Scored:
        """Score replies in one reading of turns and reply."""
        tokens = batch["tokens"].long()
        places = torch.arange(1, tokens.shape[1], device=tokens.device)
        logits, _ = self.language(tokens[:, :-1])
        counted = (places >= batch["skipped"][:, None]) & (places < batch["lengths"][:, None])
        return logits.float(), tokens[:, 1:], counted

    def step(self, tokens: torch.Tensor, state: State | None) -> tuple[torch.Tensor, State]:
        """Read on; keys and values of what was read are kept."""
        logits, state = self.language(tokens, state)
        return logits[:, -1], state

    def select(self, state: State, rows: torch.Tensor) -> State:
        """Keys and values of some rows."""
        return [(keys[rows], values[rows]) for keys, values in state]


class Seq2SeqWriter(Writer):
    """A bidirectional encoder, and a decoder that attends to what it read.

    Attention by a product with a matrix, after the recurrent layer (Luong et al. 2015, "general",
    without feeding the result back, so that training needs no loop over the reply).
    """

    def __init__(self, model: "params.Seq2Seq", tokens: int) -> None:
        super().__init__(model)
        kind = cast("type[nn.GRU]", CELLS[model.cell])
        self.embedding = nn.Embedding(tokens, model.embedding)
        nn.init.normal_(self.embedding.weight, std=0.1)
        half = model.hidden // 2
        self.encoder = kind(model.embedding, half, batch_first=True, bidirectional=True)
        self.decoder = kind(model.embedding, model.hidden, batch_first=True)
        self.match = nn.Linear(model.hidden, model.hidden, bias=False)
        self.joined = nn.Linear(2 * model.hidden, model.embedding)
        self.head = Tied(self.embedding)
        self.scale = model.embedding**0.5
        self.dropout = nn.Dropout(model.dropout)

    def forward(self, batch: dict[str, torch.Tensor]) -> Scored:
        """Score replies: each step is given the right tokens before it."""
        tokens, skipped = batch["tokens"].long(), batch["skipped"]
        read, mask, state = self._read(tokens[:, : int(skipped.max())], skipped)
        written = batch["lengths"] - skipped
        steps = torch.arange(int(written.max()), device=tokens.device)
        places = (skipped[:, None] + steps).clamp(max=tokens.shape[1] - 1)
        logits, _ = self._write(tokens.gather(1, places - 1), read, mask, state)
        return logits.float(), tokens.gather(1, places), steps < written[:, None]

    def step(self, tokens: torch.Tensor, state: State | None) -> tuple[torch.Tensor, State]:
        """Read the turns, and from then on what was written."""
        if state is None:
            lengths = torch.full((len(tokens),), tokens.shape[1], device=tokens.device)
            read, mask, carried = self._read(tokens, lengths)
            tokens = tokens[:, -1:]
        else:
            read, mask, carried = state
        logits, carried = self._write(tokens, read, mask, carried)
        return logits[:, -1], (read, mask, carried)

    def select(self, state: State, rows: torch.Tensor) -> State:
        """What was read, and the state, of some rows."""
        read, mask, carried = state
        if isinstance(carried, tuple):
            return read[rows], mask[rows], tuple(it[:, rows] for it in carried)
        return read[rows], mask[rows], carried[:, rows]

    def _read(
        self, tokens: torch.Tensor, lengths: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, State]:
        """What turns come to: (batch, time, hidden), which of it there is, the first state."""
        embedded = self.dropout(self.embedding(tokens) * self.scale)
        packed = pack_padded_sequence(embedded, lengths.cpu(), True, enforce_sorted=False)
        outputs, last = self.encoder(packed)
        read, _ = pad_packed_sequence(outputs, batch_first=True, total_length=tokens.shape[1])
        mask = torch.arange(tokens.shape[1], device=tokens.device) < lengths[:, None]
        both = last if isinstance(last, tuple) else (last,)
        first = tuple(it.transpose(0, 1).flatten(1)[None].contiguous() for it in both)
        return read, mask, first if len(first) == 2 else first[0]

    def _write(
        self, tokens: torch.Tensor, read: torch.Tensor, mask: torch.Tensor, state: State
    ) -> tuple[torch.Tensor, State]:
        embedded = self.dropout(self.embedding(tokens) * self.scale)
        outputs, state = self.decoder(embedded, state)
        scores = self.match(outputs) @ read.transpose(1, 2)
        looked_at = scores.masked_fill(~mask[:, None], -torch.inf).softmax(-1) @ read
        joined = torch.tanh(self.joined(self.dropout(torch.cat([outputs, looked_at], -1))))
        return self.head(joined), state
