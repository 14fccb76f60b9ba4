"""A causal transformer: each token looks at those before it."""

from typing import cast

import torch
from torch import nn
from torch.nn import functional as F

from .tied import Tied

Cache = list[tuple[torch.Tensor, torch.Tensor]]  # of each layer: keys and values so far
WAVELENGTH = 10_000.0


class Transformer(nn.Module):
    """Blocks of attention and a feed-forward layer, norms first (Xiong et al. 2020).

    Attributes:
        window: tokens it can look at.
        least_context: tokens of a window that are read before scoring starts.
    """

    def __init__(
        self,
        tokens: int,
        width: int,
        layers: int,
        heads: int,
        window: int,
        feed_forward: int,
        dropout: float,
        tied: bool,
        rotary: bool,
    ) -> None:
        super().__init__()
        self.window, self.least_context = window, window // 2
        self.angles: torch.Tensor
        self.embedding = nn.Embedding(tokens, width)
        self.positions = None if rotary else nn.Embedding(window, width)
        self.dropout = nn.Dropout(dropout)
        blocks = [Block(width, heads, feed_forward, dropout) for _ in range(layers)]
        self.blocks = cast("list[Block]", nn.ModuleList(blocks))
        self.norm = nn.LayerNorm(width, bias=False)
        self.head = Tied(self.embedding) if tied else nn.Linear(width, tokens)
        self.apply(_start_small)
        for block in self.blocks:  # as GPT-2: what is added up over layers starts smaller
            for added in block.added():
                nn.init.normal_(added.weight, std=0.02 / (2 * layers) ** 0.5)
        angles = _angles(window, width // heads) if rotary else torch.zeros(0)
        self.register_buffer("angles", angles, persistent=False)

    def forward(
        self, tokens: torch.Tensor, state: Cache | None = None
    ) -> tuple[torch.Tensor, Cache]:
        """Read on: at most `window` tokens, those of earlier calls included.

        Args:
            tokens: shape (batch, time).
            state: keys and values of what was read before.

        Returns:
            Logits of the token after each, shape (batch, time, tokens), and the state.
        """
        before = state[0][0].shape[2] if state else 0
        places = slice(before, before + tokens.shape[1])
        read = self.embedding(tokens)
        if self.positions is not None:
            read = read + self.positions.weight[places]
        read = self.dropout(read)
        cache: Cache = []
        for layer, block in enumerate(self.blocks):
            angles = self.angles[places] if len(self.angles) else None
            read, kept = block(read, angles, state[layer] if state else None)
            cache.append(kept)
        return self.head(self.norm(read)), cache

    def attention(self, tokens: torch.Tensor) -> torch.Tensor:
        """What each token looks at, shape (layers, batch, heads, time, time); rows add up to 1."""
        read = self.embedding(tokens)
        if self.positions is not None:
            read = read + self.positions.weight[: tokens.shape[1]]
        angles = self.angles[: tokens.shape[1]] if len(self.angles) else None
        shown = []
        for block in self.blocks:
            queries, keys, _ = block.project(block.norm_attention(read), angles)
            scores = queries @ keys.transpose(2, 3) / keys.shape[-1] ** 0.5
            hidden = torch.ones_like(scores, dtype=torch.bool).triu(1)
            shown.append(scores.masked_fill(hidden, -torch.inf).softmax(-1))
            read, _ = block(read, angles, None)
        return torch.stack(shown)


class Block(nn.Module):
    """Attention, then a feed-forward layer if there is one; each is added to what came in."""

    def __init__(self, width: int, heads: int, feed_forward: int, dropout: float) -> None:
        super().__init__()
        self.heads, self.dropped = heads, dropout
        self.norm_attention = nn.LayerNorm(width, bias=False)
        self.queries_keys_values = nn.Linear(width, 3 * width, bias=False)
        self.attended = nn.Linear(width, width, bias=False)
        self.dropout = nn.Dropout(dropout)
        self.feed_forward: nn.Sequential | None = None
        if feed_forward:
            self.feed_forward = nn.Sequential(
                nn.LayerNorm(width, bias=False),
                nn.Linear(width, feed_forward, bias=False),
                nn.GELU(),
                nn.Linear(feed_forward, width, bias=False),
                nn.Dropout(dropout),
            )

    def added(self) -> list[nn.Linear]:
        """The layers whose outputs are added to what comes in."""
        if self.feed_forward is None:
            return [self.attended]
        return [self.attended, cast("nn.Linear", self.feed_forward[3])]

    def project(
        self, read: torch.Tensor, angles: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Queries, keys and values, each of shape (batch, heads, time, width / heads)."""
        parts = self.queries_keys_values(read).unflatten(-1, (3, self.heads, -1))
        queries, keys, values = parts.permute(2, 0, 3, 1, 4).unbind(0)
        if angles is None:
            return queries, keys, values
        return _rotate(queries, angles), _rotate(keys, angles), values

    def forward(
        self,
        read: torch.Tensor,
        angles: torch.Tensor | None,
        before: tuple[torch.Tensor, torch.Tensor] | None,
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """What comes out, shape (batch, time, width), and keys and values so far."""
        queries, keys, values = self.project(self.norm_attention(read), angles)
        mask = None
        if before is not None:
            keys, values = torch.cat([before[0], keys], 2), torch.cat([before[1], values], 2)
            seen, asked = keys.shape[2], queries.shape[2]
            mask = torch.ones(asked, seen, dtype=torch.bool, device=read.device)
            mask = mask.tril(seen - asked)
        looked_at = F.scaled_dot_product_attention(
            queries,
            keys,
            values,
            attn_mask=mask,
            dropout_p=self.dropped if self.training else 0.0,
            is_causal=mask is None,
        )
        read = read + self.dropout(self.attended(looked_at.transpose(1, 2).flatten(2)))
        if self.feed_forward is not None:
            read = read + self.feed_forward(read)
        return read, (keys, values)


def _angles(window: int, width: int) -> torch.Tensor:
    """Cosines and sines of rotary positions (Su et al. 2021), shape (window, 2, width / 2)."""
    speeds = WAVELENGTH ** (-torch.arange(0, width // 2) / (width // 2))
    turned = torch.arange(window)[:, None] * speeds
    return torch.stack([turned.cos(), turned.sin()], dim=1)


def _rotate(values: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
    """Turn pairs of values by their position's angles; shape (..., time, width)."""
    cosines, sines = angles.to(values.dtype).unbind(1)
    first, second = values.chunk(2, dim=-1)
    return torch.cat([first * cosines - second * sines, first * sines + second * cosines], -1)


def _start_small(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
