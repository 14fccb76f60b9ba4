"""MLflow's pages on the store under mlruns/, for its owner: they can change what is registered.

MLflow serves whoever reaches the port: every user of the machine, and the pages of every other
server on it. So its application is wrapped in one that wants the project's login, and takes
nothing from the pages of others. MLflow finds it by its own plugin, `mlflow.app`.
"""

import base64
import binascii
import hmac
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..messages.errors import PenstockError
from ..project.login import PREFECT as LOGIN
from ..project.login import read_login
from ..project.workspace import find_root
from .store import connect, tracking_uri

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

HOST = "127.0.0.1"
OPEN = ("/health", "/version")  # tell nothing of the project


def serve(root: Path, port: int) -> None:
    """Become MLflow's server, until the process is ended.

    Raises:
        PenstockError: MLFLOW_TRACKING_URI names a server, which has pages of its own.
    """
    uri = tracking_uri(root)
    if uri.startswith("http"):
        raise PenstockError(f"MLFLOW_TRACKING_URI: runs are kept at {uri}: open that, or unset it")
    connect(root)  # makes the database: MLflow cannot with others beside it
    names = [f"{it}:{port}" for it in (HOST, "localhost")]
    command = [sys.executable, "-m", "mlflow", "server", "--workers", "1"]
    command += ["--host", HOST, "--port", str(port), "--backend-store-uri", uri]
    command += ["--allowed-hosts", ",".join(names)]
    command += ["--cors-allowed-origins", ",".join(f"http://{it}" for it in names)]
    command += ["--app-name", "penstock"]
    quiet = {
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "1",
    }
    os.chdir(root)
    os.execve(sys.executable, command, {**os.environ, **quiet})


def create_app() -> "ASGIApp":
    """MLflow's application for the project around the current folder, for its owner only."""
    from mlflow.server.fastapi_app import app

    return OwnerOnly(app, read_login(find_root())[LOGIN])


class OwnerOnly:
    """Answers requests that bring the login and do not come from the page of another server.

    The second since browsers send a password that was typed once with every request to this
    server, whoever's page makes it.
    """

    def __init__(self, app: "ASGIApp", login: str) -> None:
        self.app = app
        self.login = login.encode()

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer a request, or refuse it."""
        if scope["type"] == "lifespan" or scope.get("path") in OPEN:
            return await self.app(scope, receive, send)
        from starlette.responses import PlainTextResponse

        headers = {key.decode("latin-1"): value for key, value in scope["headers"]}
        origin, host = headers.get("origin"), headers.get("host", b"")
        if origin is not None and origin != b"http://" + host:
            refusal = PlainTextResponse("from the page of another server: refused\n", 403)
        elif not self._is_owner(headers.get("authorization", b"")):
            ask = {"WWW-Authenticate": 'Basic realm="penstock: see .penstock/login.env"'}
            refusal = PlainTextResponse("log in as .penstock/login.env says\n", 401, ask)
        else:
            return await self.app(scope, receive, send)
        return await refusal(scope, receive, send)

    def _is_owner(self, authorization: bytes) -> bool:
        scheme, _, credentials = authorization.partition(b" ")
        try:
            given = base64.b64decode(credentials, validate=True)
        except binascii.Error:
            return False
        return scheme.lower() == b"basic" and hmac.compare_digest(given, self.login)
