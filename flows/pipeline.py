"""One pipeline as a Prefect flow: a task for each stage, brought up to date through DVC."""

import time
from collections.abc import Iterator
from typing import Any, Literal

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.context import TagsContext
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from parameters import ROOT, Name, Stage, Timeouts
from penstock.messages.errors import KilledError, PenstockError, TemporaryError
from penstock.project.workspace import Workspace
from penstock.running.failures import remember_failure
from penstock.running.notification import notify_of_decision, notify_of_failure
from penstock.running.repro import what_is_lost
from penstock.running.runner import Runner
from penstock.running.steps import Step, asking_dvc, list_stale, plan
from penstock.running.turn import is_given_up, taking_turns
from progress import Progress

# Names of the states of a stage that failed: network or file system; killed; for good.
PASSES, KILLED, LASTS = "Temporary", "Killed", "Failed"

Todo = Literal["force", "ask", "skip"]  # run a stage in any case, if DVC finds it stale, not at all


@task(
    task_run_name="{step.label}",
    cache_policy=NO_CACHE,
    retries=3,
    retry_delay_seconds=[10, 60, 300],
    retry_condition_fn=lambda task, run, state: state.name == PASSES,
)
def bring_up_to_date(
    runner: Runner, step: Step, todo: Todo = "ask", timeout: float | None = None
) -> Any:
    """Run one stage if it is stale; its output goes to this task's log.

    Trouble of the network or the file system is tried again; bad data is not.
    """
    started = time.perf_counter()
    logger = get_run_logger()
    progress = Progress(f"{runner.workspace.name}-{step.stage}", step.label)

    def tell(line: str) -> None:
        logger.info(line)
        progress.follow(line)

    state = "up to date"
    try:
        if todo != "skip":
            state = runner.run(step, tell, todo == "force", timeout)
    except TemporaryError as error:
        return Failed(message=str(error), name=PASSES)
    except KilledError as error:
        return Failed(message=str(error), name=KILLED)
    except PenstockError as error:
        return Failed(message=str(error))  # a state, not a traceback: the reason is for people
    logger.info(f"{step.label}: {state}")
    return {
        "stage": step.stage,
        "state": state,
        "skipped by DVC": "" if state == "ran" else "yes",
        "seconds": round(time.perf_counter() - started, 2),
    }


@task(task_run_name="try {runner.workspace.name}", cache_policy=NO_CACHE)
def try_settings(runner: Runner, settings: list[str]) -> Any:
    """Run the plain stages with other settings; outputs and registry stay as they are."""
    try:
        runner.try_settings(settings, get_run_logger().info)
    except PenstockError as error:
        return Failed(message=str(error))
    return None


@flow(name="pipeline", flow_run_name="{name}", log_prints=True)
def pipeline(
    name: Name,
    settings: list[str] = [],
    force_from: Stage | None = None,
    timeouts: Timeouts = {},
) -> Any:
    """Bring a pipeline up to date: what is stale of its five stages, then the registry.

    Args:
        name: The pipeline, as params.yaml names it.
        settings: Other settings, as with `penstock run -S`: train.max_epochs=3 say. The stages then
            run in a scratch folder, with an MLflow run of their own; outputs and registry stay.
        force_from: Run this stage and those after it even where DVC finds nothing stale.
        timeouts: Seconds after which a stage is ended as failed, {"train": 3600} say; a stage that
            is not named may take as long as it likes.
    """
    try:
        workspace = Workspace.open(name)
        lineage = {"PREFECT__FLOW_RUN_ID": str(flow_run.id)}
        with (
            TagsContext(current_tags=set()),  # a task with tags asks for a place by each of them
            taking_turns(workspace, get_run_logger().info) as turn,
            Runner(workspace, turn, **lineage) as runner,
        ):
            if settings and (force_from or timeouts):
                reason = "settings are tried in a scratch folder: leave force_from and timeouts out"
            elif settings:
                tried = try_settings(runner, settings, return_state=True)
                reason = "" if tried.is_completed() else str(tried.message)
            else:
                reason = _stages(runner, force_from, {str(it): timeouts[it] for it in timeouts})
    except PenstockError as error:
        reason = str(error)
        if not (is_given_up() or isinstance(error, TemporaryError)):
            remember_failure(ROOT, name, None, reason)
    if reason:
        if not is_given_up():
            notify_of_failure(ROOT, name, reason, get_run_logger().warning)
        return Failed(message=reason)
    return Completed(message=f"{name}: settings tried" if settings else f"{name} is up to date")


def _stages(runner: Runner, force_from: Stage | None, timeouts: dict[str, float]) -> str:
    """Run the stages, then restore the registry; answer why one failed, or nothing."""
    workspace = runner.workspace
    rows: dict[str, dict[str, Any]] = {}
    failure = ""
    try:
        for step, todo in _what_to_do(workspace, force_from):
            state = bring_up_to_date(
                runner, step, todo, timeouts.get(step.stage), return_state=True
            )
            if not state.is_completed():
                rows[step.stage] = {
                    "stage": step.stage,
                    "state": state.name,
                    "notes": state.message,
                }
                failure = f"{step.label}: {state.message}"
                if state.name == LASTS:
                    remember_failure(workspace.root, workspace.name, step, failure)
                break
            rows[step.stage] = state.result()
        else:
            _summarise(workspace, rows)
    finally:
        if rows:
            create_table_artifact(
                [*rows.values()],
                key=f"{workspace.name}-stages",
                description=f"Stages of {workspace.name}",
            )
    return failure


def _what_to_do(workspace: Workspace, force_from: Stage | None) -> Iterator[tuple[Step, Todo]]:
    """Each step, and what is known of it; register once more if the registry lost it."""
    with asking_dvc(workspace.root):
        steps = plan(workspace)
        stale = list_stale(workspace.root, steps)
    force, changed = False, False
    for step in steps:
        force = force or step.stage == force_from
        changed = changed or step in stale  # what comes after is asked again, when it is due
        yield step, "force" if force else "ask" if changed else "skip"
    if lost := what_is_lost(workspace):
        print(f"registry: {lost}; registering again")
        yield steps[-1], "force"


def _summarise(workspace: Workspace, rows: dict[str, dict[str, Any]]) -> None:
    """Add what a person asks next, if anything changed: the run, its metrics and the champion's."""
    if all(row["state"] == "up to date" for row in rows.values()):
        return  # what there is to see is on the page of the run that did it
    from penstock.tracking.summary import metrics_beside_champion, stage_notes  # imports MLflow

    for stage, note in stage_notes(workspace).items():
        rows[stage]["notes"] = note
    create_table_artifact(
        metrics_beside_champion(workspace),
        key=f"{workspace.name}-metrics",
        description=f"{workspace.name}: metrics, and the champion's",
    )
    if rows["register"]["state"] == "ran":
        notify_of_decision(workspace, get_run_logger().warning)
