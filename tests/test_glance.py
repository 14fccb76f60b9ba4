"""A glance at the store says that all is well only where MLflow would say so too."""

import shutil
import sqlite3
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from penstock.project.workspace import Workspace
from penstock.tracking.glance import is_intact
from penstock.tracking.reconcile import what_is_lost
from penstock.tracking.store import connect
from projects import client_of, runs_of


@pytest.fixture
def workspace(project):
    connect(project.root)  # the copy has moved: MLflow's places follow
    return Workspace.open("mnist", project.root)


@pytest.mark.pipeline
def test_a_finished_project_is_intact(workspace, monkeypatch):
    assert what_is_lost(workspace) == ""
    assert is_intact(workspace)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert not is_intact(workspace), "a server is asked by MLflow"


@pytest.mark.pipeline
@pytest.mark.parametrize("what", ["challenger", "champion", "files", "version", "database"])
def test_what_is_lost_is_seen(workspace, project, what):
    client = client_of(project)
    if what in ("challenger", "champion"):
        client.delete_registered_model_alias("mnist", what)
    elif what == "files":
        (run,) = runs_of(project)
        shutil.rmtree(urlsplit(run.info.artifact_uri).path + "/model")
    elif what == "version":
        client.delete_registered_model("mnist")
    else:
        shutil.rmtree(project.root / "mlruns")
    assert not is_intact(workspace)
    assert what_is_lost(workspace)


@pytest.mark.pipeline
def test_in_doubt_mlflow_is_asked(workspace, project):
    (run,) = runs_of(project)
    client_of(project).update_run(run.info.run_id, status="RUNNING")
    assert not is_intact(workspace), "its process may be dead"
    client_of(project).update_run(run.info.run_id, status="FINISHED")
    assert is_intact(workspace)
    with closing(sqlite3.connect(project.root / "mlruns" / "mlflow.db")) as database, database:
        database.execute("alter table registered_model_aliases rename to other")
    assert not is_intact(workspace), "another schema"
