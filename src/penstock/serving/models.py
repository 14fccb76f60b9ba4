"""The champions that are served: each loaded once, and the next one as soon as it is promoted."""

import asyncio
import json
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..messages.errors import PenstockError
from ..tracking.champion import Champion, champion_version, load_champion
from ..tracking.standing import aliases_of, describe_champion, example_of, read_report
from ..tracking.store import MlflowClient, connect
from .answering import Answer, Question, answer_together
from .batching import Batcher
from .limits import Limits
from .refusals import Refusal

POLL = 1.0  # seconds between two looks at the registry
log = logging.getLogger("penstock.serving")


@dataclass(frozen=True)
class Held:
    """A champion that is loaded, with all that is told of it.

    Attributes:
        champion: the model.
        about: what `GET /NAME` says.
        example: of a question, as JSON that MLflow takes; None if there is none.
    """

    champion: Champion
    about: dict[str, Any]
    example: dict[str, Any] | None


class Model:
    """One registered model: its champion as it is now, and the questions that wait for it."""

    def __init__(self, name: str, limits: Limits) -> None:
        self.name = name
        self.held: Held | None = None
        self.aliases: dict[str, str] = {}
        self.problem = ""
        self.batcher = Batcher(name, self._answer, limits)
        self._limits = limits

    async def ready(self) -> Held:
        """The champion, as soon as it is loaded.

        Raises:
            Refusal: there is none that could be.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._limits.seconds
        while self.held is None:
            if self.problem:
                raise Refusal(503, self.problem)
            if loop.time() > deadline:
                raise Refusal(504, f"{self.name}: not loaded yet; ask again later")
            await asyncio.sleep(0.05)
        return self.held

    async def ask(self, question: Question) -> Answer:
        """Answer a question by the champion of the moment when its batch begins.

        Raises:
            Refusal: too many wait, it takes too long, or the model cannot answer.
        """
        answer: Answer = await self.batcher.ask(question, question.size)
        return answer

    def _answer(self, questions: list[Question]) -> list[Answer | BaseException]:
        if self.held is None:
            raise Refusal(503, self.problem or f"{self.name}: not loaded")
        return answer_together(self.held.champion, questions)


class Models:
    """All that are served, and a thread that looks for promotions."""

    def __init__(self, root: Path, names: list[str], limits: Limits) -> None:
        self.root = root
        self.known = {name: Model(name, limits) for name in names}
        self.loaded: Callable[[Model], None] = lambda model: None
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="promotions", daemon=True)

    def __getitem__(self, name: str) -> Model:
        """A model by its name.

        Raises:
            Refusal: there is no such model.
        """
        if name not in self.known:
            raise Refusal(404, f"no such model; there is: {', '.join(self.known)}")
        return self.known[name]

    def start(self) -> None:
        """Load every champion, and go on looking."""
        self._thread.start()

    def stop(self) -> None:
        """Stop looking."""
        self._end.set()
        self._thread.join()

    def report(self, model: Model) -> bytes | None:
        """The report of a champion."""
        return read_report(connect(self.root), model.held.champion) if model.held else None

    def _watch(self) -> None:
        client: MlflowClient | None = None
        while not self._end.is_set():
            for model in self.known.values():
                try:
                    client = client or connect(self.root)
                    self._look(client, model)
                except Exception as error:  # a store that does not answer now, say
                    self._trouble(model, error)
                if self._end.is_set():
                    return
            self._end.wait(POLL)

    def _look(self, client: MlflowClient, model: Model) -> None:
        """Take up a champion that is not the one that is held."""
        model.aliases = aliases_of(client, model.name)
        version = champion_version(client, model.name)
        held = model.held.champion.version if model.held else None
        if held and held.version == version.version and held.run_id == version.run_id:
            model.problem = ""
            return
        champion = load_champion(self.root, client, version)
        about = describe_champion(self.root, client, champion)
        example = json.loads(example_of(self.root, client, champion) or "null")
        model.held = Held(champion, about, example)
        model.problem = ""
        log.warning("%s: serving", champion.title)
        self.loaded(model)

    @staticmethod
    def _trouble(model: Model, error: Exception) -> None:
        """Say what is wrong; a champion that was loaded before goes on."""
        reason = str(error).strip().split("\n")[0][:500]
        told = reason if isinstance(error, PenstockError) else f"{type(error).__name__}: {reason}"
        if told != model.problem:
            log.error("%s: %s", model.name, told)
        model.problem = told
