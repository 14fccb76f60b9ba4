"""The Prefect flow: the same stages, the same bits, and a schedule that fires."""

import ast
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from projects import hashes, runs_of
from servers import answers, free_port, within

ROOT = Path(__file__).parent.parent


def test_flows_know_only_prefect_and_penstock():
    """The other wall, that penstock does not know Prefect, is import-linter's."""
    files = [*(ROOT / "flows").glob("*.py")]
    allowed = sys.stdlib_module_names | {"prefect", "penstock", "pydantic"}
    allowed |= {file.stem for file in files}
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                top = name.split(".")[0]
                assert top in allowed, f"{file}: {name}"


@pytest.fixture(scope="module")
def prefect_home(tmp_path_factory):
    return {"PREFECT_HOME": str(tmp_path_factory.mktemp("prefect"))}


@pytest.mark.pipeline
def test_the_flow_gives_the_same_bits_as_dvc_repro(fresh, finished_project, prefect_home):
    done = fresh.run("penstock", "flow", "mnist", **prefect_home)
    assert hashes(fresh) == hashes(finished_project)
    for name in ("metrics.json", "receipt.json"):
        ours, theirs = (it.root / "data" / "mnist" / name for it in (fresh, finished_project))
        assert ours.read_bytes() == theirs.read_bytes()
    assert "Task run 'train mnist' -   epoch 1/" in done.stderr, "stage output is in the task's log"
    assert "Task run 'register mnist' - register mnist: ran" in done.stderr
    (run,) = runs_of(fresh)
    assert len(run.data.tags["prefect.flow_run_id"]) == 36
    assert "Running stage" not in fresh.run("dvc", "repro").stdout


@pytest.fixture
def server(tmp_path):
    """A Prefect server with its scheduler, on a free port."""
    port = free_port()
    api = f"http://127.0.0.1:{port}/api"
    env = {
        **os.environ,
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_API_URL": api,
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }
    command = [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)]
    with (tmp_path / "server.log").open("w") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log, start_new_session=True)
    try:
        within(90, lambda: answers(f"{api}/health"))
        yield env
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


SERVE = """
import sys
sys.path.insert(0, "flows")
from pipeline import pipeline
if __name__ == "__main__":
    pipeline.serve(name="often", interval=5, parameters={"name": "mnist"})
"""


@pytest.mark.pipeline
def test_a_served_flow_fires_and_leaves_its_table(project, server, tmp_path):
    """With some versions of Prefect's libraries the scheduler fails without a word."""
    script = tmp_path / "often.py"
    script.write_text(SERVE)
    env = {**project.environment(), **{k: v for k, v in server.items() if k.startswith("PREFECT")}}
    with (tmp_path / "serve.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, str(script)],
            cwd=project.root,
            env=env,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    api = server["PREFECT_API_URL"]

    def finished():
        wanted = {"flow_runs": {"state": {"type": {"any_": ["COMPLETED"]}}}}
        runs = requests.post(f"{api}/flow_runs/filter", json=wanted, timeout=30).json()
        return runs if len(runs) >= 2 else None

    try:
        runs = within(240, finished)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert all(run["auto_scheduled"] for run in runs)
    # By its run: the one that was on its way when all ended may have left its table too.
    wanted = {"artifacts": {"flow_run_id": {"any_": [runs[0]["id"]]}}}
    found = requests.post(f"{api}/artifacts/filter", json=wanted, timeout=30).json()
    tables = {table["key"]: json.loads(table["data"]) for table in found}
    rows = {row["stage"]: row for row in tables["mnist-stages"]}
    assert list(rows) == ["sample", "ingest", "validate", "train", "evaluate", "register"]
    assert all(row["state"] == "up to date" for row in rows.values())
    assert "mnist-metrics" not in tables, "nothing came out of it"
