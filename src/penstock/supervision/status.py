"""What runs, what has run, what is due and what is stale; quick, and true when nothing runs."""

from datetime import datetime
from pathlib import Path
from typing import Any

from ..messages.errors import PenstockError
from ..settings.file import PARAMS_FILE, list_pipelines
from .pool import POOL, is_online
from .prefect_api import PrefectApi, api_url
from .services import PLAYGROUND, SERVER, TRACKING, WORKER, load
from .up import foreign_tracking

LAST = 10  # how many of the runs that have ended


def status(root: Path) -> dict[str, Any]:
    """Ask the services, the server and DVC.

    Returns:
        `services`, `deployments`, `runs` and `stages`, each a list of rows.
    """
    url, api = _server(root)
    deployments = _deployments(api) if api else []
    return {
        "services": _services(root, url, api),
        "deployments": [_without_id(it) for it in deployments],
        "runs": _runs(api, {it["id"]: it["deployment"] for it in deployments}) if api else [],
        "stages": _stages(root),
    }


def services_of(root: Path) -> list[dict[str, Any]]:
    """A row for each service: state, address, log; `elsewhere` is not ours."""
    return _services(root, *_server(root))


def _server(root: Path) -> tuple[str | None, PrefectApi | None]:
    """The server's address, and the server if it answers."""
    url = api_url(root)
    api = PrefectApi.of(root, url) if url else None
    return url, api if api and api.healthy() else None


def _services(root: Path, url: str | None, api: PrefectApi | None) -> list[dict[str, Any]]:
    known = load(root)
    rows = []
    for name in (SERVER, TRACKING, PLAYGROUND, WORKER):
        service = known.get(name)
        running = service is not None and service.process() is not None
        address, log = (service.address, service.log) if service and running else ("", "")
        state = "running" if running else "not running"
        rows.append({"service": name, "state": state, "address": address, "log": log})
    server, tracking, _, worker = rows
    if url and server["address"] != url.removesuffix("/api"):
        server |= {"state": "elsewhere", "address": url, "log": ""}
    if url and api is None:
        server["state"] = "does not answer"
    if elsewhere := foreign_tracking():
        tracking |= {"state": "elsewhere", "address": elsewhere, "log": ""}
    if worker["state"] == "running":
        worker["state"] = "online" if api and is_online(api) else "offline"
    return rows


def _deployments(api: PrefectApi) -> list[dict[str, Any]]:
    """The deployments of our work pool."""
    flows = {it["id"]: it["name"] for it in api.find("flows")}
    rows = []
    for it in api.find("deployments", work_pools={"name": {"any_": [POOL]}}):
        schedules = [_schedule(each["schedule"]) for each in it["schedules"] if each["active"]]
        due = api.find(
            "flow_runs",
            flow_runs={
                "deployment_id": {"any_": [it["id"]]},
                "state": {"type": {"any_": ["SCHEDULED"]}},
            },
            sort="NEXT_SCHEDULED_START_TIME_ASC",
            limit=1,
        )
        rows.append(
            {
                "id": it["id"],
                "deployment": f"{flows.get(it['flow_id'])}/{it['name']}",
                "schedule": "; ".join(schedules),
                "next run": _local(due[0]["next_scheduled_start_time"]) if due else "",
                "state": "paused" if it["paused"] else it["status"].lower().replace("_", " "),
            }
        )
    return sorted(rows, key=lambda row: str(row["deployment"]))


def _schedule(schedule: dict[str, Any]) -> str:
    rule = schedule.get("cron") or schedule.get("rrule") or f"every {schedule.get('interval')} s"
    return f"{rule} {schedule.get('timezone') or ''}".strip()


def _runs(api: PrefectApi, names: dict[str, str]) -> list[dict[str, Any]]:
    """What runs or is about to, then the last that ended, newest first."""
    going = {"type": {"any_": ["PENDING", "RUNNING", "CANCELLING", "PAUSED"]}}
    ended = {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED", "CANCELLED"]}}
    found = api.find("flow_runs", flow_runs={"state": going}, sort="START_TIME_DESC")
    found += api.find("flow_runs", flow_runs={"state": ended}, sort="END_TIME_DESC", limit=LAST)
    return [
        {
            "run": it["name"],
            "deployment": names.get(it["deployment_id"], ""),
            "state": it["state"]["name"],
            "when": _local(it["start_time"] or it["expected_start_time"]),
            "seconds": round(it["estimated_run_time"], 1),
            "message": it["state"]["message"] or "",
        }
        for it in found
    ]


def _stages(root: Path) -> list[dict[str, Any]]:
    """Which stages of each pipeline are stale, or why nobody can tell."""
    from ..running.steps import survey  # DVC: half a second

    return [
        {"pipeline": name, "stale": [], "error": str(stale)}
        if isinstance(stale, PenstockError)
        else {"pipeline": name, "stale": [it.stage for it in stale], "error": ""}
        for name, stale in survey(root, list_pipelines(root / PARAMS_FILE)).items()
    ]


def _local(time: str | None) -> str:
    """A time as Prefect gives it, in local time."""
    return f"{datetime.fromisoformat(time).astimezone():%Y-%m-%d %H:%M:%S}" if time else ""


def _without_id(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != "id"}
