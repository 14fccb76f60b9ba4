"""How far a stage is, as a progress artifact on its task run's page."""

import re
import time
from typing import cast
from uuid import UUID

from prefect.artifacts import create_progress_artifact, update_progress_artifact

EPOCH = re.compile(r" *epoch (\d+)/([1-9]\d*) ")  # how a training tells how far it is
PAUSE = 1.0  # seconds between updates: each is a request to the server


class Progress:
    """Follows what a stage prints; an artifact appears with its first epoch."""

    def __init__(self, key: str, label: str) -> None:
        self.key = key
        self.label = label
        self._artifact: UUID | None = None
        self._updated = 0.0

    def follow(self, line: str) -> None:
        """Show the epoch that a line tells of, if it does."""
        found = EPOCH.match(line)
        if found is None:
            return
        epoch, epochs = int(found[1]), int(found[2])
        if epoch < epochs and time.monotonic() - self._updated < PAUSE:
            return
        self._updated = time.monotonic()
        share, text = 100 * epoch / epochs, f"{self.label}: {line.strip()}"
        if self._artifact is None:
            self._artifact = cast(UUID, create_progress_artifact(share, self.key, text))
        else:
            update_progress_artifact(self._artifact, share, text)
