"""A message to a webhook, when something happened that people should know of."""

import json
import os
from collections.abc import Callable
from typing import Literal

import requests

from .project import Workspace

WEBHOOK = "PENSTOCK_WEBHOOK"  # the address is a secret: an environment variable, not params.yaml
TIMEOUT = 10  # seconds

Event = Literal["failure", "refused", "champion"]


def notify_of_failure(name: str, reason: str, warn: Callable[[str], object]) -> None:
    """Tell that a run of a pipeline failed, and why."""
    _notify("failure", name, f"failed: {reason}", warn)


def notify_of_decision(workspace: Workspace, warn: Callable[[str], object]) -> None:
    """Tell if the model just registered was refused, or became champion in place of another."""
    receipt = json.loads(workspace.receipt.read_text())
    version, before = receipt["version"], receipt["champion_before"]
    if receipt["decision"] == "refused":
        _notify("refused", workspace.name, f"v{version} refused: {receipt['reason']}", warn)
    elif receipt["decision"] == "champion" and before != version:
        was = f" in place of v{before}" if before else ""
        text = f"v{version} is the new champion{was}: {receipt['reason']}"
        _notify("champion", workspace.name, text, warn)


def _notify(event: Event, name: str, text: str, warn: Callable[[str], object]) -> None:
    """Post to the webhook, if there is one; a message that is not taken stops nothing.

    Slack, Mattermost, Teams workflows and Google Chat show `text`; others may want the rest.
    """
    if not (address := os.environ.get(WEBHOOK)):
        return
    message = {"text": f"penstock: {name}: {text}", "event": event, "pipeline": name}
    try:
        requests.post(address, json=message, timeout=TIMEOUT).raise_for_status()
    except requests.RequestException as error:
        status = getattr(error.response, "status_code", None)
        # Not the whole error: it has the address in it, which is a secret.
        warn(f"{WEBHOOK}: the message was not taken ({status or type(error).__name__})")
