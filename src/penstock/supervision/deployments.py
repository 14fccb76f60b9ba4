"""Applying prefect.yaml: which flows the server starts, and when."""

import subprocess
import sys
from pathlib import Path

from ..messages.errors import PenstockError
from .pool import prepare
from .prefect_api import PrefectApi, api_url
from .services import environment


def deploy(root: Path) -> list[str]:
    """Apply prefect.yaml to the server that runs.

    Returns:
        What it names, as FLOW/DEPLOYMENT.

    Raises:
        PenstockError: no server answers, or Prefect refuses the file.
    """
    url = api_url(root)
    if url is None:
        raise PenstockError(
            "no Prefect server runs here; `penstock up` starts one, PREFECT_API_URL names another"
        )
    api = PrefectApi.of(root, url)
    if not api.healthy():
        raise PenstockError(
            f"PREFECT_API_URL: {url} does not answer; unset it and `penstock up` starts a server"
        )
    prepare(api)
    return apply_deployments(root, url)


def apply_deployments(root: Path, url: str) -> list[str]:
    """Apply prefect.yaml to a server that has the work pool.

    Raises:
        PenstockError: there is no such file, or Prefect refuses it.
    """
    file = root / "prefect.yaml"
    if not file.is_file():
        raise PenstockError(f"{file}: not found; it says which flows to run, and when")
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"],
        cwd=root,
        env={**environment(root, url), "COLUMNS": "200"},  # or it breaks its lines at 80
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode:
        said = [f"  {line}" for line in done.stdout.strip().splitlines()[-10:]]
        raise PenstockError(f"{file.name}: Prefect could not apply it:", *said)
    return [
        line.split("'")[1]
        for line in done.stdout.splitlines()
        if "successfully created" in line and "'" in line
    ]
