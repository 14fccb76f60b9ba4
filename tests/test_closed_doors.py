"""What `penstock up` starts is for its owner: not for web pages, nor for other users."""

import http.server
import json
import multiprocessing
import os
import shutil
import subprocess
import threading
from contextlib import suppress

import pytest
import requests

from penstock.project.login import PREFECT, read_login
from penstock.supervision import pool
from penstock.supervision.services import alive
from projects import client_of
from servers import Prefect, Webhook, free_port, wait_for

CHROMIUM = shutil.which("chromium")
NOBODY = 65534

# What a page can do without asking first (no preflight), with whatever the browser has of logins.
PAGE = """<html><body>loading<script>
const tries = TRIES;
const text = {method: "POST", mode: "cors", credentials: "include"};
Promise.all(tries.map(([url, body]) =>
  fetch(url, {...text, headers: {"Content-Type": "text/plain"}, body: JSON.stringify(body)})
    .then(answer => answer.status, () => "unreadable")
)).then(all => { document.body.textContent = "answers: " + all.join(" "); });
</script></body></html>"""


@pytest.fixture
def doors(fresh):
    """The servers of a project, with a webhook."""
    webhook = Webhook()
    ports = {"prefect": free_port(), "mlflow": free_port()}
    options = ["--prefect-port", str(ports["prefect"]), "--mlflow-port", str(ports["mlflow"])]
    options += ["--serve-port", str(free_port())]
    env = {"PENSTOCK_WEBHOOK": webhook.address, "PREFECT_WORKER_HEARTBEAT_SECONDS": "2"}
    fresh.run("penstock", "up", *options, cold=True, **env)
    prefect = Prefect(fresh, ports["prefect"])
    prefect.mlflow = f"http://127.0.0.1:{ports['mlflow']}"
    prefect.webhook = webhook
    yield prefect
    fresh.run("penstock", "down")
    webhook.shutdown()
    webhook.server_close()


@pytest.mark.pipeline
@pytest.mark.timeout(600)
def test_nobody_but_the_owner_gets_in(doors, tmp_path):
    """One test, since each start of the servers takes ten seconds and more."""
    marker = tmp_path / "commanded"
    dead = _dead_run(doors)
    _check_web_page(doors, marker)
    _check_other_hosts(doors)
    _check_other_user(doors, marker)
    _check_secrets(doors)
    _check_own_pages(doors)
    _check_what_a_caller_may_choose(doors, marker)
    assert doors.finished(dead)["type"] == "CRASHED", "the server's automations get in"
    assert not marker.exists()


def attacks(doors, marker):
    """Requests that start a command, or make a model champion, where nobody asks who it is."""
    deployment = doors.ask("GET", "deployments/name/pipeline/on-demand")["id"]
    run = {"state": {"type": "SCHEDULED"}, "job_variables": {"command": f"touch {marker}"}}
    api = f"{doors.mlflow}/api/2.0/mlflow"
    return [
        (f"{doors.api}/deployments/{deployment}/create_flow_run", run),
        (f"{api}/registered-models/create", {"name": "mnist"}),
        (f"{doors.mlflow}/ajax-api/2.0/mlflow/registered-models/create", {"name": "mnist"}),
        (f"{api}/model-versions/create", {"name": "mnist", "source": "file:///tmp"}),
    ]


def nothing_came_of_it(doors):
    runs = doors.find("flow_runs", flow_runs={"deployment_id": {"is_null_": False}}, limit=200)
    asked = [it for it in runs if it["state"]["type"] != "SCHEDULED" or not it["auto_scheduled"]]
    return not asked and not client_of(doors.project).search_registered_models()


def _check_web_page(doors, marker):
    """The page of another server of this machine, which a browser counts as the same site."""
    tries = attacks(doors, marker)
    if CHROMIUM:
        said = visit(PAGE.replace("TRIES", json.dumps(tries)), marker.parent)
        assert "answers: " + " ".join(["unreadable"] * len(tries)) in said
    for origin in ("http://evil.example", f"http://127.0.0.1:{free_port()}"):
        login = tuple(read_login(doors.project.root)[PREFECT].split(":"))
        for address, body in tries:
            headers = {"Origin": origin}
            refused = requests.post(address, json=body, headers=headers, timeout=30)
            assert refused.status_code in (401, 403), address
            if address.startswith(doors.mlflow):  # a browser would send a password it knows
                known = requests.post(address, json=body, headers=headers, auth=login, timeout=30)
                assert known.status_code == 403
                assert "page of another server" in known.text or "Cross-origin" in known.text
    assert nothing_came_of_it(doors)


def visit(page, folder):
    """What a browser shows of a page, after its scripts have run."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/"
    try:
        return browse(address, folder)
    finally:
        server.shutdown()
        server.server_close()


def browse(address, folder):
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    options += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    options += [f"--user-data-dir={folder / 'browser'}", "--virtual-time-budget=20000"]
    command = [CHROMIUM, *options, "--dump-dom", address]
    return subprocess.run(command, capture_output=True, text=True, timeout=180, check=True).stdout


def _check_other_hosts(doors):
    """A name of an attacker's that leads to this machine (DNS rebinding)."""
    for address in (f"{doors.api}/admin/version", f"{doors.mlflow}/"):
        login = tuple(read_login(doors.project.root)[PREFECT].split(":"))
        for host in ("evil.example", "evil.example:4200"):
            refused = requests.get(address, headers={"Host": host}, auth=login, timeout=30)
            assert refused.status_code in (400, 403), address
            assert "nvalid host" in refused.text or "Invalid Host" in refused.text


def _dead_run(doors):
    """A flow run that gives no sign of life, with the automation that marks it in a hurry."""
    (ours,) = doors.find("automations")
    doors.request("PUT", f"automations/{ours['id']}", _sooner(ours)).raise_for_status()
    flow = doors.ask("POST", "flows/", name="dies")["id"]
    state = {"type": "PENDING", "name": "Pending"}
    return doors.ask("POST", "flow_runs/", flow_id=flow, state=state, tags=["penstock"])["id"]


def _sooner(automation):
    wanted = {it: automation[it] for it in ("name", "description", "enabled", "trigger", "actions")}
    wanted["trigger"]["within"] = 10  # the least that Prefect takes
    return wanted


def _check_other_user(doors, marker):
    if os.getuid() != 0:
        pytest.skip("another user of the machine: only root can become one")
    root = doors.project.root
    files = [str(root / ".penstock"), str(root / ".penstock" / "login.env")]
    processes = [str(it.pid) for it in doors.project.processes()]
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    arguments = (attacks(doors, marker), files, processes, answers)
    process = context.Process(target=_as_nobody, args=arguments)
    process.start()
    statuses, read = answers.get(timeout=120)
    process.join()
    assert set(statuses) == {401}
    assert read == []
    assert nothing_came_of_it(doors)


def _as_nobody(tries, files, processes, answers):
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    statuses = [requests.post(url, json=body, timeout=30).status_code for url, body in tries]
    read = []
    for file in [*files, *(f"/proc/{pid}/environ" for pid in processes)]:
        with suppress(OSError):
            os.close(os.open(file, os.O_RDONLY))
            read.append(file)
    answers.put((statuses, read))


def _check_secrets(doors):
    """The webhook's address is in no environment, and no secret in a command line or a log."""
    root = doors.project.root
    password = read_login(root)[PREFECT].partition(":")[2]
    below = [it for service in alive(root).values() for it in [service.process()] if it]
    below += [child for it in below for child in it.children(recursive=True)]
    assert len(below) >= 3
    for process in below:
        assert doors.webhook.address not in str(process.environ())
        assert password not in " ".join(process.cmdline())
    logs = b"".join(it.read_bytes() for it in (root / ".penstock" / "logs").iterdir())
    assert password.encode() not in logs
    kept = root / ".penstock" / "webhook"
    assert kept.read_text() == doors.webhook.address
    assert kept.stat().st_mode & 0o077 == 0
    assert (root / ".penstock").stat().st_mode & 0o077 == 0


def _check_own_pages(doors):
    """Who logs in sees them, and may do what they offer."""
    login = tuple(read_login(doors.project.root)[PREFECT].split(":"))
    own = {"Origin": doors.mlflow}
    search = f"{doors.mlflow}/ajax-api/2.0/mlflow/experiments/search"
    body = {"max_results": 5}
    assert requests.post(search, json=body, headers=own, auth=login, timeout=30).ok
    assert requests.get(f"{doors.mlflow}/", auth=login, timeout=30).ok
    asked = requests.get(f"{doors.mlflow}/", timeout=30)
    assert asked.status_code == 401
    assert "login.env" in asked.headers["WWW-Authenticate"]
    settings = requests.get(f"{doors.api.removesuffix('/api')}/ui-settings", timeout=30).json()
    assert settings["auth"] == "BASIC", "Prefect's page asks for the password"


def _check_what_a_caller_may_choose(doors, marker):
    """Not even who has logged in starts anything but the flows of prefect.yaml, as they are."""
    found = doors.ask("GET", "deployments/name/pipeline/on-demand")
    assert found["job_variables"] == {}
    ask = f"deployments/{found['id']}/create_flow_run"
    due = {"state": {"type": "SCHEDULED"}, "parameters": {"name": "mnist"}}
    command = {"command": f"touch {marker}"}
    asked = {"job variables are not taken": doors.ask("POST", ask, **due, job_variables=command)}
    shell = {"prefect.deployments.steps.run_shell_script": {"script": f"touch {marker}"}}
    for wrong, changes in {
        "entry point": {"entrypoint": "flows/other.py:main"},
        "pull steps": {"pull_steps": [shell]},
        "job variables are": {"job_variables": command},
    }.items():
        body = {"name": wrong, "flow_id": found["flow_id"], "work_pool_name": pool.POOL}
        body |= {key: found[key] for key in ("entrypoint", "pull_steps", "work_queue_name")}
        mine = doors.ask("POST", "deployments/", **body | changes)["id"]
        asked[wrong] = doors.ask("POST", f"deployments/{mine}/create_flow_run", **due)
    for reason, run in asked.items():
        state = doors.finished(run["id"])
        assert state["type"] == "CRASHED"
        assert reason in state["message"], state
    template = pool.TEMPLATE | {"job_configuration": command}
    changed = doors.request("PATCH", f"work_pools/{pool.POOL}", {"base_job_template": template})
    assert changed.ok
    # These do not go together: what it runs until it has seen the change fails at once.
    due["parameters"] |= {"settings": ["train.max_epochs=1"], "force_from": "train"}

    def refused():
        state = doors.finished(doors.ask("POST", ask, **due)["id"])
        return "job template" in (state["message"] or "")

    wait_for(refused)
