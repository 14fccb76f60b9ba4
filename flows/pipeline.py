"""One pipeline as a Prefect flow: a task for each stage, brought up to date through DVC.

`penstock flow NAME` runs it here and now; without a Prefect server it starts one for itself.
"""

import atexit
import json
import sys
import time
from typing import Any

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.runtime import flow_run
from prefect.states import Failed

from penstock.errors import PenstockError
from penstock.processes import (
    INTERRUPTED,
    end_children,
    end_tidily_on_sigterm,
    end_with_parent,
)
from penstock.project import Workspace
from penstock.repro import Step, is_stale, plan, reconcile
from penstock.runner import Runner
from penstock.tracking.listing import run_link


@task(task_run_name="{step.label}", cache_policy=NO_CACHE)
def bring_up_to_date(runner: Runner, step: Step) -> Any:
    """Run one stage if DVC finds it stale; its output goes to this task's log."""
    started = time.perf_counter()
    logger = get_run_logger()
    state = "up to date"
    if is_stale(runner.workspace.root, step):
        try:
            state = runner.run(step, logger.info)
        except PenstockError as error:
            return Failed(message=str(error))  # a state, not a traceback: the reason is for people
    logger.info(f"{step.label}: {state}")
    return {
        "stage": step.stage,
        "state": state,
        "skipped by DVC": "" if state == "ran" else "yes",
        "seconds": round(time.perf_counter() - started, 2),
    }


@flow(name="pipeline", flow_run_name="{name}", log_prints=True)
def pipeline(name: str) -> Any:
    """Bring a pipeline up to date: what is stale of its five stages, then the registry.

    Args:
        name: the pipeline, as params.yaml names it.
    """
    rows: list[dict[str, Any]] = []
    try:
        workspace = Workspace.open(name)
        run = {"PREFECT__FLOW_RUN_ID": str(flow_run.id)}  # for the lineage of what is trained
        with Runner(workspace, **run) as runner:
            for step in plan(workspace):
                done = bring_up_to_date(runner, step, return_state=True)
                if not done.is_completed():
                    rows.append({"stage": step.stage, "state": done.name, "notes": done.message})
                    return Failed(message=f"{step.label}: {done.message}")
                rows.append(done.result())
        reconcile(workspace)
        _annotate(rows, workspace)
    except PenstockError as error:
        return Failed(message=str(error))
    finally:
        if rows:
            create_table_artifact(rows, key=f"{name}-stages", description=f"Stages of {name}")
    return None


def _annotate(rows: list[dict[str, Any]], workspace: Workspace) -> None:
    """Add what a person asks next: the run, its metrics, the decision."""
    metrics = json.loads(workspace.metrics.read_text())
    receipt = json.loads(workspace.receipt.read_text())
    notes = {
        "train": run_link(workspace),
        "evaluate": ", ".join(f"{key} {value:.4f}" for key, value in metrics.items()),
        "register": f"version {receipt['version']}, {receipt['decision']}: {receipt['reason']}",
    }
    for row in rows:
        row["notes"] = notes.get(str(row["stage"]), "")


if __name__ == "__main__":
    end_with_parent()
    end_tidily_on_sigterm()
    atexit.register(end_children)  # after Prefect has stopped the server it started for this run
    try:
        state: Any = pipeline(sys.argv[1], return_state=True)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    if not state.is_completed():
        print(f"penstock: error: {state.message}", file=sys.stderr)
        sys.exit(1)
