"""Processes that end together: a stage must not outlive the one that started it."""

import ctypes
import os
import signal
import subprocess
import sys
from contextlib import suppress

import psutil

from .warm import INTERRUPTED as INTERRUPTED
from .warm import PARENT as PARENT
from .warm import end_with_parent as end_with_parent

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
GRACE = 10.0  # seconds between asking a process to end and killing it, on a busy machine too


def end_tidily_on_sigterm() -> None:
    """Let SIGTERM end this process as Ctrl-C does: runs are closed, partial files removed.

    Who tidies up must not be interrupted again: a SIGTERM counts only if it comes first. Ctrl-C
    at a terminal reaches every process, and then their parents send SIGTERM as well. To ignore the
    signal from then on would not do, since Lightning puts back the handlers that it found.
    """
    asked = False

    def interrupt(number: int, _: object) -> None:
        nonlocal asked
        if number == signal.SIGINT or not asked:
            asked = True
            raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:  # as it is in the background
        signal.signal(signal.SIGINT, interrupt)


def was_interrupted(status: int) -> bool:
    """Whether a process was ended by Ctrl-C, from its exit status as Python gives it.

    `python -m` ends by SIGINT, whatever is passed to sys.exit, once Ctrl-C has met the exec of a
    string anywhere: the import of a dataclass, say.
    """
    return status in (INTERRUPTED, -signal.SIGINT)


def run_whole(command: list[str]) -> int:
    """Run a command; when it ends, however it ends, end whatever it started as well.

    Returns:
        Its exit status.
    """
    os.environ[PARENT] = str(os.getpid())
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1)  # orphans below become its children
    process = subprocess.Popen(command)  # call() would kill it a quarter of a second after Ctrl-C
    try:
        return process.wait()
    finally:
        end_children()


def end_children() -> None:
    """End every process below this one: asked first, killed when that does not help."""
    children = psutil.Process().children(recursive=True)
    for child in children:
        _send(child, signal.SIGTERM)
    for child in psutil.wait_procs(children, timeout=GRACE)[1]:
        _send(child, signal.SIGKILL)


def describe_process() -> str:
    """This process, for `is_gone`: host, process id and when it started."""
    return f"{os.uname().nodename} {os.getpid()} {psutil.Process().create_time():.2f}"


def is_gone(description: str) -> bool:
    """Whether a process of this host has ended; False for those of other hosts."""
    host, pid, started = description.rsplit(" ", 2)
    if host != os.uname().nodename:
        return False
    try:
        process = psutil.Process(int(pid))
        return (
            abs(process.create_time() - float(started)) > 1
            or process.status() == psutil.STATUS_ZOMBIE
        )
    except psutil.NoSuchProcess:
        return True


def _send(process: psutil.Process, number: int) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(number)
