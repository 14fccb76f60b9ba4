"""A run ends as the work did, whenever that is broken off."""

import os
import signal
import time

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from penstock.project.workspace import Workspace
from penstock.tracking.recorder import opened_run
from projects import runs_of


def test_a_run_interrupted_in_the_middle_of_a_write_is_ended(fresh):
    """What Ctrl-C breaks off leaves SQLite's database locked to this process."""

    def execute(cursor, statement, parameters, context):
        cursor.executemany(statement, parameters)
        if statement.startswith("INSERT INTO metrics"):
            os.kill(os.getpid(), signal.SIGINT)  # between the statement and its commit
        return True

    def train():
        with opened_run(Workspace.open("mnist", fresh.root)) as run:
            event.listen(Engine, "do_executemany", execute)
            try:
                run.log_epoch({"step": 1, "train/loss": 0.5, "val/loss": 0.6})
                for _ in range(600):  # a signal right before one long sleep would not end it
                    time.sleep(0.1)
            finally:
                event.remove(Engine, "do_executemany", execute)

    with pytest.raises(KeyboardInterrupt):
        train()
    (ended,) = runs_of(fresh)
    assert ended.info.status == "KILLED"
    assert "interrupted" in ended.data.tags["penstock.reason"]
