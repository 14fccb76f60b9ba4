"""Flows that people can leave alone: scheduled, side by side, retried, cancelled, in time."""

import os
import re
import signal
import subprocess
import sys

import pytest
from mlflow import MlflowClient

from penstock.messages.errors import PenstockError
from penstock.project.workspace import Workspace
from penstock.running.runner import Runner
from penstock.running.steps import plan
from penstock.running.turn import taking_turns
from projects import hashes, read, runs_of
from servers import Prefect, Webhook, answers, free_port, wait_for


@pytest.fixture
def webhook():
    server = Webhook()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def prefect(project, webhook):
    """A finished project with everything up, and a second pipeline that cannot be run."""
    (project.root / "data" / "samples" / "nothing").mkdir()
    params = (project.root / "params.yaml").read_text()
    broken = params.partition("pipelines:\n")[2].replace("  mnist:", "  pathology:", 1)
    (project.root / "params.yaml").write_text(params + broken)
    deployments = project.root / "prefect.yaml"
    yearly = re.sub('cron: ".*"', 'cron: "0 0 1 1 *"', deployments.read_text())
    deployments.write_text(yearly)  # or one may come between, by the clock
    worker = project.root / "flows" / "worker.py"  # the stages that it starts are forked
    worker.write_text(f"import os\n\nos.environ |= {project.warm}\n{worker.read_text()}")
    port = free_port()
    ports = ["--prefect-port", str(port), "--mlflow-port", str(free_port())]
    ports += ["--serve-port", str(free_port())]
    env = {
        "PENSTOCK_WEBHOOK": webhook.address,
        "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "2",  # a new schedule waits up to 60
    }
    project.run("penstock", "up", *ports, cold=True, **env)
    yield Prefect(project, port)
    project.run("penstock", "down")
    assert project.gone()
    assert b"secret" not in b"".join(log.read_bytes() for log in logs(project))


def logs(project):
    return (project.root / ".penstock" / "logs").iterdir()


@pytest.mark.pipeline
@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_team_leaves_it_alone(prefect, webhook):
    """One test, since each start of the servers takes ten seconds and more."""
    before = hashes(prefect.project)
    _check_one_fails_and_the_other_does_not(prefect, webhook)
    run = prefect.start("on-new-data/every-10-minutes")
    assert prefect.finished(run)["message"] == "nothing to do", "what failed is not tried again"
    prefect.project.keep("mnist")
    _check_force(prefect, webhook)
    assert hashes(prefect.project) == before, "a flow gives the bits that `dvc repro` gave"
    _check_network_trouble_is_retried(prefect)
    _check_cancel_and_queue(prefect)
    assert hashes(prefect.project) == before
    _check_schedule_fires(prefect)


def _check_one_fails_and_the_other_does_not(prefect, webhook):
    state = prefect.finished(prefect.start("fleet/nightly", force_from="register"))
    assert state["type"] == "FAILED"
    assert state["message"].startswith("1 of 2 failed: pathology (params.yaml: pipelines.pathology")
    rows = {row["pipeline"]: row for row in prefect.table("fleet")}
    assert rows["mnist"]["state"] == "Completed"
    assert rows["mnist"]["reason"] == ""
    assert rows["pathology"]["state"] == "Failed"
    (message,) = webhook.messages
    assert message["event"] == "failure"
    assert message["pipeline"] == "pathology"
    assert message["text"].startswith("penstock: pathology: failed: params.yaml: pipelines.pathol")
    (below,) = prefect.find("flow_runs", flow_runs={"name": {"any_": ["pathology"]}})
    assert below["tags"] == ["penstock"], "what marks dead runs goes by it"


def _check_force(prefect, webhook):
    """What is asked for runs in any case, each stage's output in its task's log."""
    run = prefect.start("pipeline/on-demand", name="mnist", force_from="ingest")
    state = prefect.finished(run)
    assert state["type"] == "COMPLETED", state
    rows = {row["stage"]: row for row in prefect.table("mnist-stages")}
    assert rows.pop("inputs")["state"] == "up to date"
    assert rows.pop("sample")["state"] == "up to date"
    assert list(rows) == ["ingest", "validate", "train", "evaluate", "register"]
    assert {row["state"] for row in rows.values()} == {"ran"}
    wanted = {"name": {"any_": ["train mnist"]}, "flow_run_id": {"any_": [run]}}
    (train,) = prefect.find("task_runs", task_runs=wanted)
    said = prefect.find("logs", logs={"task_run_id": {"any_": [train["id"]]}})
    assert any("epoch 1/" in it["message"] for it in said)
    newest = max(runs_of(prefect.project), key=lambda it: it.info.start_time)
    assert newest.data.tags["prefect.flow_run_id"] == run
    assert "it is the champion already" in rows["register"]["notes"]
    assert "/play/mnist)" in rows["register"]["notes"], "a link to where it can be tried"
    assert "/#/experiments/" in rows["train"]["notes"]
    assert "make ui" not in rows["train"]["notes"], "the link is to the page of `penstock up`"
    metrics = {row["metric"]: row for row in prefect.table("mnist-metrics")}
    assert "test/accuracy" in rows["evaluate"]["notes"]
    assert metrics["test/accuracy"]["v1"] == metrics["test/accuracy"]["champion v1"]
    assert len(webhook.messages) == 1, "the champion is no new one"


def _check_network_trouble_is_retried(prefect):
    """No mirror answers: the task waits and tries again; cancelled, it stops waiting."""
    file = prefect.project.root / "params.yaml"
    params = file.read_text()
    catalogue = prefect.project.root / "data" / "downloads.yaml"
    nobody = f"http://127.0.0.1:{free_port()}/"
    first = re.sub(r"https://ossci\S+/mnist/", nobody, catalogue.read_text())
    catalogue.write_text(re.sub(r" +- https://\S+/mnist/\S+\n", "", first))  # no second mirror
    prefect.project.set(source="data/downloads/mnist")
    run = prefect.start("pipeline/on-demand", name="mnist")
    wanted = {"flow_run_id": {"any_": [run]}}

    def waits():
        found = prefect.find("task_runs", task_runs=wanted)
        return [it for it in found if it["state_name"] == "AwaitingRetry"]

    (task,) = wait_for(waits)
    assert task["name"] == "download mnist"
    prefect.ask("POST", f"flow_runs/{run}/set_state", state={"type": "CANCELLING"})
    assert prefect.finished(run)["type"] == "CANCELLED"
    file.write_text(params)


def _check_cancel_and_queue(prefect):
    """Cancelled, a training ends with all it started; who waited for its turn goes on."""
    project = prefect.project
    file = project.root / "params.yaml"
    params = file.read_text()
    project.set(train={"max_epochs": 1000})  # a tenth of it until it tells of the first ones
    wanted = {"key": {"any_": ["mnist-train"]}}
    before = prefect.find("artifacts", artifacts=wanted)
    assert {it["type"] for it in before} == {"progress"}
    run = prefect.start("on-new-data/every-10-minutes")
    wait_for(lambda: len(prefect.find("artifacts", artifacts=wanted)) > len(before))
    waiting = subprocess.Popen(
        [sys.executable, "-m", "penstock", "run", "mnist"],
        cwd=project.root,
        env=project.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert waiting.stdout.readline().startswith("mnist: waiting for another run to end (process ")
    file.write_text(params)
    prefect.ask("POST", f"flow_runs/{run}/set_state", state={"type": "CANCELLING"})
    said, _ = waiting.communicate()
    assert waiting.returncode == 0
    assert set(re.findall(r"> penstock (\w+)", said)) <= {"inputs"}, "it finds nothing to do"
    assert "train mnist: up to date" in said
    assert prefect.finished(run)["type"] == "CANCELLED"
    (killed,) = [it for it in runs_of(project) if it.info.status != "FINISHED"]
    assert killed.info.status == "KILLED"
    assert "interrupted" in killed.data.tags["penstock.reason"]


def _check_schedule_fires(prefect):
    """With some versions of Prefect's libraries the scheduler fails without a word."""
    found = prefect.ask("GET", "deployments/name/fleet/nightly")
    soon = {"active": True, "schedule": {"interval": 5}}
    path = f"deployments/{found['id']}/schedules"
    prefect.request("POST", path, [soon]).raise_for_status()
    wanted = {"deployment_id": {"any_": [found["id"]]}, "state": {"type": {"any_": ["COMPLETED"]}}}
    run = wait_for(lambda: prefect.find("flow_runs", flow_runs=wanted))[0]
    assert run["auto_scheduled"]
    assert run["state"]["message"] == "done: mnist"
    (row,) = prefect.table("fleet")
    assert row["state"] == "up to date"


@pytest.mark.pipeline
def test_a_stage_that_takes_too_long_is_ended(project, monkeypatch):
    before = hashes(project)
    project.set(train={"max_epochs": 100_000})
    for key, value in project.environment().items():
        monkeypatch.setenv(key, value)
    workspace = Workspace.open("mnist", project.root)
    inputs, step = (it for it in plan(workspace) if it.stage in ("inputs", "train"))
    lines = []
    with (
        taking_turns(workspace) as turn,
        Runner(workspace, turn) as runner,
    ):
        runner.run(inputs, lines.append)
        with pytest.raises(PenstockError, match=r"^train mnist: not done within 8 s.*timeouts\.tr"):
            runner.run(step, lines.append, timeout=8)
    assert project.gone()
    project.set(train={"max_epochs": 1})
    assert hashes(project) == before


@pytest.mark.pipeline
def test_two_runs_at_once_of_the_same_pipeline_take_turns(project):
    """One trains; the other waits and finds nothing to do."""
    project.set(train={"max_epochs": 2, "min_steps": 0})
    command = [sys.executable, "-m", "penstock", "run", "mnist"]
    both = [
        subprocess.Popen(
            command,
            cwd=project.root,
            env={**project.environment(), **project.warm},
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    worked, waited = sorted(said, key=lambda text: text.count("up to date"))
    assert worked.count("> penstock") == 4
    assert "waiting for another run to end" in waited
    assert waited.count("up to date") == 7
    assert "> penstock" not in waited
    assert len(runs_of(project)) == 2


@pytest.fixture
def mlflow_server(tmp_path):
    """Start and stop an MLflow server that keeps its store, on the same port each time."""
    port, started = free_port(), []
    address = f"http://127.0.0.1:{port}"
    store = ["--backend-store-uri", f"sqlite:///{tmp_path}/server.db"]
    store += ["--artifacts-destination", str(tmp_path / "server-artifacts")]

    def start():
        command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", str(port)]
        env = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
        with (tmp_path / "mlflow.log").open("a") as log:
            started.append(
                subprocess.Popen(
                    [*command, *store], env=env, stdout=log, stderr=log, start_new_session=True
                )
            )
        wait_for(lambda: answers(f"{address}/health"))
        return address

    def stop():
        os.killpg(started[-1].pid, signal.SIGKILL)
        started[-1].wait()

    yield start, stop
    stop()


@pytest.mark.pipeline
def test_a_training_survives_its_tracking_server(project, mlflow_server):
    start, stop = mlflow_server
    address = start()
    env = {"MLFLOW_TRACKING_URI": address, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
    project.set(train={"max_epochs": 60})
    training = subprocess.Popen(
        [sys.executable, "-m", "penstock", "run", "mnist"],
        cwd=project.root,
        env={**project.environment(), **project.warm, **env, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said = ""
    for line in training.stdout:
        said += line
        if "epoch" in line:
            stop()
            break
    said += training.stdout.read()
    assert training.wait() == 75, "what register decides is in the store, which may come back"
    assert "tracking lost" in said
    assert "train mnist: 60 epochs" in said
    assert "evaluate mnist: test/accuracy" in said
    assert "the registry cannot be used" in said
    start()
    said = project.run("penstock", "run", "mnist", **env).stdout
    assert said.count("> penstock") == 1, "only register is left to do"
    client = MlflowClient(address, address)
    experiment = client.get_experiment_by_name("mnist").experiment_id
    runs = client.search_runs([experiment])
    assert "RUNNING" not in [run.info.status for run in runs]
    (whole,) = [run for run in runs if "test/accuracy" in run.data.metrics]
    assert whole.data.metrics["test/accuracy"] == read(project, "metrics.json")["test/accuracy"]
    assert len(client.get_metric_history(whole.info.run_id, "train/loss")) == 60
    assert whole.data.params["train.max_epochs"] == "60"
    assert client.get_model_version_by_alias("mnist", "champion").run_id == whole.info.run_id
