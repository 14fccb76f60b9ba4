"""Processes in the background: started on their own, waited for, ended with all they started."""

import errno
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import psutil
import requests

from ..messages.errors import PenstockError
from ..project.login import FOLDER
from ..project.processes import GRACE, PARENT
from ..running.notification import WEBHOOK
from .services import Service, lives

START_WAIT = 90.0  # seconds a service has to answer; it takes some ten on a busy machine
POLL = 0.2


def start(name: str, command: list[str], root: Path, env: dict[str, str], address: str) -> Service:
    """Start a command in a session of its own; what it prints is appended to its log.

    It does not see the webhook's address: what flows run must not be able to print that. Nor whom
    the caller belongs to: it outlives that.
    """
    hidden = (WEBHOOK, PARENT)
    log = root / FOLDER / "logs" / f"{name}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=root,
            env={name: value for name, value in env.items() if name not in hidden},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_reset_signals,
        )
    created = psutil.Process(process.pid).create_time()
    return Service(name, process.pid, created, address, str(log.relative_to(root)))


def _reset_signals() -> None:
    """A shell starts `penstock up &` with Ctrl-C ignored; Prefect's worker then ignores SIGTERM."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def wait_until(healthy: Callable[[], bool], service: Service, root: Path) -> None:
    """Wait for a service to answer.

    Raises:
        PenstockError: it ended, with the last lines of its log; or it took too long.
    """
    deadline = time.monotonic() + START_WAIT
    while not healthy():
        if service.process() is None:
            lines = (root / service.log).read_text(errors="replace").splitlines()[-10:]
            tail = [f"  {line}" for line in lines]
            raise PenstockError(f"{service.name}: ended while it started; {service.log}:", *tail)
        if time.monotonic() > deadline:
            raise PenstockError(
                f"{service.name}: process {service.pid} does not answer at {service.address} "
                f"after {START_WAIT:.0f} s; see {service.log}, then `penstock down` and up again"
            )
        time.sleep(POLL)


def answers(url: str) -> bool:
    """Whether a web server says that it is well."""
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False


def check_port(port: int, name: str, option: str) -> None:
    """Refuse a port that another program has.

    Raises:
        PenstockError: which one, who has it and how to take another.
    """
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            raise PenstockError(
                f"{name}: port {port} is {_holder(port, error)}; "
                f"choose another one: `penstock up {option} {port + 1}`"
            ) from None


def _holder(port: int, error: OSError) -> str:
    if error.errno == errno.EACCES:
        return "for the administrator only"
    with suppress(psutil.Error):  # macOS tells the administrator only
        for it in psutil.net_connections("tcp"):
            if it.status == psutil.CONN_LISTEN and it.laddr[1:2] == (port,) and it.pid:
                command = " ".join(psutil.Process(it.pid).cmdline())
                return f"in use by process {it.pid} ({command[:80]})"
    return "in use"


def end_service(service: Service) -> None:
    """End a service with everything below it, which may be in sessions of its own."""
    if process := service.process():
        family = [process, *process.children(recursive=True)]
        ask_to_end([process])
        kill(remaining(family))


def end(processes: list[psutil.Process]) -> None:
    """Ask processes to end; kill those that do not."""
    ask_to_end(processes)
    kill(remaining(processes))


def remaining(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that have not ended within the time one gives a process to end."""
    deadline = time.monotonic() + GRACE
    while (left := [it for it in processes if lives(it)]) and time.monotonic() < deadline:
        time.sleep(POLL)
    return left


def ask_to_end(processes: list[psutil.Process]) -> None:
    """Send SIGTERM."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()


def kill(processes: list[psutil.Process]) -> None:
    """Send SIGKILL, and see them gone."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    remaining(processes)
