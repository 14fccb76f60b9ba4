"""Starting what a project needs to run by itself: what does not run yet, all of it or nothing."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from ..messages.errors import PenstockError
from ..project.login import FOLDER
from ..running.notification import keep_address
from .daemons import answers, check_port, end_service, start, wait_until
from .deployments import apply_deployments
from .pool import HEARTBEAT, is_online, prepare, worker_name
from .prefect_api import PrefectApi
from .services import (
    MARK,
    PAGES,
    PLAYGROUND,
    SERVER,
    TRACKING,
    WORKER,
    Service,
    alive,
    environment,
    exclusive,
    flow_runs,
    load,
    save,
)

POLL_FOR_WORK = 3  # seconds; Prefect's 10 are most of the time from "run it" to the first line
Tell = Callable[[str], None]


def up(root: Path, prefect_port: int, mlflow_port: int, serve_port: int, tell: Tell) -> str:
    """Start the Prefect server, MLflow's pages, the playground and a worker; apply prefect.yaml.

    What runs is left as it is. Where PREFECT_API_URL or MLFLOW_TRACKING_URI name a server, that
    one is used and none is started.

    Returns:
        The address of Prefect's API.

    Raises:
        PenstockError: a port is taken, or a service does not start; what this call started is
            ended again, as it is on Ctrl-C.
    """
    with exclusive(root), _all_or_nothing(root) as services:
        server = services.get(SERVER)
        named = foreign_server(root, prefect_port)
        if named:
            server = None
            _check_named(named)
        elif not server:
            check_port(prefect_port, "Prefect server", "--prefect-port")
        watching = bool(foreign_tracking()) or TRACKING in services
        if not watching:
            check_port(mlflow_port, "MLflow", "--mlflow-port")
        if PLAYGROUND not in services:
            check_port(serve_port, "playground", "--serve-port")
        if not named and not server:
            server = services[SERVER] = _start_server(root, prefect_port, tell)
        if not watching:
            services[TRACKING] = _start_tracking(root, mlflow_port, tell)
        if PLAYGROUND not in services:
            pages = services.get(TRACKING)
            services[PLAYGROUND] = _start_playground(root, serve_port, pages, tell)
        api = PrefectApi.of(root, f"{server.address}/api" if server else str(named))
        if server:
            wait_until(api.healthy, server, root)
        prepare(api)
        worker = services[WORKER] = _start_worker(root, api, services.get(WORKER), tell)
        tell("deployments: applying prefect.yaml")
        tell(f"deployments: {', '.join(apply_deployments(root, api.url))}")
        for name in (TRACKING, PLAYGROUND):
            if page := services.get(name):
                wait_until(partial(answers, f"{page.address}/health"), page, root)
        wait_until(lambda: is_online(api, since=worker.created), worker, root)
    return api.url


class _Services(dict[str, Service]):
    """What runs, written down at once: a killed `up` must not leave what `down` cannot find."""

    def __init__(self, root: Path) -> None:
        super().__init__(alive(root))
        self.before, self._root = dict(self), root

    def __setitem__(self, name: str, service: Service) -> None:
        super().__setitem__(name, service)
        save(self._root, self)


@contextmanager
def _all_or_nothing(root: Path) -> Iterator[_Services]:
    """Give what runs; if the block fails or is interrupted, end what it added."""
    services = _Services(root)
    try:
        yield services
    except BaseException:
        for name, service in reversed(services.items()):
            if services.before.get(name) != service:
                end_service(service)
        save(root, alive(root))
        raise


def foreign_server(root: Path, port: int) -> str | None:
    """The Prefect server that PREFECT_API_URL names, unless that is the one `up` starts here."""
    named = os.environ.get("PREFECT_API_URL")
    if not named:
        return None
    place = urlsplit(named)
    known = load(root).get(SERVER)
    ours = {port, urlsplit(known.address).port if known else port}
    return None if place.hostname in ("127.0.0.1", "localhost") and place.port in ours else named


def _check_named(url: str) -> None:
    if not PrefectApi(url).healthy():
        raise PenstockError(
            f"PREFECT_API_URL: {url} does not answer; start that server, or unset it to have one "
            "started here"
        )


def foreign_tracking() -> str | None:
    """The MLflow server that MLFLOW_TRACKING_URI names."""
    named = os.environ.get("MLFLOW_TRACKING_URI", "")
    return named if named.startswith("http") else None


def _start_server(root: Path, port: int, tell: Tell) -> Service:
    address = f"http://127.0.0.1:{port}"
    tell(f"Prefect server: starting at {address}, log {FOLDER}/logs/{SERVER}.log")
    command = [sys.executable, "flows/server.py", str(port)]
    return start(SERVER, command, root, environment(root, f"{address}/api", ours=True), address)


def _start_tracking(root: Path, port: int, tell: Tell) -> Service:
    address = f"http://127.0.0.1:{port}"
    tell(f"MLflow: starting at {address}, log {FOLDER}/logs/{TRACKING}.log")
    command = [sys.executable, "-m", "penstock", "ui", "--port", str(port)]
    return start(TRACKING, command, root, {**os.environ}, address)


def _start_playground(root: Path, port: int, tracking: Service | None, tell: Tell) -> Service:
    address = f"http://127.0.0.1:{port}"
    tell(f"playground: starting at {address}, log {FOLDER}/logs/{PLAYGROUND}.log")
    command = [sys.executable, "-m", "penstock", "serve", "--port", str(port)]
    links = {PAGES[TRACKING]: tracking.address} if tracking else {}
    return start(PLAYGROUND, command, root, {**os.environ, **links}, address)


def _start_worker(root: Path, api: PrefectApi, there: Service | None, tell: Tell) -> Service:
    if there and _is_fit(there, api, root):
        return there
    if there:
        end_service(there)
    tell(f"worker: starting {worker_name()}, log {FOLDER}/logs/{WORKER}.log")
    command = [sys.executable, "flows/worker.py"]
    keep_address(root)
    env = environment(root, api.url) | {
        MARK: str(root),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": str(HEARTBEAT),
        "PREFECT_WORKER_QUERY_SECONDS": str(POLL_FOR_WORK),
    }
    return start(WORKER, command, root, env, api.url)


def _is_fit(worker: Service, api: PrefectApi, root: Path) -> bool:
    """Whether a worker that runs may go on: it works for this server, and can cancel runs.

    After a minute without its server it no longer sees what is to be cancelled. One that has runs
    under way keeps them.
    """
    server = alive(root).get(SERVER)
    outlived = server is not None and server.created > worker.created
    return worker.address == api.url and not (outlived and not flow_runs(root, worker.process()))
