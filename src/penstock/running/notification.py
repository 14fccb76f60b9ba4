"""A message to a webhook, when something happened that people should know of."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import requests

from ..project.login import private_folder, write_private
from ..project.workspace import Workspace

WEBHOOK = "PENSTOCK_WEBHOOK"  # the address is a secret: an environment variable, not params.yaml
TIMEOUT = 10  # seconds

# The address must not be in the environment of a flow: stages inherit that, and what they run may
# print it. So it is taken out, and kept here, or for the flows of `penstock up` in a file.
_taken: list[str] = []


def take_address() -> None:
    """Take the webhook's address out of this process's environment, for its own messages."""
    _taken[:] = [os.environ.pop(WEBHOOK, "")]


def keep_address(root: Path) -> None:
    """Keep the webhook's address, if the environment has one, for the flows of `penstock up`."""
    if address := os.environ.get(WEBHOOK):
        write_private(_file(root), address)


def forget_address(root: Path) -> None:
    """Forget what was kept."""
    _file(root).unlink(missing_ok=True)


def _file(root: Path) -> Path:
    return private_folder(root) / "webhook"


def _address(root: Path) -> str:
    known = os.environ.get(WEBHOOK) or "".join(_taken)
    if known or not (file := _file(root)).is_file():
        return known
    return file.read_text().strip()


Event = Literal["failure", "refused", "champion"]


def notify_of_failure(root: Path, name: str, reason: str, warn: Callable[[str], object]) -> None:
    """Tell that a run of a pipeline failed, and why."""
    _notify("failure", root, name, f"failed: {reason}", warn)


def notify_of_decision(workspace: Workspace, warn: Callable[[str], object]) -> None:
    """Tell if the model just registered was refused, or became champion in place of another."""
    receipt = json.loads(workspace.receipt.read_text())
    version, before = receipt["version"], receipt["champion_before"]
    if receipt["decision"] == "refused":
        _notify(
            "refused",
            workspace.root,
            workspace.name,
            f"v{version} refused: {receipt['reason']}",
            warn,
        )
    elif receipt["decision"] == "champion" and before != version:
        was = f" in place of v{before}" if before else ""
        text = f"v{version} is the new champion{was}: {receipt['reason']}"
        _notify("champion", workspace.root, workspace.name, text, warn)


def _notify(event: Event, root: Path, name: str, text: str, warn: Callable[[str], object]) -> None:
    """Post to the webhook, if there is one; a message that is not taken stops nothing.

    Slack, Mattermost, Teams workflows and Google Chat show `text`; others may want the rest.
    """
    if not (address := _address(root)):
        return
    message = {"text": f"penstock: {name}: {text}", "event": event, "pipeline": name}
    try:
        requests.post(address, json=message, timeout=TIMEOUT).raise_for_status()
    except requests.RequestException as error:
        status = getattr(error.response, "status_code", None)
        # Not the whole error: it has the address in it, which is a secret.
        warn(f"{WEBHOOK}: the message was not taken ({status or type(error).__name__})")
