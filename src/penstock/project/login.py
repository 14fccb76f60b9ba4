"""Who may use the servers of a project: whoever can read .penstock/login.env, its owner."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from ..messages.errors import PenstockError

FOLDER = ".penstock"
USER = "penstock"
PREFECT = "PREFECT_API_AUTH_STRING"  # what Prefect's programs log in with: user:password


def private_folder(root: Path) -> Path:
    """The folder of a project's services, which only its owner can enter."""
    folder = root / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)  # an older one, or a umask that takes less away
    return folder


def read_login(root: Path) -> dict[str, str]:
    """What logs in to the servers of a project; the password is made on first use.

    Returns:
        Environment variables: of Prefect's programs, and of MLflow's clients.

    Raises:
        PenstockError: the file has been changed to something else.
    """
    file = private_folder(root) / "login.env"
    if not file.exists():
        _make(file, secrets.token_urlsafe(24))
    lines = [line.partition("=") for line in file.read_text().splitlines() if "=" in line]
    login = {name.strip(): value.strip() for name, _, value in lines}
    if USER not in login.get(PREFECT, "").split(":")[:1]:
        raise PenstockError(
            f"{file}: {PREFECT} is not there; expected {PREFECT}={USER}:password; remove the file "
            "to have a new password made, then `penstock down` and `penstock up`"
        )
    return login


def _make(file: Path, password: str) -> None:
    """Write it, readable by the owner only; of several processes the first one wins."""
    lines = {
        PREFECT: f"{USER}:{password}",
        "MLFLOW_TRACKING_USERNAME": USER,
        "MLFLOW_TRACKING_PASSWORD": password,
    }
    text = "".join(f"{name}={value}\n" for name, value in lines.items())
    partial = file.with_name(f"{file.name}.{os.getpid()}")
    write_private(partial, text)
    with suppress(FileExistsError):
        file.hardlink_to(partial)
    partial.unlink()


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner can read."""
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as output:
        output.write(text)
