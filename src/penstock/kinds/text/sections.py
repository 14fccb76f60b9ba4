"""Settings that networks of text have in common."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from ...settings.sections import Count, Section


class Attention(Section):
    """Heads of attention, each of as many numbers, which rotary positions take in pairs."""

    width: Annotated[int, Field(ge=4, multiple_of=2)] = 192
    """Numbers that stand for a token in each layer; a multiple of twice the heads."""
    heads: Count = 4
    """Heads of attention in each layer."""

    @model_validator(mode="after")
    def _divides_by_its_heads(self) -> Self:
        if self.width % (2 * self.heads):
            raise ValueError(
                f"width: {self.width} with {self.heads} heads: expected a multiple of "
                f"{2 * self.heads}"
            )
        return self
