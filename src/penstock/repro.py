"""Bringing a pipeline up to date: DVC decides what is stale, a stage at a time, in this process."""

import hashlib
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import networkx
from dvc.exceptions import DvcException, ReproductionError
from dvc.repo import Repo
from dvc.stage.exceptions import StageCmdFailedError

from .datasets.source import check_files, check_source
from .errors import TEMPORARY, KilledError, PenstockError, TemporaryError, is_temporary
from .lockfiles import mend
from .processes import INTERRUPTED, PARENT, end_children
from .project import Workspace
from .tracking.glance import is_intact
from .turn import taking_turns

State = Literal["up to date", "restored", "ran"]

_DVC = threading.RLock()


@dataclass(frozen=True)
class Step:
    """A stage of DVC on the way to a registered model.

    Attributes:
        stage: `sample`, `download`, `ingest`, ... `register`.
        address: what DVC knows it by.
        label: what a person sees: `train mnist`.
    """

    stage: str
    address: str
    label: str


def run_pipeline(workspace: Workspace) -> None:
    """Run what is stale of the source and the five stages, then reconcile the registry.

    Raises:
        PenstockError: a stage failed; the outputs it had before are put back. TemporaryError if
            the same stage may do better later.
    """
    with taking_turns(workspace):
        steps = plan(workspace)
        with restoring(workspace):
            for step in steps:
                state = reproduce(workspace.root, step)
                if state != "ran":
                    print(f"{step.label}: {state}", flush=True)
        if lost := what_is_lost(workspace):
            print(f"registry: {lost}; registering again", flush=True)
            reproduce(workspace.root, steps[-1], force=True)
        else:
            print(f"registry: {workspace.name} is as the receipt says")


def plan(workspace: Workspace) -> list[Step]:
    """List the steps to a registered model, sources first, when the source can be read.

    Raises:
        PenstockError: the source is missing with nothing to make it, or cannot be read.
    """
    mend(workspace.root)
    there = workspace.source.exists()
    if there:  # before DVC walks it: it stops at what it cannot read
        check_files(workspace.source, links_out=workspace.params.many_files)
    with _asking_dvc(workspace.root) as repo:
        (last,) = repo.stage.collect(f"{workspace.root}/dvc.yaml:register@{workspace.name}")
        stages = list(networkx.dfs_postorder_nodes(repo.index.graph, last))
    if not there and not any(Path(o.fs_path) == workspace.source for it in stages for o in it.outs):
        check_source(workspace.source, workspace.name)  # says what to do: nothing makes it
    return [
        Step(stage.name.split("@")[0], f"{stage.path}:{stage.name}", stage.name.replace("@", " "))
        for stage in stages
    ]


def is_stale(root: Path, step: Step) -> bool:
    """Ask DVC whether a stage has to run, without starting anything."""
    return bool(list_stale(root, [step]))


def list_stale(root: Path, steps: list[Step]) -> list[Step]:
    """Ask DVC which stages have to run, or may once those before them have."""
    with _asking_dvc(root) as repo, repo.lock:
        return [it for it in steps if repo.stage.collect(it.address)[0].changed()]


def fingerprint(root: Path, step: Step) -> str:
    """A digest of all that a stage depends on, as it is now: data, code, settings."""
    with _asking_dvc(root) as repo, repo.lock:
        (stage,) = repo.stage.collect(step.address)
        stage.save_deps(allow_missing=True)
        inputs = {str(it): it.hash_info.value for it in stage.deps}
    return hashlib.sha256(json.dumps(inputs, sort_keys=True, default=str).encode()).hexdigest()


def reproduce(root: Path, step: Step, force: bool = False) -> State:
    """Run a stage if it is stale, or restore its outputs where DVC has them in its cache.

    Raises:
        PenstockError: the stage failed, and has said why; or DVC did. TemporaryError if that
            may pass.
    """
    os.environ[PARENT] = str(os.getpid())
    here = f"{Path(sys.executable).parent}{os.pathsep}"  # its `penstock` is the one to run
    os.environ["PATH"] = here + os.environ.get("PATH", "").removeprefix(here)
    with _listening() as messages, _asking_dvc(root) as repo:
        done = repo.reproduce([step.address], single_item=True, force=force)
    if not done:
        return "up to date"
    cached = any("is cached - skipping run" in message for message in messages)
    return "restored" if cached else "ran"


@contextmanager
def restoring(workspace: Workspace) -> Iterator[None]:
    """Put a pipeline's former outputs back in place if the block fails or is interrupted.

    DVC removes a stage's outputs before it runs.
    """
    uncached = (workspace.metrics, workspace.receipt)
    before = {file: file.read_bytes() for file in uncached if file.is_file()}
    try:
        yield
    except BaseException as error:
        end_children()
        if before and _restore(workspace, before) and isinstance(error, PenstockError):
            raise type(error)(f"{error}; its former outputs are back in place") from None
        raise


def _restore(workspace: Workspace, before: dict[Path, bytes]) -> bool:
    for file, content in before.items():  # of these two DVC has no copy
        if not file.is_file():
            file.write_bytes(content)
    stages = ("ingest", "validate", "train", "evaluate")
    targets = [f"{workspace.root}/dvc.yaml:{stage}@{workspace.name}" for stage in stages]
    try:
        with _asking_dvc(workspace.root) as repo:
            repo.checkout(targets, force=True)
    except PenstockError:
        return False
    return True


def what_is_lost(workspace: Workspace) -> str:
    """Say what the registry lacks of what the receipt says, or nothing.

    A champion that somebody moved by hand is left where it is. Runs whose process was killed are
    ended, with the reason.

    Raises:
        PenstockError: the registry cannot be used.
    """
    if is_intact(workspace):
        return ""
    from .tracking import reconcile  # slow to import
    from .tracking.store import using_registry

    with using_registry(workspace.root, "the outputs are up to date; try again when it is back"):
        reconcile.end_dead_runs(workspace)
        return reconcile.what_is_lost(workspace)


@contextmanager
def _asking_dvc(root: Path) -> Iterator[Repo]:
    """Open the project in DVC; what it raises becomes one line.

    One thread at a time, and other processes are waited for: one may hash a large source.
    """
    try:
        with _DVC, Repo(str(root), _wait_for_lock=True) as repo:
            yield repo
    except ReproductionError as error:
        cause = error.__cause__ or error
        if isinstance(cause, StageCmdFailedError):
            raise _stage_failed(cause) from None
        raise _trouble(cause) from None
    except (DvcException, OSError) as error:
        raise _trouble(error) from None


def _trouble(error: BaseException) -> PenstockError:
    if is_temporary(error):
        return TemporaryError(f"DVC: {_one_line(error)}; this may pass, try again later")
    return PenstockError(f"DVC: {_one_line(error)}")


def _stage_failed(error: StageCmdFailedError) -> BaseException:
    """What a failed command means, by its exit status, which DVC tells in its message only."""
    message = str(error).removeprefix("failed to run: ").removeprefix("exec ")
    command, _, status = message.rpartition(", exited with ")
    if int(status) == INTERRUPTED:
        return KeyboardInterrupt()
    if int(status) < 0:
        killer = signal.Signals(-int(status)).name
        return KilledError(
            f"`{command}` was killed by {killer}; if nobody did, memory ran out: see `dmesg`"
        )
    if int(status) == TEMPORARY:
        return TemporaryError(f"`{command}` failed, for the reason above, which may pass")
    return PenstockError(f"`{command}` failed, for the reason above")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


@contextmanager
def _listening() -> Iterator[list[str]]:
    """Collect what DVC says: the only place it tells a stage that ran from a restored one.

    Of it, a person sees the commands it runs and its warnings.
    """
    messages: list[str] = []

    def listen(record: logging.LogRecord) -> None:
        message = record.getMessage().replace("> exec ", "> ", 1)
        messages.append(message)
        if message.startswith("> ") or record.levelno >= logging.WARNING:
            print(message, flush=True)

    handler = logging.Handler()
    handler.emit = listen  # type: ignore[method-assign]
    logger = logging.getLogger("dvc")
    level, handlers = logger.level, logger.handlers
    logger.handlers = [handler]
    logger.setLevel(logging.INFO)
    try:
        yield messages
    finally:
        logger.handlers = handlers
        logger.setLevel(level)
