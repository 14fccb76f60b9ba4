"""Prefect's REST API, as far as Penstock asks it: Prefect itself is for flows/ only."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter, Retry

from ..messages.errors import PenstockError
from ..project.login import PREFECT
from .services import SERVER, alive, environment

PATIENCE = 30  # seconds for an answer
# "Ask again": Prefect's answer while another of its parts writes to its SQLite database.
BUSY = Retry(
    total=6,
    connect=0,
    read=0,
    status_forcelist=[429, 503],
    allowed_methods=None,
    backoff_factor=0.2,
    raise_on_status=False,
)


def api_url(root: Path) -> str | None:
    """The Prefect server to use: PREFECT_API_URL, or the one that `penstock up` started."""
    named = os.environ.get("PREFECT_API_URL")
    server = alive(root).get(SERVER)
    return named or (f"{server.address}/api" if server else None)


class PrefectApi:
    """Questions to a Prefect server, which may want a key, as Prefect's own programs give it."""

    def __init__(self, url: str, login: Mapping[str, str] = os.environ) -> None:
        """Set up for a server.

        Args:
            url: of its API.
            login: environment variables that say who asks, as Prefect's programs read them.
        """
        self.url = url.rstrip("/")
        self._session = requests.Session()
        # Anew each time: a connection that is kept may be closed by the server as it is used again.
        self._session.headers["Connection"] = "close"
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=BUSY))
        if key := login.get("PREFECT_API_KEY"):
            self._session.headers["Authorization"] = f"Bearer {key}"
        elif user := login.get(PREFECT):
            name, _, password = user.partition(":")
            self._session.auth = (name, password)

    @classmethod
    def of(cls, root: Path, url: str) -> "PrefectApi":
        """The server at an address, logged in to with the project's own login if it is ours."""
        return cls(url, environment(root, url))

    def healthy(self) -> bool:
        """Whether the server answers."""
        try:
            return requests.get(f"{self.url}/health", timeout=5).ok
        except requests.RequestException:
            return False

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Send a request; None where there is nothing of that name (404).

        Raises:
            PenstockError: no answer, or a refusal.
        """
        try:
            answer = self._session.request(
                method, f"{self.url}/{path}", json=body, timeout=PATIENCE
            )
        except requests.RequestException as error:
            raise PenstockError(f"Prefect at {self.url} does not answer: {error}") from None
        if answer.status_code == 404:
            return None
        if not answer.ok:
            raise PenstockError(
                f"Prefect at {self.url}: {method} {path}: {answer.status_code} {answer.text[:300]}"
            )
        return answer.json() if answer.content else None

    def find(self, what: str, **question: Any) -> list[dict[str, Any]]:
        """What there is of a kind, flow_runs say, that answers to Prefect's filters."""
        found: list[dict[str, Any]] | None = self.ask("POST", f"{what}/filter", question)
        return found or []
