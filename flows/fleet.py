"""Pipelines side by side, a flow each: one that fails does not stop the others."""

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import Any

from prefect import flow, tags
from prefect.artifacts import create_table_artifact
from prefect.client.schemas import State
from prefect.states import Completed, Failed

from parameters import KNOWN, ROOT, AtOnce, Name, Stage, Timeouts
from penstock.project.processes import end_children
from penstock.running.repro import list_up_to_date
from penstock.running.steps import survey
from penstock.running.turn import give_up
from penstock.supervision import TAG
from pipeline import pipeline


@flow(name="fleet", log_prints=True)
def fleet(
    names: list[Name] = [],
    settings: list[str] = [],
    force_from: Stage | None = None,
    timeouts: Timeouts = {},
    at_once: AtOnce = 4,
) -> Any:
    """Bring several pipelines up to date side by side; ends failed if one of them did.

    A pipeline that has nothing to do gets no flow run of its own, but its row in the table.

    Args:
        names: Which pipelines; none named means all of them.
        settings: Other settings, as with `penstock run -S`: train.max_epochs=3 say. The stages then
            run in a scratch folder, with an MLflow run of their own; outputs and registry stay.
        force_from: Run this stage and those after it even where DVC finds nothing stale.
        timeouts: Seconds after which a stage is ended as failed, {"train": 3600} say; a stage that
            is not named may take as long as it likes.
        at_once: How many pipelines run side by side. Whatever it is, trainings take turns at each
            GPU, or at the processor's cores.
    """
    asked, done = list(dict.fromkeys(names or KNOWN)), []
    if not (settings or force_from):
        found = survey(ROOT, asked)
        done = list_up_to_date(asked, ROOT, found)
    todo = [it for it in asked if it not in done]
    parameters = {"settings": settings, "force_from": force_from, "timeouts": timeouts}
    return run_side_by_side(todo, at_once, done, **parameters)


def run_side_by_side(
    names: list[str], at_once: int, up_to_date: Sequence[str] = (), **parameters: Any
) -> Any:
    """Run pipelines inside a flow; answers a state that says which failed, with a table of them.

    Threads rather than tasks: what a flow below logs then belongs to it. Signals reach only the
    main thread, which waits, and ends what the others wait for.
    """
    pool = ThreadPoolExecutor(at_once)
    with tags(TAG):
        runs: dict[str, Future[Any]] = {
            name: pool.submit(copy_context().run, _run_one, name, parameters) for name in names
        }
    try:
        wait(runs.values())
    except BaseException:
        give_up()
        pool.shutdown(wait=False, cancel_futures=True)
        end_children()
        raise
    rows = [{"pipeline": name, **run.result()} for name, run in runs.items()]
    nothing = {"state": "up to date", "seconds": 0.0, "reason": ""}
    rows += [{"pipeline": name, **nothing} for name in up_to_date]
    create_table_artifact(rows, key="fleet", description="Pipelines: how each ended, and why")
    failed = [f"{row['pipeline']} ({row['reason']})" for row in rows if row["reason"]]
    if failed:
        return Failed(message=f"{len(failed)} of {len(rows)} failed: {'; '.join(failed)}")
    return Completed(message=f"done: {', '.join(row['pipeline'] for row in rows)}")


def _run_one(name: str, parameters: dict[str, Any]) -> dict[str, Any]:
    started = time.perf_counter()
    state: State[Any] = pipeline(name, **parameters, return_state=True)  # type: ignore[assignment]
    return {
        "state": state.name,
        "seconds": round(time.perf_counter() - started, 1),
        "reason": "" if state.is_completed() else state.message,
    }
