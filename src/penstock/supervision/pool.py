"""What the server has to know before it is given work: pool, queue, what marks dead runs."""

import socket
from datetime import datetime
from typing import Any

from . import TAG
from .prefect_api import PrefectApi
from .services import ENGINE

POOL, QUEUE = "penstock", "training"  # as prefect.yaml names them
# How a flow run is started. It offers no variables: who starts a run chooses its parameters, but
# not the command, the environment or the folder.
TEMPLATE: dict[str, Any] = {
    "job_configuration": {"command": f"python -m {ENGINE}", "stream_output": True},
    "variables": {"type": "object", "properties": {}},
}
HEARTBEAT, SILENCE = 30, 90  # seconds between the signs of life of a flow run, and without one


def prepare(api: PrefectApi) -> None:
    """Make the work pool, its queue and the automation where they are not there, or differ."""
    pool = api.ask("GET", f"work_pools/{POOL}")
    if pool is None:
        description = "Flow runs as processes on the machine of `penstock up`"
        wanted = {"name": POOL, "type": "process", "description": description}
        api.ask("POST", "work_pools/", wanted | {"base_job_template": TEMPLATE})
    elif pool["base_job_template"] != TEMPLATE:
        api.ask("PATCH", f"work_pools/{POOL}", {"base_job_template": TEMPLATE})
    queue = {
        "name": QUEUE,
        "description": "One at a time: they share the machine's cores",
        "concurrency_limit": 1,
        "priority": 1,
    }
    there = api.ask("GET", f"work_pools/{POOL}/queues/{QUEUE}")
    if there is None:
        api.ask("POST", f"work_pools/{POOL}/queues", queue)
    _mark_dead_runs(api)


def worker_name() -> str:
    """What this machine's worker is called."""
    return socket.gethostname()


def is_online(api: PrefectApi, since: float = 0) -> bool:
    """Whether this machine's worker has reported to the server, after a time in epoch seconds."""
    return any(
        it["name"] == worker_name()
        and it["status"] == "ONLINE"
        and datetime.fromisoformat(it["last_heartbeat_time"]).timestamp() >= since
        for it in api.find(f"work_pools/{POOL}/workers")
    )


def _mark_dead_runs(api: PrefectApi) -> None:
    """Have runs that gave no sign of life marked as crashed.

    The worker does so when a run's process dies; this is for when it died as well, before it had
    started the process or after. Only runs with our tag, since our worker has them give signs often
    enough; Prefect's default is 180 s.
    """
    name = "Penstock: mark dead flow runs"
    going = ("Pending", "Submitting", "Running", "Cancelling", "heartbeat")
    still = ("Scheduled", "AwaitingConcurrencySlot", "Paused", "Suspended")
    ended = ("Completed", "Failed", "TimedOut", "Cancelled", "Crashed")
    wanted: dict[str, Any] = {
        "name": name,
        "description": f"A flow run without a sign of life for {SILENCE} s is marked as crashed.",
        "enabled": True,
        "trigger": {
            "type": "event",
            "posture": "Proactive",
            "match": {"prefect.resource.id": "prefect.flow-run.*"},
            "match_related": {
                "prefect.resource.id": f"prefect.tag.{TAG}",
                "prefect.resource.role": "tag",
            },
            "after": [f"prefect.flow-run.{it}" for it in going],
            "expect": [f"prefect.flow-run.{it}" for it in (*going, *still, *ended)],
            "for_each": ["prefect.resource.id"],
            "threshold": 1,
            "within": SILENCE,
        },
        "actions": [
            {
                "type": "change-flow-run-state",
                "state": "CRASHED",
                "name": "Crashed",
                "message": f"Its process is gone: no sign of life for {SILENCE} s",
            }
        ],
    }
    found = api.find("automations", automations={"name": {"any_": [name]}})
    if not found:
        api.ask("POST", "automations/", wanted)
    elif not _holds(found[0], wanted):  # to write it again would forget the runs it watches
        api.ask("PUT", f"automations/{found[0]['id']}", wanted)


def _holds(there: Any, wanted: Any) -> bool:
    """Whether what is there has all that is wanted; Prefect gives lists in any order."""
    if isinstance(wanted, dict):
        return all(_holds(there.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list) and wanted and isinstance(wanted[0], str):
        return sorted(there) == sorted(wanted)
    if isinstance(wanted, list):
        return len(there) == len(wanted) and all(map(_holds, there, wanted))
    return bool(there == wanted)
