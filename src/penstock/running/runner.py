"""Stages run in a process beside this one, for a flow that watches and logs what they print.

The process keeps DVC loaded from stage to stage, and is a group of its own, so that whatever a
stage starts can be ended with it. Requests are a line of JSON each, and so are answers. These come
by a pipe of their own, which stages do not have: nothing they print is taken for an answer.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from multiprocessing.connection import wait
from threading import Timer
from typing import IO, Any

from ..messages.errors import ERROR, KilledError, PenstockError, TemporaryError
from ..messages.printable import printable
from ..project.login import PREFECT
from ..project.processes import (
    GRACE,
    INTERRUPTED,
    end_tidily_on_sigterm,
    end_with_parent,
    was_interrupted,
)
from ..project.workspace import Workspace
from .notification import WEBHOOK
from .repro import State, reproduce, restoring
from .steps import Step

# Stages have no use for these secrets, and what they run might print them.
SECRETS = (WEBHOOK, PREFECT, "PREFECT_SERVER_API_AUTH_STRING", "PREFECT_API_KEY")
KINDS = {kind.__name__: kind for kind in (PenstockError, TemporaryError, KilledError)}


class Runner:
    """Runs the stale stages of a pipeline; use it as a context manager.

    `turn` is the file whose lock keeps other runs of the pipeline waiting: the process holds it as
    well, for it tidies up if this one is killed. `environment` is added to what the stages see.
    """

    def __init__(self, workspace: Workspace, turn: IO[str], **environment: str) -> None:
        self.workspace = workspace
        self.turn = turn
        self.environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._answers: IO[bytes] | None = None

    def run(
        self,
        step: Step,
        tell: Callable[[str], None],
        force: bool = False,
        timeout: float | None = None,
    ) -> State:
        """Run a stage, or restore its outputs; tell each line it prints.

        Raises:
            PenstockError: the stage failed, with the reason it gave, or took longer than `timeout`
                seconds; its former outputs are back.
            TemporaryError: it failed by trouble that may pass.
            KilledError: it was killed, or the process was.
        """
        with self._ending_after(timeout) as overdue:
            try:
                state: State = self._ask({"step": asdict(step), "force": force}, tell)
                return state
            except PenstockError:
                if not overdue():
                    raise
        raise PenstockError(
            f"{step.label}: not done within {timeout:g} s, and ended; its former outputs are back "
            f"in place; raise timeouts.{step.stage} or ask why it takes so long"
        )

    def try_settings(self, settings: list[str], tell: Callable[[str], None]) -> None:
        """Run the plain stages with other settings, in a scratch folder.

        Raises:
            PenstockError: a setting is not allowed, or a stage failed.
        """
        self._ask({"settings": settings}, tell)

    def _ask(self, request: dict[str, Any], tell: Callable[[str], None]) -> Any:
        process = self._process = self._process or self._start()
        with suppress(BrokenPipeError):  # it was killed since: its status will say so
            process.stdin.write(json.dumps(request).encode() + b"\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
        reason = ""
        for line in self._printed():
            tell(line)
            if line.startswith(ERROR):
                reason = line.removeprefix(ERROR)
        if record := self._answers.readline():  # type: ignore[union-attr]
            answer = json.loads(record)
            if "error" not in answer:
                return answer["state"]
            raise KINDS[answer["kind"]](*(reason or answer["error"]).split("\n"))
        self._process, status = None, process.wait()
        if was_interrupted(status):
            raise KilledError("interrupted")
        raise KilledError(f"the process of its stages ended with {status}; its log says more")

    def _printed(self) -> Iterator[str]:
        """Give each line that is printed, until there is an answer or the process has ended."""
        output, answers, line = self._process.stdout, self._answers, b""  # type: ignore[union-attr]
        pipes = [output, answers]
        while True:
            ready = wait(pipes)  # type: ignore[arg-type]
            if output not in ready:  # look again: what was printed came before the answer
                ready = wait([output], 0)  # type: ignore[list-item]
            if not ready:
                if answers.peek(1):  # type: ignore[union-attr]
                    break
                pipes = [output]  # it ended; a stage it had started may have more to say
                continue
            read = os.read(output.fileno(), 2**16)  # type: ignore[union-attr]
            *lines, line = (line + read).split(b"\n")
            yield from (_shown(it) for it in lines if it)
            if not read:
                break
        if line:
            yield _shown(line)

    @contextmanager
    def _ending_after(self, seconds: float | None) -> Iterator[Callable[[], bool]]:
        """End the process after some time; yield what tells whether that happened."""
        overdue = False

        def end() -> None:
            nonlocal overdue
            overdue = True
            self.end()

        if seconds is None:
            yield lambda: False
            return
        timer = Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            yield lambda: overdue
        finally:
            timer.cancel()

    def _start(self) -> "subprocess.Popen[bytes]":
        ours, theirs = os.pipe()
        environment = {key: value for key, value in os.environ.items() if key not in SECRETS}
        self._answers = os.fdopen(ours, "rb")
        try:
            return subprocess.Popen(
                [sys.executable, "-m", __name__, self.workspace.name, str(theirs)],
                cwd=self.workspace.root,
                env={**environment, **self.environment, "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                pass_fds=[self.turn.fileno(), theirs],
            )
        finally:
            os.close(theirs)

    def end(self) -> None:
        """End the process and all it started: asked first, then killed."""
        process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(GRACE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def __enter__(self) -> "Runner":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """End the process; it has nothing left to do, or is at work and is ended."""
        if self._process is None:
            return
        if kind is None:
            self._process.stdin.close()  # type: ignore[union-attr]
            try:
                self._process.wait(GRACE)
                return
            except subprocess.TimeoutExpired:
                pass
        self.end()


def _shown(line: bytes) -> str:
    """A line for a log; what libraries print may have control characters too."""
    return printable(line.decode(errors="replace"))


def serve(name: str, answers: int) -> None:
    """Answer requests from standard input until it ends, by a file descriptor of their own."""
    end_with_parent()
    end_tidily_on_sigterm()
    requests = os.fdopen(os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # stages must not read the requests
    os.set_inheritable(answers, False)  # nor answer them
    workspace = Workspace.open(name)
    for line in requests:
        answer: dict[str, Any]
        try:
            answer = {"state": _answer(workspace, **json.loads(line))}
        except PenstockError as error:
            answer = {"error": str(error), "kind": type(error).__name__}
        os.write(answers, json.dumps(answer).encode() + b"\n")


def _answer(
    workspace: Workspace,
    step: dict[str, str] | None = None,
    force: bool = False,
    settings: list[str] | None = None,
) -> State:
    if settings:
        from .overrides import run_overridden

        run_overridden(workspace.name, workspace.root, settings, register=False)
        return "ran"
    with restoring(workspace):
        return reproduce(workspace.root, Step(**step or {}), force)


if __name__ == "__main__":
    try:
        serve(sys.argv[1], int(sys.argv[2]))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
