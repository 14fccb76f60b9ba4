"""A glance at the store under mlruns/, in milliseconds: is all as the receipt says?

MLflow's own import takes seconds, and most often nothing is lost. A glance can only say that all is
well; in any doubt, a server or another schema say, the answer is no, and MLflow is asked. It
compares what the registry says and the names of files with the records, not what is in the files.
"""

import json
import os
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from ..project.workspace import Workspace
from .records import BUNDLE_TAG, entry, entry_difference, has_recorded_files, read_record

CHALLENGER, CHAMPION = "challenger", "champion"

RUNNING = """
    select count(*) from runs join experiments using (experiment_id)
    where experiments.name = ? and runs.status = 'RUNNING'
"""
VERSIONS = "select version, run_id, source from model_versions where name = ?"
TAGS = "select version, key, value from model_version_tags where name = ?"
ALIASES = "select alias, version from registered_model_aliases where name = ?"


def is_intact(workspace: Workspace) -> bool:
    """Whether runs, versions, names of files and aliases are as they should be, for certain."""
    database = workspace.root / "mlruns" / "mlflow.db"
    if os.environ.get("MLFLOW_TRACKING_URI") or not database.is_file():
        return False
    try:
        receipt = json.loads(workspace.receipt.read_text())
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            running = connection.execute(RUNNING, (workspace.name,)).fetchone()
            versions = _versions(workspace, connection, receipt["model"])
            aliases = dict(connection.execute(ALIASES, (receipt["model"],)).fetchall())
        stands = partial(_stands, workspace.root, receipt["model"], versions)
        bundle, refused = receipt["bundle_sha256"], receipt["decision"] == "refused"
        ours = [it for it, found in versions.items() if found[BUNDLE_TAG] == bundle]
        newest = max(filter(stands, ours), default=None)
        if running != (0,) or newest is None:
            return False
        return refused or (aliases.get(CHALLENGER) == newest and stands(aliases.get(CHAMPION)))
    except (OSError, ValueError, KeyError, TypeError, sqlite3.Error):
        return False


def _versions(
    workspace: Workspace, connection: sqlite3.Connection, name: str
) -> dict[int, dict[str, Any]]:
    """What the registry says of each version of a model."""
    tags: dict[int, dict[str, str]] = {}
    for version, key, value in connection.execute(TAGS, (name,)):
        tags.setdefault(version, {})[key] = value
    return {
        version: entry(workspace.root, run, source, tags.get(version, {}))
        for version, run, source in connection.execute(VERSIONS, (name,))
    }


def _stands(root: Path, name: str, versions: dict[int, dict[str, Any]], number: int | None) -> bool:
    """Whether a version is as it was recorded, by the registry and the names of its files."""
    if number not in versions:
        return False
    record = read_record(root, name, number)
    return not entry_difference(record, versions[number]) and has_recorded_files(root, record)
