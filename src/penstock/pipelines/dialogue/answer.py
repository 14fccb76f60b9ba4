"""What an answer is, and when there is none."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from .normal import normalise

LONGEST = 4_000  # characters of a turn that is answered


@dataclass(frozen=True)
class Answer:
    """A reply, or why there is none.

    Attributes:
        reply: empty if there is none.
        confidence: probability that the model gives to it; 0 if it was not asked.
        refusal: why there is no reply.
        nearest: the training contexts that are nearest to what was said, with their replies.
        similarity: how near each is, 0 to 1.
    """

    reply: str = ""
    confidence: float = 0.0
    refusal: str = ""
    nearest: list[str] = field(default_factory=list)
    similarity: list[float] = field(default_factory=list)


class Blocked:
    """Words that neither questions nor replies may have, in any capitals, as whole words."""

    def __init__(self, words: Sequence[str]) -> None:
        """Take over words, or several in a row."""
        named = "|".join(re.escape(normalise(it)) for it in words)
        self.pattern = re.compile(rf"(?<!\w)(?:{named})(?!\w)", re.IGNORECASE) if words else None

    def find(self, text: str) -> str:
        """The first blocked word of a text in normal form, or nothing."""
        found = self.pattern.search(text) if self.pattern else None
        return found.group() if found else ""


def refuse(context: Sequence[str], blocked: Blocked) -> str:
    """Why a context, in normal form, gets no reply whatever the model; or nothing."""
    if not context or not context[-1]:
        return "nothing was said that can be read"
    if len(context[-1]) > LONGEST:
        return f"{len(context[-1]):,} characters were said; at most {LONGEST:,} are answered"
    if found := blocked.find(context[-1]):
        return f"the word {found} is blocked"
    return ""


def read_context(context: Sequence[str], turns: int) -> list[str]:
    """The latest turns in normal form, the earliest first; of long ones before the last, the end.

    The last turn stays, whatever it is: it is what is answered.
    """
    latest = [normalise(it) for it in context[-turns:]]
    earlier = [it[-LONGEST:] for it in latest[:-1] if it]
    return [*earlier, *latest[-1:]]
