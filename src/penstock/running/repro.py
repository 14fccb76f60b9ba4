"""Bringing a pipeline up to date: DVC decides what is stale, a stage at a time, in this process."""

import logging
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Literal

from dvc.exceptions import ReproductionError
from dvc.stage.exceptions import StageCmdFailedError

from ..messages.errors import TEMPORARY, KilledError, PenstockError, TemporaryError
from ..messages.printable import printable
from ..project import warm
from ..project.processes import PARENT, end_children, was_interrupted
from ..project.workspace import Workspace
from ..tracking.glance import is_intact
from .steps import Step, Survey, asking_dvc, list_stale, plan, trouble
from .turn import taking_turns

State = Literal["up to date", "restored", "ran"]


def run_pipeline(workspace: Workspace) -> None:
    """Run what is stale of the source and the five stages, then reconcile the registry.

    Raises:
        PenstockError: a stage failed; the outputs it had before are put back. TemporaryError if
            the same stage may do better later.
    """
    with taking_turns(workspace):
        steps = plan(workspace)
        with warm_start(list_stale(workspace.root, steps)), restoring(workspace):
            for step in steps:
                state = reproduce(workspace.root, step)
                if state != "ran":
                    print(f"{step.label}: {state}", flush=True)
        if lost := what_is_lost(workspace):
            print(f"registry: {lost}; registering again", flush=True)
            with restoring(workspace):
                reproduce(workspace.root, steps[-1], force=True)
        else:
            print(f"registry: {workspace.name} is as the receipt says")


def warm_start(stale: Iterable[Step]) -> AbstractContextManager[None]:
    """A server to fork stages from, if more than one may have to run that imports much.

    Stale stages may make stale what comes after them; after `register` nothing does.
    """
    stages = {it.stage for it in stale} - {"inputs", "register"}
    return warm.serving() if stages else nullcontext()


def list_up_to_date(names: Iterable[str], root: Path, found: Survey) -> list[str]:
    """The pipelines that have nothing to do: nothing is stale, and the registry has the model."""
    return [it for it in names if not found[it] and is_intact(Workspace.open(it, root))]


def make_source(workspace: Workspace) -> None:
    """Make or download the source if it is missing, by the stage of DVC that does so.

    Raises:
        PenstockError: there is no such stage, or it failed.
    """
    if workspace.source.exists():
        return
    for step in plan(workspace):
        if step.stage in ("inputs", "sample", "download"):
            reproduce(workspace.root, step)


def reproduce(root: Path, step: Step, force: bool = False) -> State:
    """Run a stage if it is stale, or restore its outputs where DVC has them in its cache.

    Raises:
        PenstockError: the stage failed, and has said why; or DVC did. TemporaryError if that
            may pass.
    """
    os.environ[PARENT] = str(os.getpid())
    here = f"{Path(sys.executable).parent}{os.pathsep}"  # its `penstock` is the one to run
    os.environ["PATH"] = here + os.environ.get("PATH", "").removeprefix(here)
    with _listening() as messages, asking_dvc(root) as repo:
        try:
            done = repo.reproduce([step.address], single_item=True, force=force)
        except ReproductionError as error:
            raise _what_stopped(error.__cause__ or error) from None
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
            lines = f"{error}; its former outputs are back in place".split("\n")
            raise type(error)(*lines) from None
        raise


def _restore(workspace: Workspace, before: dict[Path, bytes]) -> bool:
    for file, content in before.items():  # of these two DVC has no copy
        if not file.is_file():
            file.write_bytes(content)
    stages = ("ingest", "validate", "train", "evaluate")
    targets = [f"{workspace.root}/dvc.yaml:{stage}@{workspace.name}" for stage in stages]
    try:
        with asking_dvc(workspace.root) as repo:
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
    from ..tracking import reconcile  # slow to import
    from ..tracking.store import using_registry

    with using_registry(workspace.root, "the outputs are up to date; try again when it is back"):
        reconcile.end_dead_runs(workspace)
        return reconcile.what_is_lost(workspace)


def _what_stopped(error: BaseException) -> BaseException:
    """What a failed command means, by its exit status, which DVC tells in its message only."""
    if not isinstance(error, StageCmdFailedError):
        return trouble(error)
    message = str(error).removeprefix("failed to run: ").removeprefix("exec ")
    command, _, status = message.rpartition(", exited with ")
    if was_interrupted(int(status)):
        return KeyboardInterrupt()
    if int(status) < 0:
        killer = signal.Signals(-int(status)).name
        return KilledError(
            f"`{command}` was killed by {killer}; if nobody did, memory ran out: see `dmesg`"
        )
    if int(status) == TEMPORARY:
        return TemporaryError(f"`{command}` failed, for the reason above, which may pass")
    return PenstockError(f"`{command}` failed, for the reason above")


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
            print(printable(message), flush=True)

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
