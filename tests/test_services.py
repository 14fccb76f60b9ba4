"""`penstock up`, `down` and `status`: all of it or nothing, and nothing of anybody else's."""

import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import closing

import psutil
import pytest
import requests
from ruamel.yaml import YAML

from penstock.project.processes import was_interrupted
from penstock.supervision import TAG, pool, services
from penstock.supervision.prefect_api import PrefectApi
from projects import ROOT
from servers import free_port, wait_for

WHERE = """
import json, os, sys
from pathlib import Path
from prefect import flow

@flow
def where():
    Path("where.json").write_text(json.dumps([os.getcwd(), sys.executable]))
"""


@pytest.fixture(autouse=True)
def no_other_server(monkeypatch):
    monkeypatch.delenv("PREFECT_API_URL", raising=False)


def test_prefect_yaml_fits_what_up_prepares():
    content = YAML(typ="safe").load(ROOT / "prefect.yaml")
    for deployment in content["deployments"]:
        file, _, _ = deployment["entrypoint"].partition(":")
        assert (ROOT / file).is_file()
        assert deployment["work_pool"]["name"] == pool.POOL
        assert deployment["work_pool"]["work_queue_name"] == pool.QUEUE
        assert "job_variables" not in deployment["work_pool"], "the worker takes none"
        assert TAG in deployment["tags"], "dead runs are told by it"
    assert str(ROOT) not in (ROOT / "prefect.yaml").read_text()


def test_where_nothing_runs_everything_says_so(fresh):
    assert fresh.run("penstock", "down").stdout == "nothing is running\n"
    shown = fresh.run("penstock", "status").stdout
    assert "nothing is running" in shown
    found = json.loads(fresh.run("penstock", "status", "--json").stdout)
    assert {row["state"] for row in found["services"]} == {"not running"}
    (row,) = found["stages"]
    assert "train" in row["stale"]
    refused = fresh.run("penstock", "deploy", check=False)
    assert refused.returncode == 1
    assert "`penstock up`" in refused.stderr


PORTS = ("--prefect-port", "--mlflow-port", "--serve-port")


@pytest.mark.parametrize("option", PORTS)
def test_a_taken_port_is_explained_and_nothing_is_started(fresh, option):
    others = [part for it in PORTS if it != option for part in (it, str(free_port()))]
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        refused = fresh.run("penstock", "up", option, port, *others, check=False)
    assert refused.returncode == 1
    assert f"port {port}" in refused.stderr
    assert option in refused.stderr
    if sys.platform == "linux":
        assert f"process {os.getpid()}" in refused.stderr
    assert not (fresh.root / ".penstock" / "services.json").exists()
    assert not fresh.processes()


def test_a_named_server_that_is_not_there_is_an_error(fresh):
    named = f"http://127.0.0.1:{free_port()}/api"
    refused = fresh.run("penstock", "up", check=False, PREFECT_API_URL=named)
    assert refused.returncode == 1
    assert f"PREFECT_API_URL: {named} does not answer" in refused.stderr
    assert not fresh.processes()


def test_down_leaves_a_process_that_only_has_the_id_of_a_service(fresh):
    with subprocess.Popen(["sleep", "3600"], cwd=fresh.root) as bystander:
        started = psutil.Process(bystander.pid).create_time()
        (fresh.root / services.FOLDER).mkdir()
        old = services.Service("worker", bystander.pid, started - 100, "", "")
        services.save(fresh.root, {"worker": old})
        assert fresh.run("penstock", "down").stdout == "nothing is running\n"
        assert bystander.poll() is None
        bystander.kill()


@pytest.mark.pipeline
def test_an_interrupted_up_leaves_nothing(fresh):
    ports = ["--prefect-port", str(free_port()), "--mlflow-port", str(free_port())]
    ports += ["--serve-port", str(free_port())]
    process = subprocess.Popen(
        [sys.executable, "-m", "penstock", "up", *ports],
        cwd=fresh.root,
        env=fresh.environment(),
        start_new_session=True,
    )
    wait_for(lambda: services.TRACKING in services.load(fresh.root))
    process.send_signal(signal.SIGINT)
    assert was_interrupted(process.wait())
    assert fresh.gone()
    assert services.load(fresh.root) == {}


@pytest.fixture
def up(fresh):
    """Start the services of a fresh project with one small deployment; they end with the test."""
    (fresh.root / "flows" / "where.py").write_text(WHERE)
    yaml = YAML()
    content = yaml.load(ROOT / "prefect.yaml")
    one = next(it for it in content["deployments"] if it["name"] == "on-demand")
    one |= {"entrypoint": "flows/where.py:where"}
    content["deployments"] = [one]
    yaml.dump(content, fresh.root / "prefect.yaml")
    ports = ["--prefect-port", str(free_port()), "--mlflow-port", str(free_port())]
    ports += ["--serve-port", str(free_port())]
    # As from a flow or a stage: what it starts outlives it all the same.
    parent = {"PENSTOCK_PARENT": str(os.getpid())}
    yield lambda: fresh.run("penstock", "up", *ports, cold=True, **parent).stdout
    fresh.run("penstock", "down")


def asked(project):
    return json.loads(project.run("penstock", "status", "--json").stdout)


def pids(project):
    return {name: it.pid for name, it in services.alive(project.root).items()}


@pytest.mark.pipeline
def test_from_up_to_down(fresh, up):
    """One test, since each start of the servers takes ten seconds and more."""
    shown = up()
    rows = {row["service"]: row for row in asked(fresh)["services"]}
    assert [row["state"] for row in rows.values()] == ["running"] * 3 + ["online"]
    api = f"{rows['prefect']['address']}/api"
    assert f"PREFECT_API_URL={api}" in shown
    for name in ("mlflow", "playground"):
        assert requests.get(f"{rows[name]['address']}/health", timeout=10).ok
    queue = PrefectApi.of(fresh.root, api).ask("GET", "work_pools/penstock/queues/training")
    assert queue["concurrency_limit"] == 1
    (deployment,) = asked(fresh)["deployments"]
    assert deployment["deployment"] == "where/on-demand"
    _check_run(fresh, api)
    _check_second_up(fresh, up, api)
    _check_killed_worker(fresh, up)
    bystander = subprocess.Popen(["sleep", "3600"], cwd=fresh.root)
    said = fresh.run("penstock", "down").stdout
    assert [line.split(",")[0] for line in said.splitlines()] == [
        f"stopped: {name}" for name in ("worker", "playground", "mlflow", "prefect")
    ]
    assert fresh.gone()
    assert bystander.poll() is None
    bystander.kill()
    bystander.wait()
    assert fresh.run("penstock", "down").stdout == "nothing is running\n"


def _check_run(project, api):
    """A flow run is done in the project's folder, by the same Python."""
    prefect = PrefectApi.of(project.root, api)
    found = prefect.ask("GET", "deployments/name/where/on-demand")
    body = {"state": {"type": "SCHEDULED"}}
    assert prefect.ask("POST", f"deployments/{found['id']}/create_flow_run", body)
    (run,) = wait_for(lambda: [r for r in asked(project)["runs"] if r["state"] == "Completed"])
    assert run["deployment"] == "where/on-demand"
    where = json.loads((project.root / "where.json").read_text())
    assert where == [str(project.root), sys.executable]


def _check_second_up(project, up, api):
    before = pids(project)
    up()
    assert pids(project) == before
    assert len(PrefectApi.of(project.root, api).find("automations")) == 1, (
        "dead runs are marked once"
    )


def _check_killed_worker(project, up):
    before = pids(project)
    os.kill(before["worker"], signal.SIGKILL)
    wait_for(lambda: "worker" not in pids(project))
    states = {row["service"]: row["state"] for row in asked(project)["services"]}
    running = dict.fromkeys(("prefect", "mlflow", "playground"), "running")
    assert states == {**running, "worker": "not running"}
    up()
    after = pids(project)
    assert after.pop("worker") != before.pop("worker")
    assert after == before
