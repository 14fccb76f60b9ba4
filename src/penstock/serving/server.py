"""`penstock serve`: the application behind its guard, in one process or several."""

import json
import os
import secrets
from pathlib import Path

import uvicorn

from ..messages.errors import PenstockError
from ..project.login import private_folder, write_private
from ..project.workspace import find_root
from .app import RESERVED, make_app
from .guard import Guard
from .limits import Limits
from .patience import LARGEST_HEAD, Patient

OWN = ("127.0.0.1", "localhost", "[::1]", "::1")
SETTINGS = "PENSTOCK_SERVE"  # environment variable: what a worker serves, as JSON
CONNECTIONS = 1000  # at once, of each worker


def serve(root: Path, names: list[str], host: str, port: int, workers: int) -> None:
    """Serve champions until the process is ended.

    Raises:
        PenstockError: a pipeline has a name that means something else here.
    """
    if taken := [it for it in names if it in RESERVED]:
        raise PenstockError(f"{taken[0]}: /{taken[0]} is a page of this server; name others")
    os.environ[SETTINGS] = json.dumps({"root": str(root), "names": names, "host": host})
    uvicorn.run(
        f"{__name__}:create_app",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        http=Patient,
        ws="none",
        h11_max_incomplete_event_size=LARGEST_HEAD,
        limit_concurrency=CONNECTIONS,
        log_level="warning",
        access_log=False,
        server_header=False,
    )


def create_app() -> Guard:
    """What a worker serves."""
    asked = json.loads(os.environ[SETTINGS])
    root, limits = find_root(Path(asked["root"])), Limits()
    own = asked["host"] in OWN
    token = None if own else read_token(root)
    app = make_app(root, asked["names"], limits)
    return Guard(app, OWN if own else None, token, limits)


def read_token(root: Path) -> str:
    """What others than this machine must bring; made at random on first use.

    Not the login of the other servers: it goes over the network.
    """
    file = private_folder(root) / "token"
    if not file.exists():
        write_private(file, secrets.token_urlsafe(24) + "\n")
    return file.read_text().strip()
