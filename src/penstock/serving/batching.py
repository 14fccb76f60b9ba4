"""Questions that arrive together are answered together, by one thread for each model.

Nothing waits for others to come: what arrives while a batch is being answered is the next batch.
"""

import asyncio
import ctypes
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from .limits import Limits
from .refusals import Refusal


class Overdue(BaseException):
    """Raised within a computation that takes too long; no code of a model catches it."""


@dataclass(frozen=True)
class Waiting:
    """A question with what waits for its answer.

    Attributes:
        question: whatever `answer` takes.
        size: rows of it.
        future: of the answer.
    """

    question: Any
    size: int
    future: "asyncio.Future[Any]" = field(repr=False)


Answer = Callable[[list[Any]], list[Any]]  # an exception in place of an answer is raised


class Batcher:
    """Asks one model, a batch at a time; lives in one event loop."""

    def __init__(self, name: str, answer: Answer, limits: Limits) -> None:
        """Set up.

        Args:
            name: of the model.
            answer: answers questions together, in a thread of this model's own.
            limits: of time, requests and rows.
        """
        self._answer = answer
        self._limits = limits
        self._name = name
        self._queue: list[Waiting] = []
        self._thread = Computing(name)
        self._busy: asyncio.Task[None] | None = None
        self.asked = 0

    async def ask(self, question: Any, size: int) -> Any:
        """Answer one question, with those that arrive together with it.

        Raises:
            Refusal: too many wait, or it takes too long.
        """
        limits = self._limits
        if self.asked >= limits.waiting:
            raise Refusal(429, f"{self._name}: {self.asked} requests are waiting; ask again later")
        self.asked += 1
        waiting = Waiting(question, size, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        if self._busy is None:
            self._busy = asyncio.create_task(self._work())
        try:
            return await asyncio.wait_for(waiting.future, limits.seconds)
        except TimeoutError:
            raise Refusal(
                504, f"{self._name}: no answer within {limits.seconds:g} s; ask for less"
            ) from None
        finally:
            self.asked -= 1

    async def _work(self) -> None:
        try:
            await asyncio.sleep(0)  # those that arrived in the same moment
            while batch := self._next():
                await self._answer_batch(batch)
        finally:
            self._busy = None

    def _next(self) -> list[Waiting]:
        """The questions of the next batch; nobody waits any more for those that took too long."""
        self._queue = [it for it in self._queue if not it.future.done()]
        batch: list[Waiting] = []
        rows = 0
        while self._queue and (not batch or rows + self._queue[0].size <= self._limits.batch):
            batch.append(self._queue.pop(0))
            rows += batch[-1].size
        return batch

    async def _answer_batch(self, batch: list[Waiting]) -> None:
        done = self._thread.compute(lambda: self._answer([it.question for it in batch]))
        finished, _ = await asyncio.wait([done], timeout=self._limits.seconds)
        if not finished:
            self._thread.interrupt()
            await asyncio.wait([done])
        error = done.exception()
        answers = [error] * len(batch) if error else done.result()
        for waiting, answer in zip(batch, answers, strict=True):
            if waiting.future.done():
                continue
            if isinstance(answer, Overdue):
                answer = TimeoutError()
            if isinstance(answer, BaseException):
                waiting.future.set_exception(answer)
            else:
                waiting.future.set_result(answer)


class Computing:
    """A thread that computes one thing after another, and can be interrupted in Python code."""

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._computing = False
        self._thread = threading.Thread(target=self._run, name=f"model-{name}", daemon=True)
        self._thread.start()

    def compute(self, function: Callable[[], Any]) -> "asyncio.Future[Any]":
        """Compute in the thread; answer in the event loop of the caller."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()

        def settle(result: Any, error: BaseException | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)

        def job() -> None:
            result, failed = None, None
            try:
                self._computing = True
                try:
                    result = function()
                except BaseException as error:
                    failed = error
                with self._lock:
                    self._computing = False
            except Overdue as error:  # on the way out
                self._computing, failed = False, error
            _tell(loop, partial(settle, result, failed))

        self._jobs.put(job)
        return future

    def interrupt(self) -> None:
        """Raise `Overdue` in what is being computed, at its next step in Python."""
        with self._lock:
            if self._computing:
                thread = ctypes.c_ulong(self._thread.ident or 0)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(Overdue))

    def _run(self) -> None:
        while True:
            try:
                self._jobs.get()()
            except Overdue:  # it came a moment after the end of what it was meant for
                continue


def _tell(loop: asyncio.AbstractEventLoop, settle: Callable[[], None]) -> None:
    """Have an event loop do something, even if an interruption arrives only now."""
    while True:
        try:
            with suppress(RuntimeError):  # the loop is closed: nobody waits
                loop.call_soon_threadsafe(settle)
            return
        except Overdue:
            continue
