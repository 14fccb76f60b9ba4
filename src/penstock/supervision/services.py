"""The services that were started here, as .penstock/services.json keeps them."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from filelock import FileLock, Timeout

from ..messages.errors import PenstockError
from ..project.login import FOLDER, PREFECT, private_folder, read_login

SERVER, TRACKING, WORKER = "prefect", "mlflow", "worker"
PLAYGROUND = "playground"
# Environment variables that say where runs and models are shown, for links to them.
PAGES = {TRACKING: "PENSTOCK_MLFLOW", PLAYGROUND: "PENSTOCK_PLAYGROUND"}
MARK = "PENSTOCK_WORKER_OF"  # the project, in the environment of its worker and all below that
OWN_HOSTS = ("127.0.0.1", "localhost")
ENGINE = "prefect.engine"  # the program of a flow run, as prefect.yaml has it


@dataclass(frozen=True)
class Service:
    """A process that `up` started.

    Attributes:
        name: `prefect`, `mlflow`, `worker` or `playground`.
        pid: its process.
        created: when that started, since process ids come round again.
        address: where it answers; for the worker, the API that it works for.
        log: the file that has what it prints.
    """

    name: str
    pid: int
    created: float
    address: str
    log: str

    def process(self) -> psutil.Process | None:
        """Its process, None if that has ended."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < 1
        except psutil.NoSuchProcess:
            return None
        return process if same and lives(process) else None


def lives(process: psutil.Process) -> bool:
    """Whether a process has not ended; one that nobody has waited for counts as ended."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def of_worker(root: Path, worker: psutil.Process | None = None) -> list[psutil.Process]:
    """A project's worker and all it started, even a flow run whose worker was killed.

    Told by the mark in their environment, and by who started whom. Whoever asks is left out.
    """
    found = set()
    if worker:
        with suppress(psutil.NoSuchProcess):
            found = {worker, *worker.children(recursive=True)}
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # somebody else's, or gone
            if process.environ().get(MARK) == str(root):
                found.add(process)
    me = psutil.Process()
    return [it for it in found - {me, *me.parents()} if lives(it)]


def flow_runs(root: Path, worker: psutil.Process | None = None) -> list[psutil.Process]:
    """Those of them that are flow runs, each with stages below it."""
    found = []
    for process in of_worker(root, worker):
        with suppress(psutil.Error):
            if ENGINE in process.cmdline():
                found.append(process)
    return found


def load(root: Path) -> dict[str, Service]:
    """The services that were started for a project, whether they still run or not."""
    try:
        rows = json.loads((root / FOLDER / "services.json").read_text())
    except FileNotFoundError:
        return {}
    return {row["name"]: Service(**row) for row in rows}


def alive(root: Path) -> dict[str, Service]:
    """Those that run."""
    return {name: service for name, service in load(root).items() if service.process()}


def save(root: Path, services: dict[str, Service]) -> None:
    """Write down what runs; the file gets its name when it is whole."""
    file = root / FOLDER / "services.json"
    if not services:
        file.unlink(missing_ok=True)
        return
    partial = file.with_suffix(".partial")
    partial.write_text(json.dumps([asdict(it) for it in services.values()], indent=2) + "\n")
    partial.replace(file)


@contextmanager
def exclusive(root: Path) -> Iterator[None]:
    """Let one `up` or `down` at a time at the services of a project.

    Raises:
        PenstockError: another one is at it.
    """
    folder = private_folder(root)
    (folder / "logs").mkdir(exist_ok=True)
    try:
        with FileLock(folder / "lock").acquire(timeout=1):
            yield
    except Timeout:
        raise PenstockError(
            f"{folder}: another `penstock up` or `penstock down` is at work; wait until it is done"
        ) from None


def is_ours(root: Path, api_url: str) -> bool:
    """Whether an address is that of the Prefect server that `up` started for the project."""
    server = load(root).get(SERVER)
    there = urlsplit(api_url)
    return (
        server is not None
        and there.hostname in OWN_HOSTS
        and there.port == urlsplit(server.address).port
    )


def environment(root: Path, api_url: str, ours: bool | None = None) -> dict[str, str]:
    """What Prefect's programs see: the server to talk to, and where the project lies.

    Args:
        root: the project.
        api_url: the server's API.
        ours: whether `up` started that server, or is about to; looked up by default. Of a server
            that somebody else runs, login and settings are kept as the environment has them.
    """
    env = {
        **os.environ,
        "PREFECT_API_URL": api_url,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PENSTOCK_ROOT": str(root),  # for prefect.yaml, which names no folder
        "PYTHONUNBUFFERED": "1",
    }
    services = alive(root)
    for name, variable in PAGES.items():
        if name in services:
            env[variable] = services[name].address
    if is_ours(root, api_url) if ours is None else ours:
        env["PREFECT_HOME"] = str(root / FOLDER / "prefect")
        env |= server_settings(root)
        env.pop("PREFECT_API_KEY", None)  # of another server; Prefect would send it in its place
    return env


def server_settings(root: Path) -> dict[str, str]:
    """What Prefect's server and its clients see of the project's login: nobody else gets in."""
    login = read_login(root)[PREFECT]
    return {PREFECT: login, "PREFECT_SERVER_API_AUTH_STRING": login}
