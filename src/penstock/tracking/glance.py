"""A glance at the store under mlruns/, in milliseconds: is all as the receipt says?

MLflow's own import takes seconds, and most often nothing is lost. A glance can only say that all is
well; in any doubt, a server or another schema say, the answer is no, and MLflow is asked.
"""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

from ..login import FOLDER
from ..project import Workspace

CHALLENGER, CHAMPION = "challenger", "champion"
BUNDLE_TAG = "penstock.bundle_sha256"

RUNNING = """
    select count(*) from runs join experiments using (experiment_id)
    where experiments.name = ? and runs.status = 'RUNNING'
"""
VERSION = """
    select versions.version, runs.artifact_uri from model_version_tags as tags
    join model_versions as versions using (name, version)
    join runs on runs.run_uuid = versions.run_id
    where tags.name = ? and tags.key = ? and tags.value = ?
    order by versions.version desc limit 1
"""
ALIASES = "select alias, version from registered_model_aliases where name = ?"


def is_intact(workspace: Workspace) -> bool:
    """Whether runs, version, files and aliases are as they should be, for certain."""
    database = workspace.root / "mlruns" / "mlflow.db"
    if os.environ.get("MLFLOW_TRACKING_URI") or not database.is_file():
        return False
    try:
        receipt = json.loads(workspace.receipt.read_text())
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            running = connection.execute(RUNNING, (workspace.name,)).fetchone()
            key = (receipt["model"], BUNDLE_TAG, receipt["bundle_sha256"])
            version = connection.execute(VERSION, key).fetchone()
            aliases = dict(connection.execute(ALIASES, (receipt["model"],)).fetchall())
    except (OSError, ValueError, KeyError, sqlite3.Error):
        return False
    if running != (0,) or version is None or not _has_files(version[1], workspace.root):
        return False
    if not record_file(workspace.root, receipt["model"], version[0]).is_file():
        return False
    refused = receipt["decision"] == "refused"
    return refused or (aliases.get(CHALLENGER) == version[0] and CHAMPION in aliases)


def record_file(root: Path, name: str, version: int | str) -> Path:
    """Where the project keeps what it knows of a version, outside the store; see trust.py."""
    return root / FOLDER / "trusted" / name / f"{int(version)}.json"


def _has_files(artifacts: str, root: Path) -> bool:
    """Whether a run has its model under mlruns/ of this very project."""
    place = urlsplit(artifacts)
    folder = Path(unquote(place.path)) / "model"
    inside = folder.is_relative_to(root / "mlruns" / "artifacts")
    return place.scheme == "file" and inside and folder.is_dir() and any(folder.iterdir())
