"""Stages run in a process beside this one, for a flow that watches and logs what they print.

The process keeps DVC loaded from stage to stage, and is a group of its own, so that whatever a
stage starts can be ended with it. Requests are a line of JSON each; an answer is a line of JSON
behind a record separator (RFC 7464), so that it cannot be mistaken for what a stage prints.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict

from .errors import PenstockError
from .processes import GRACE, end_tidily_on_sigterm, end_with_parent
from .project import Workspace
from .repro import State, Step, reproduce, restoring

SEPARATOR = "\x1e"


class Runner:
    """Runs the stale stages of a pipeline; use it as a context manager.

    `environment` is added to what the stages see.
    """

    def __init__(self, workspace: Workspace, **environment: str) -> None:
        self.workspace = workspace
        self.environment = environment
        self._process: subprocess.Popen[str] | None = None

    def run(self, step: Step, tell: Callable[[str], None]) -> State:
        """Run a stage, or restore its outputs; tell each line it prints.

        Raises:
            PenstockError: the stage failed, with the reason it gave; its former outputs are back.
        """
        process = self._process = self._process or self._start()
        assert process.stdin is not None
        assert process.stdout is not None
        print(json.dumps(asdict(step)), file=process.stdin, flush=True)
        reason = ""
        for line in process.stdout:
            before, separator, record = line.rstrip("\n").partition(SEPARATOR)
            if before:
                tell(before)
                reason = before.partition("penstock: error: ")[2] or reason
            if separator:
                answer = json.loads(record)
                if answer["state"]:
                    state: State = answer["state"]
                    return state
                raise PenstockError(reason or answer["error"])
        self._process = None
        raise PenstockError(f"{step.label}: its process ended ({process.wait()}); see its log")

    def _start(self) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, "-m", __name__, self.workspace.name],
            cwd=self.workspace.root,
            env={**os.environ, **self.environment, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )

    def __enter__(self) -> "Runner":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """End the process and all it started: asked first, then killed."""
        if self._process is None:
            return
        if kind is None:
            self._process.stdin.close()  # type: ignore[union-attr]
        else:
            self._process.terminate()
        try:
            self._process.wait(2 * GRACE)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def serve(name: str) -> None:
    """Answer requests from standard input until it ends."""
    end_with_parent()
    end_tidily_on_sigterm()
    requests = os.fdopen(os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # stages must not read the requests
    workspace = Workspace.open(name)
    for line in requests:
        answer = {"state": "", "error": ""}
        try:
            with restoring(workspace):
                answer["state"] = reproduce(workspace.root, Step(**json.loads(line)))
        except PenstockError as error:
            answer["error"] = str(error)
        print(SEPARATOR + json.dumps(answer), flush=True)


if __name__ == "__main__":
    try:
        serve(sys.argv[1])
    except KeyboardInterrupt:
        sys.exit(130)
