"""Bringing a pipeline up to date: DVC decides what is stale, a stage at a time, in this process."""

import logging
import os
import signal
import sys
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
from .errors import PenstockError
from .lockfiles import mend
from .processes import INTERRUPTED, PARENT, end_children
from .project import Workspace

State = Literal["up to date", "restored", "ran"]


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
        PenstockError: a stage failed; the outputs it had before are put back.
    """
    steps = plan(workspace)
    with restoring(workspace):
        for step in steps:
            state = reproduce(workspace.root, step)
            if state != "ran":
                print(f"{step.label}: {state}", flush=True)
    reconcile(workspace)


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
    with _asking_dvc(root) as repo, repo.lock:
        (stage,) = repo.stage.collect(step.address)
        return bool(stage.changed())


def reproduce(root: Path, step: Step, force: bool = False) -> State:
    """Run a stage if it is stale, or restore its outputs where DVC has them in its cache.

    Raises:
        PenstockError: the stage failed, and has said why; or DVC did.
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
            raise PenstockError(f"{error}; its former outputs are back in place") from None
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


def reconcile(workspace: Workspace) -> None:
    """Register again if the registry no longer holds what the receipt says.

    A champion that somebody moved by hand is left where it is. Runs whose process was killed are
    ended, with the reason.
    """
    from .tracking.reconcile import end_dead_runs, what_is_lost  # slow to import

    end_dead_runs(workspace)
    lost = what_is_lost(workspace)
    if lost:
        print(f"registry: {lost}; registering again", flush=True)
        address = f"{workspace.root}/dvc.yaml:register@{workspace.name}"
        reproduce(workspace.root, Step("register", address, f"register {workspace.name}"), True)
    else:
        print(f"registry: {workspace.name} is as the receipt says")


@contextmanager
def _asking_dvc(root: Path) -> Iterator[Repo]:
    """Open the project in DVC; what it raises becomes one line."""
    try:
        with Repo(str(root)) as repo:
            yield repo
    except ReproductionError as error:
        cause = error.__cause__ or error
        if isinstance(cause, StageCmdFailedError):
            raise _stage_failed(cause) from None
        raise PenstockError(f"DVC: {_one_line(cause)}") from None
    except (DvcException, OSError) as error:
        raise PenstockError(f"DVC: {_one_line(error)}") from None


def _stage_failed(error: StageCmdFailedError) -> BaseException:
    """What a failed command means, by its exit status, which DVC tells in its message only."""
    message = str(error).removeprefix("failed to run: ").removeprefix("exec ")
    command, _, status = message.rpartition(", exited with ")
    if int(status) == INTERRUPTED:
        return KeyboardInterrupt()
    if int(status) < 0:
        killer = signal.Signals(-int(status)).name
        return PenstockError(
            f"`{command}` was killed by {killer}; if nobody did, memory ran out: see `dmesg`"
        )
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
