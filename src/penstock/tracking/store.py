"""Where runs are kept: MLflow's database under mlruns/, or the server MLFLOW_TRACKING_URI names."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from filelock import FileLock

from ..messages.errors import PenstockError, TemporaryError, is_temporary

# An unreachable server must not hold up a training: seconds, not MLflow's minutes.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")

import logging

from mlflow import MlflowClient as MlflowClient
from mlflow.exceptions import MlflowException as MlflowException

logging.getLogger("alembic").setLevel(logging.WARNING)
logging.getLogger("mlflow").setLevel(logging.ERROR)

Result = TypeVar("Result")
_WRITER = ThreadPoolExecutor(1, "tracking")


def write_apart(write: Callable[[], Result]) -> "Future[Result]":
    """Write to a store in a thread of its own, after all that was to be written before.

    Ctrl-C interrupts the main thread only. A write that it broke off would leave SQLite's database
    locked to this process, and the run could no longer be ended.
    """
    return _WRITER.submit(write)


def tracking_uri(root: Path) -> str:
    """The tracking store of a project: a server if the environment names one, or mlruns/."""
    return os.environ.get("MLFLOW_TRACKING_URI") or local_uri(root)


def local_uri(root: Path) -> str:
    """The store under mlruns/."""
    return f"sqlite:///{root / 'mlruns' / 'mlflow.db'}"


def connect(root: Path) -> MlflowClient:
    """Open the project's store, making its database on first use."""
    uri = tracking_uri(root)
    if uri == local_uri(root):
        database = root / "mlruns" / "mlflow.db"
        if database.exists():
            relocate(database)
        else:
            create_database(database)
        keep_private(root / "mlruns")
    return MlflowClient(uri, uri)


def keep_private(store: Path) -> None:
    """Let only the owner into a store: models run code, and show what data there is."""
    artifacts = store / "artifacts"
    with suppress(PermissionError):  # somebody else's
        artifacts.mkdir(mode=0o700, exist_ok=True)
        store.chmod(0o700)
        artifacts.chmod(0o700)
        (store / "mlflow.db").chmod(0o600)  # SQLite's other files take after it


def create_database(database: Path) -> None:
    """Make MLflow's database; it gets its name when it is whole.

    Several processes that open a fresh database together break it for good, so one at a time
    makes it, under a lock; one that is killed meanwhile leaves only a partial file.
    """
    partial = database.with_suffix(".partial")
    database.parent.mkdir(mode=0o700, exist_ok=True)
    with FileLock(database.with_suffix(".lock")):
        if database.exists():
            return
        partial.unlink(missing_ok=True)
        uri = f"sqlite:///{partial}"
        MlflowClient(uri, uri).search_experiments(max_results=1)  # runs the migrations
        with closing(sqlite3.connect(partial)) as connection:
            connection.execute("pragma journal_mode=wal")  # halves the contention
        partial.rename(database)


LOCATIONS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def relocate(database: Path) -> None:
    """Follow a project that was moved or copied: MLflow stores locations as absolute paths."""
    here = (database.parent / "artifacts").as_uri()
    with closing(sqlite3.connect(database)) as connection, connection:
        rows = connection.execute("select name, artifact_location from experiments").fetchall()
        olds = {place.removesuffix(f"/{name}") for name, place in rows if place.startswith("file:")}
        for old in olds - {here}:
            for table, column in LOCATIONS:
                connection.execute(
                    f"update {table} set {column} = ? || substr({column}, ?) where {column} like ?",
                    (here, len(old) + 1, f"{old}/%"),
                )


@contextmanager
def using_registry(root: Path, remedy: str) -> Iterator[None]:
    """Have what MLflow raises in the block be one line, with what to do.

    Raises:
        PenstockError: the registry cannot be used.
        TemporaryError: its server does not answer now.
    """
    try:
        yield
    except MlflowException as error:
        reason = str(error).splitlines()[0][:300]
        kind = TemporaryError if is_temporary(error) else PenstockError
        message = f"{tracking_uri(root)}: the registry cannot be used: {reason}; {remedy}"
        raise kind(message) from None


def experiment_id(client: MlflowClient, root: Path, name: str) -> str:
    """The experiment of a pipeline, made on first use."""
    experiment = client.get_experiment_by_name(name)
    if experiment is None:
        local = client.tracking_uri.startswith("sqlite:")
        location = (root / "mlruns" / "artifacts" / name).as_uri() if local else None
        try:
            return str(client.create_experiment(name, artifact_location=location))
        except MlflowException:  # another process was faster
            experiment = client.get_experiment_by_name(name)
            if experiment is None:
                raise
    return str(experiment.experiment_id)
