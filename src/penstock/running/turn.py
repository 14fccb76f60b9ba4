"""One run of a pipeline at a time: the next ones queue up, in place of colliding on DVC's lock."""

import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO

from ..messages.errors import PenstockError
from ..project.workspace import Workspace

POLL = 0.2  # seconds between looks at a turn that somebody else has

_given_up = threading.Event()


def give_up() -> None:
    """Have those of this process's threads that wait for their turn fail: it is to end."""
    _given_up.set()


def is_given_up() -> bool:
    """Whether this process is to end."""
    return _given_up.is_set()


@contextmanager
def taking_turns(workspace: Workspace, tell: Callable[[str], None] = print) -> Iterator[IO[str]]:
    """Wait until no other run of the pipeline is under way, and keep others waiting.

    The kernel frees the lock when the last process that has the file open ends: the one that
    took it, and those it was passed to, which may tidy up after the death of the first.

    Args:
        workspace: of the pipeline.
        tell: is told once for whom one waits.

    Yields:
        The file that is locked.

    Raises:
        PenstockError: the wait was given up.
    """
    folder = workspace.root / ".dvc" / "tmp" / "penstock"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"turn-{workspace.name}").open("a+") as file:
        told = False
        while not _lock(file):
            if is_given_up():
                raise PenstockError(f"{workspace.name}: given up while it waited for its turn")
            if not told:
                file.seek(0)
                tell(f"{workspace.name}: waiting for another run to end ({file.read().strip()})")
                told = True
            time.sleep(POLL)
        file.truncate(0)
        file.write(f"process {os.getpid()}\n")
        file.flush()
        yield file


def _lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
