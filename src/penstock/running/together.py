"""Several pipelines side by side without a Prefect server: a process each, then one table."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from ..messages.errors import ERROR, TEMPORARY, PenstockError, TemporaryError
from ..messages.metrics import describe_metric
from ..messages.printable import printable
from ..messages.terminal import add_row, make_table, show
from ..project.processes import PARENT, end_children, was_interrupted
from ..project.workspace import Workspace
from .repro import list_up_to_date, warm_start
from .steps import survey


@dataclass
class Outcome:
    """How a pipeline's run ended.

    Attributes:
        state: `up to date`, `ran` or `failed`.
        seconds: it took.
        reason: why it failed.
        temporary: whether that may pass.
    """

    state: str
    seconds: float = 0.0
    reason: str = ""
    temporary: bool = False


def run_together(names: Sequence[str], root: Path) -> None:
    """Bring pipelines up to date, as many at a time as there are cores; print a table of them.

    One that fails does not stop the others. Trainings take turns.

    Raises:
        PenstockError: some failed, with their reasons above. TemporaryError if all of that may
            pass.
    """
    os.environ[PARENT] = str(os.getpid())
    found = survey(root, list(names))
    outcomes = {name: Outcome("up to date") for name in list_up_to_date(names, root, found)}
    todo = [name for name in names if name not in outcomes]
    if todo:
        stale = chain.from_iterable(it for it in found.values() if isinstance(it, list))
        with warm_start(stale):
            outcomes |= _run_all(todo, root)
    _tell([(name, outcomes[name]) for name in names], root)
    failed = [it for it in outcomes.values() if it.state == "failed"]
    if failed:
        kind = TemporaryError if all(it.temporary for it in failed) else PenstockError
        raise kind(f"{len(failed)} of {len(names)} pipelines failed, for the reasons above")


def _run_all(names: list[str], root: Path) -> dict[str, Outcome]:
    width = max(map(len, names))
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        runs = {pool.submit(_run, name, root, width): name for name in names}
        try:
            return {runs[run]: run.result() for run in as_completed(runs)}
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            end_children()
            raise


def _run(name: str, root: Path, width: int) -> Outcome:
    """Run one as `penstock run NAME`; each line it prints begins with its name."""
    began = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-m", "penstock", "run", name],
        cwd=root,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        reasons = []
        for line in process.stdout or ():
            text = printable(line.rstrip("\n"))
            print(f"{name:<{width}} | {text}", flush=True)
            if text.startswith(ERROR):
                reasons.append(text.removeprefix(ERROR))
        status = process.wait()
    seconds = time.perf_counter() - began
    if not status:
        return Outcome("ran", seconds)
    reason = reasons[0] if reasons else f"ended with {status}"
    if was_interrupted(status):
        reason = "interrupted"
    return Outcome("failed", seconds, reason, status == TEMPORARY)


def _tell(outcomes: list[tuple[str, Outcome]], root: Path) -> None:
    table = make_table("pipeline", "state", "seconds", "score", "registry")
    for name, it in outcomes:
        seconds = f"{it.seconds:.0f}" if it.seconds else ""
        score, registered = ("", it.reason) if it.reason else _result(Workspace.open(name, root))
        add_row(table, name, it.state, seconds, score, registered)
    show(table)


def _result(workspace: Workspace) -> tuple[str, str]:
    """The score that models are compared by, with its interval; what became of the model."""
    receipt = json.loads(workspace.receipt.read_text())
    score = describe_metric(receipt["score"], receipt["metrics"])
    return score, f"version {receipt['version']}, {receipt['decision']}"
