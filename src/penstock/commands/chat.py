"""Talking with the registered champion of a pipeline that replies, in the terminal."""

import sys
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from ..messages.errors import PenstockError
from ..messages.printable import printable
from ..project.workspace import Workspace
from ..tracking.champion import Champion, load_current, read_options

CONTEXT, WHY = "context", "why"  # an input and an option of models that reply
NEAREST, SIMILARITY = "nearest", "similarity"  # what they answer if asked why
COMMANDS = "/why, /reset; Ctrl-D ends"


@dataclass
class Talk:
    """What was said so far.

    Attributes:
        champion: replies.
        options: as on the command line.
        turns: those that got a reply, and the replies; the earliest first.
        asked: the turns that the last reply was to.
    """

    champion: Champion
    options: dict[str, Any]
    turns: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def say(self, line: str) -> str:
        """Answer a line: a reply, in brackets why there is none, or what a command answers."""
        if line.startswith("/"):
            return self._obey(line.strip())
        self.asked = [*self.turns, line]
        answer = self._ask(self.asked, {})
        if not answer["reply"]:
            return f"[no reply: {answer['refusal']}]"
        self.turns = [*self.asked, answer["reply"]]
        return str(answer["reply"])

    def _obey(self, command: str) -> str:
        if command == "/reset":
            self.turns, self.asked = [], []
            return "[nothing was said so far]"
        if command != "/why":
            return f"[no such command; there is: {COMMANDS}]"
        if not self.asked:
            return "[nothing was said so far]"
        answer = self._ask(self.asked, {WHY: True})
        near = answer[NEAREST]
        if not isinstance(near, list) or not near:
            return f"[no training context was looked at: {answer['refusal']}]"
        shown = zip(near, answer[SIMILARITY], strict=True)
        lines = [f"{similarity:.3f}  {context}" for context, similarity in shown]
        return "\n".join([f"[confidence {answer['confidence']:.4f}; nearest in training:]", *lines])

    def _ask(self, turns: list[str], more: dict[str, Any]) -> dict[str, Any]:
        inputs = pd.DataFrame({CONTEXT: [turns]})
        answers = self.champion.answer(inputs, {**self.options, **more})
        answer: Any = answers.iloc[0].to_dict()
        return dict(answer)


def chat(workspace: Workspace, settings: list[str]) -> None:
    """Read lines from the terminal and answer them, until its end or Ctrl-C.

    Args:
        workspace: of the pipeline.
        settings: `name=value` for options of the pipeline, the value in YAML.

    Raises:
        PenstockError: there is no champion, it does not reply, or there is no such option.
    """
    champion = load_current(workspace.root, workspace.name)
    interface = champion.interface
    if CONTEXT not in interface.inputs or WHY not in interface.options:
        raise PenstockError(f"{champion.title}: it replies to nothing; expected a dialogue model")
    options = read_options(workspace.name, interface.options, settings)
    talk = Talk(champion, options)
    terms = champion.info.get("licence")
    _tell(f"[{champion.title}{f'; {terms}' if terms else ''}; {COMMANDS}]")
    try:
        while True:
            try:
                line = input("> " if sys.stdin.isatty() else "")
                line.encode()  # bytes that are no text may have been read as surrogates
            except (UnicodeDecodeError, UnicodeEncodeError) as error:
                _tell(f"[not {error.encoding}: {error.reason}]")
                continue
            _tell(talk.say(line))
    except (EOFError, KeyboardInterrupt):
        print()


def _tell(text: str) -> None:
    print("\n".join(map(printable, text.split("\n"))), flush=True)
