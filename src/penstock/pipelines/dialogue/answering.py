"""What answers, whichever model it is: finds a reply, or writes one."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np

from ...kinds.text.tokens import read_tokens
from ...messages.errors import PenstockError
from .answer import Answer, Blocked, read_context, refuse
from .decoding import Decoding, write
from .finding import Finder, Nearest
from .network import Network
from .normal import normalise
from .retrieval import Retrieval
from .stretches import encode_context
from .writers import LONGEST, Writer

AGAIN = 4  # further seeds that are tried where a reply has a blocked word


class Replier:
    """Answers by a reply that is written."""

    def __init__(self, network: Writer, info: dict[str, Any]) -> None:
        """Set up for the tokens of a dataset."""
        self.network, self.tokens = network, read_tokens(info["tokens"])
        self.blocked, self.least = Blocked(network.blocked), network.least_confidence

    @cached_property
    def nearest(self) -> Nearest:
        """The training contexts."""
        return Nearest(self.network, self.blocked)

    def answer(self, context: Sequence[str], options: dict[str, Any]) -> Answer:
        """Write a reply to the last turn."""
        turns = read_context(context, self.network.turns)
        if reason := refuse(turns, self.blocked):
            return Answer(refusal=reason)
        decoding = read_decoding(options)
        read = encode_context(self.tokens, context, self.network)
        near = self.nearest.find(turns) if options["why"] else ([], [])
        for again in range(1 + AGAIN * (decoding.kind == "nucleus")):
            tried = Decoding(**{**decoding.__dict__, "seed": decoding.seed + again})
            for written in write(self.network, read, tried):
                text = self._decode(written.tokens)
                if not text or self.blocked.find(text):
                    continue
                confidence = float(np.exp(written.likely))
                if confidence < self.least:
                    return Answer(
                        "", confidence, "the model is not sure enough of any reply", *near
                    )
                return Answer(text, confidence, "", *near)
        return Answer(refusal="every reply had a blocked word, or nothing to read", nearest=near[0])

    def _decode(self, tokens: Sequence[int]) -> str:
        content = self.tokens.content
        return normalise(b"".join(content[it] for it in tokens).decode("utf-8", "replace"))


def answerer(network: Network, info: dict[str, Any]) -> "Finder | Replier":
    """What answers with a network; kept with it, since the first answer takes its time."""
    if not hasattr(network, "answerer"):
        made = Finder(network) if isinstance(network, Retrieval) else Replier(network, info)
        object.__setattr__(network, "answerer", made)
    found: Finder | Replier = network.answerer  # type: ignore[assignment]
    return found


def read_decoding(options: dict[str, Any]) -> Decoding:
    """Read how to write from options.

    Raises:
        PenstockError: one is out of range.
    """
    kinds = ("greedy", "beam", "nucleus")
    if options["decoding"] not in kinds:
        raise PenstockError(f"decoding: {options['decoding']}: expected one of {', '.join(kinds)}")
    limits = {
        "beams": (1, 64),
        "nucleus": (0.01, 1.0),
        "temperature": (0.01, 100.0),
        "no_repeat": (0, 100),
        "length": (1, LONGEST),
        "seed": (0, 2**31),
    }
    for name, (least, most) in limits.items():
        if not least <= options[name] <= most:
            raise PenstockError(
                f"{name}: {options[name]}: expected a number from {least} to {most:,}"
            )
    return Decoding(options["decoding"], **{name: options[name] for name in limits})
