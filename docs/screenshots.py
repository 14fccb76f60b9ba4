"""Makes docs/prefect.png, docs/mlflow.png and docs/playground.png.

A run's page in Prefect, runs compared in MLflow, a digit that is recognised.

    python docs/screenshots.py      # some four minutes; needs Chromium and ChromeDriver

In a copy of the project, served by `penstock up`: every pipeline runs once, as the nightly
deployment, and mnist a second time with other settings.
"""

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import closing, suppress
from pathlib import Path

import requests
from mlflow import MlflowClient

from penstock.project.login import PREFECT, read_login
from penstock.supervision.prefect_api import PrefectApi

LOADING = 15  # seconds
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
    if not shutil.which("chromedriver"):
        sys.exit("needs Chromium and its driver: `apt-get install chromium-driver`, say")
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary) / "project"
        copy_project(root)
        prefect, mlflow, playground = free_port(), free_port(), free_port()
        ports = {"prefect": prefect, "mlflow": mlflow, "serve": playground}
        options = (part for it, at in ports.items() for part in (f"--{it}-port", str(at)))
        penstock(root, "up", *options)
        try:
            login = read_login(root)[PREFECT]
            api = PrefectApi.of(root, f"http://127.0.0.1:{prefect}/api")
            run = run_deployment(api, "fleet/nightly")
            penstock(root, "run", "mnist", "-S", "train.min_steps=120")
            with Browser() as browser:
                browser.log_in(prefect, mlflow, login)
                page = f"http://127.0.0.1:{prefect}/runs/flow-run/{run}"
                browser.picture(page, "prefect.png")
                page = f"http://127.0.0.1:{mlflow}/{comparison(root)}"
                browser.picture(page, "mlflow.png")
                page = f"http://127.0.0.1:{playground}/play/mnist"
                browser.picture(page, "playground.png", click="example")
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


def run_deployment(api: PrefectApi, name: str) -> str:
    """Run a deployment to its end; answer the run's id."""
    deployment = api.ask("GET", f"deployments/name/{name}")
    body = {"state": {"type": "SCHEDULED"}, "name": "night shift"}
    run: str = api.ask("POST", f"deployments/{deployment['id']}/create_flow_run", body)["id"]
    while True:
        state = api.ask("GET", f"flow_runs/{run}")["state"]["type"]
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


class Browser:
    """Chromium without a window, driven as the WebDriver standard has it (w3.org/TR/webdriver2)."""

    def __enter__(self) -> "Browser":
        """Start it."""
        port = free_port()
        command = ["chromedriver", f"--port={port}", "--silent"]
        self._driver = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        address = f"http://127.0.0.1:{port}/session"
        arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        arguments += ["--no-first-run", "--disable-background-networking", "--disable-sync"]
        arguments += ["--disable-component-update", "--window-size=1400,1000"]
        wanted = {"alwaysMatch": {"goog:chromeOptions": {"args": arguments}}}
        started = None
        while started is None:
            with suppress(requests.ConnectionError):
                started = requests.post(address, json={"capabilities": wanted}, timeout=60)
            time.sleep(0.2)
        self._session = f"{address}/{started.json()['value']['sessionId']}"
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        requests.delete(self._session, timeout=60)
        self._driver.terminate()
        self._driver.wait()

    def log_in(self, prefect: int, mlflow: int, login: str) -> None:
        """Log in to both servers, as a person would by typing."""
        self._ask("url", url=f"http://{login}@127.0.0.1:{mlflow}/")
        self._ask("url", url=f"http://127.0.0.1:{prefect}/")
        script = "localStorage.setItem('prefect-password', btoa(arguments[0]))"
        self._ask("execute/sync", script=script, args=[login])

    def picture(self, address: str, name: str, click: str = "") -> None:
        """Draw a page, once it has had the time to ask its server for all it shows."""
        self._ask("url", url=address)
        time.sleep(LOADING)
        if click:
            script = "document.getElementById(arguments[0]).click()"
            self._ask("execute/sync", script=script, args=[click])
            time.sleep(LOADING)
        content = requests.get(f"{self._session}/screenshot", timeout=60).json()["value"]
        file = ROOT / "docs" / name
        file.write_bytes(base64.b64decode(content))
        print(file)

    def _ask(self, what: str, **body: object) -> None:
        requests.post(f"{self._session}/{what}", json=body, timeout=60).raise_for_status()


def free_port() -> int:
    """A port that nobody has."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
