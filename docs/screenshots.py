"""Makes docs/prefect.png and docs/mlflow.png: a run's page in Prefect, runs compared in MLflow.

    python docs/screenshots.py      # some four minutes; needs Chromium

In a copy of the project, served by `penstock up`: every pipeline runs once, as the nightly
deployment, and mnist a second time with other settings.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import requests
from mlflow import MlflowClient

ROOT = Path(__file__).parent.parent
COPIED = (
    "params.yaml",
    "dvc.yaml",
    "prefect.yaml",
    "constraints.txt",
    ".dvcignore",
)


def main() -> None:
    """Run the pipelines, then take the pictures."""
    browser = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    if browser is None:
        sys.exit("needs Chromium: `apt-get install chromium`, say")
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary) / "project"
        copy_project(root)
        prefect, mlflow = free_port(), free_port()
        penstock(root, "up", "--prefect-port", str(prefect), "--mlflow-port", str(mlflow))
        try:
            run = run_deployment(f"http://127.0.0.1:{prefect}/api", "fleet/nightly")
            penstock(root, "run", "mnist", "-S", "train.min_steps=120")
            picture(browser, f"http://127.0.0.1:{prefect}/runs/flow-run/{run}", "prefect.png")
            picture(browser, f"http://127.0.0.1:{mlflow}/{comparison(root)}", "mlflow.png")
        finally:
            penstock(root, "down")


def copy_project(root: Path) -> None:
    """Copy what a project needs."""
    root.mkdir()
    for name in COPIED:
        shutil.copy(ROOT / name, root)
    for name in ("src", "flows"):
        shutil.copytree(ROOT / name, root / name)
    for folder, names in ((".dvc", ["config"]), ("data", ["dvc.yaml", "downloads.yaml"])):
        (root / folder).mkdir()
        for name in names:
            shutil.copy(ROOT / folder / name, root / folder)
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)


def penstock(root: Path, *command: str) -> None:
    """Run `penstock ...` with the copy's code."""
    env = {**os.environ, "PYTHONPATH": str(root / "src")}
    subprocess.run([sys.executable, "-m", "penstock", *command], cwd=root, env=env, check=True)


def run_deployment(api: str, name: str) -> str:
    """Run a deployment to its end; answer the run's id."""
    deployment = requests.get(f"{api}/deployments/name/{name}", timeout=30).json()
    body = {"state": {"type": "SCHEDULED"}, "name": "night shift"}
    path = f"{api}/deployments/{deployment['id']}/create_flow_run"
    run: str = requests.post(path, json=body, timeout=30).json()["id"]
    while True:
        state = requests.get(f"{api}/flow_runs/{run}", timeout=30).json()["state"]["type"]
        if state in ("COMPLETED", "FAILED", "CRASHED", "CANCELLED"):
            print(f"{name}: {state.lower()}")
            return run
        time.sleep(1)


def comparison(root: Path) -> str:
    """The path of MLflow's page that compares the runs of mnist."""
    uri = f"sqlite:///{root}/mlruns/mlflow.db"
    client = MlflowClient(uri, uri)
    experiment = client.get_experiment_by_name("mnist")
    runs = [run.info.run_id for run in client.search_runs([experiment.experiment_id])]
    experiments = json.dumps([experiment.experiment_id])
    return f"#/compare-runs?runs={json.dumps(runs)}&experiments={experiments}".replace(" ", "")


def picture(browser: str, address: str, name: str) -> None:
    """Have a browser without a window draw a page."""
    with tempfile.TemporaryDirectory() as profile:
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        options += ["--no-first-run", "--disable-background-networking", "--disable-sync"]
        options += ["--disable-component-update", f"--user-data-dir={profile}"]
        options += ["--window-size=1400,1000", "--virtual-time-budget=20000"]
        file = ROOT / "docs" / name
        subprocess.run(
            [browser, *options, f"--screenshot={file}", address],
            check=True,
            capture_output=True,
            timeout=180,
        )
        print(file)


def free_port() -> int:
    """A port that nobody has."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
