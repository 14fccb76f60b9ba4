"""Looks whether a source, or anything else a pipeline depends on, has changed; runs only that."""

from collections.abc import Callable
from typing import Any

from prefect import flow, get_run_logger
from prefect.states import Completed

from fleet import run_side_by_side
from parameters import KNOWN, ROOT, AtOnce, Name, Timeouts
from penstock.messages.errors import PenstockError
from penstock.running.failures import failed_before
from penstock.running.steps import Step, survey


@flow(name="on-new-data", log_prints=True)
def on_new_data(
    names: list[Name] = [],
    timeouts: Timeouts = {},
    at_once: AtOnce = 4,
) -> Any:
    """Ask DVC what is stale; bring those pipelines up to date, or say that there is nothing to do.

    What failed is not tried again before something it depends on has changed.

    Args:
        names: Which pipelines to look at; none named means all of them.
        timeouts: Seconds after which a stage is ended as failed, {"train": 3600} say; a stage that
            is not named may take as long as it likes.
        at_once: How many pipelines run side by side. Whatever it is, trainings take turns at each
            GPU, or at the processor's cores.
    """
    tell = get_run_logger().info
    found = survey(ROOT, names or KNOWN)
    todo = [name for name, stale in found.items() if _has_to_run(name, stale, tell)]
    if not todo:
        return Completed(message="nothing to do")
    return run_side_by_side(todo, at_once, timeouts=timeouts)


def _has_to_run(name: str, stale: list[Step] | PenstockError, tell: Callable[[str], None]) -> bool:
    """Whether something is stale that has not failed just so before."""
    if not stale:
        return False
    if isinstance(stale, PenstockError):
        step, reason = None, str(stale)  # its run fails with it, for all to see
    else:
        step, reason = stale[0], f"{stale[0].label} is stale"
    if before := failed_before(ROOT, name, step, reason):
        tell(f"{name}: nothing has changed since it failed ({before}); `penstock run` tries again")
        return False
    tell(f"{name}: {reason}")
    return True
