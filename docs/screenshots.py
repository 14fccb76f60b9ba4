"""Makes docs/prefect.png, docs/mlflow.png, docs/playground.png and docs/pages.png.

A run's page in Prefect, runs compared in MLflow, a digit that is recognised, the pages of all
models.

    python docs/screenshots.py      # some ten minutes; needs Chromium

In a copy of the project, served by `penstock up`: every pipeline runs once, as the nightly
deployment, and mnist a second time with other settings.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from mlflow import MlflowClient
from PIL import Image

from penstock.project.login import PREFECT, read_login
from penstock.supervision.prefect_api import PrefectApi

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from browser import CHROMIUM, Browser
from servers import free_port
from test_playground import SHOWN

ROOT = Path(__file__).parent.parent
LOADING = 15  # seconds
WINDOW, PAGE = (1400, 1000), (960, 760)  # pixels of a page of Prefect's and MLflow's, and of ours
COLUMNS = 3  # of pages side by side
CLICKS = {"go": 8}  # how often the main button is pressed, if not once
COPIED = (
    "params.yaml",
    "dvc.yaml",
    "prefect.yaml",
    "constraints.txt",
    ".dvcignore",
)


def main() -> None:
    """Run the pipelines, then take the pictures."""
    if not CHROMIUM:
        sys.exit("needs Chromium: `apt-get install chromium`, say")
    # A browser that is ended may write for a moment more.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as temporary:
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
            with closing(Browser(Path(temporary))) as browser:
                browser.resize(*WINDOW)
                log_in(browser, prefect, mlflow, login)
                take(browser, f"http://127.0.0.1:{prefect}/runs/flow-run/{run}", "prefect.png")
                take(browser, f"http://127.0.0.1:{mlflow}/{comparison(root)}", "mlflow.png")
                draw_pages(browser, f"http://127.0.0.1:{playground}")
        finally:
            penstock(root, "down")


def copy_project(root: Path) -> None:
    """Copy what a project needs."""
    root.mkdir()
    for name in COPIED:
        shutil.copy(ROOT / name, root)
    for name in ("src", "flows"):
        shutil.copytree(ROOT / name, root / name)
    for file in (".dvc/config", "data/dvc.yaml", "data/downloads.yaml", "data/feedback/README.md"):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, root / file)
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


def log_in(browser: Browser, prefect: int, mlflow: int, login: str) -> None:
    """Log in to both servers, as a person would by typing."""
    browser.open(f"http://{login}@127.0.0.1:{mlflow}/")
    browser.open(f"http://127.0.0.1:{prefect}/")
    browser.run(f"localStorage.setItem('prefect-password', btoa({json.dumps(login)}))")


def take(browser: Browser, address: str, name: str) -> None:
    """Draw a page, once it has had the time to ask its server for all it shows."""
    browser.open(address)
    time.sleep(LOADING)
    keep(browser, name)


def keep(browser: Browser, name: str) -> None:
    """Write what the window shows to docs/."""
    browser.screenshot(ROOT / "docs" / name)
    print(ROOT / "docs" / name)


def draw_pages(browser: Browser, server: str) -> None:
    """A digit that is recognised; and the pages of all models, side by side."""
    pictures = []
    browser.resize(*PAGE)
    with tempfile.TemporaryDirectory() as folder:
        for name, shown in SHOWN.items():
            browser.open(f"{server}/play/{name}")
            browser.wait("document.body.dataset.ready")
            for _ in range(CLICKS.get(name, 1)):
                browser.run("document.getElementById('example').click()")
                browser.wait(f"document.querySelector('{shown}')")
                time.sleep(2)
            file = Path(folder) / f"{name}.png"
            browser.screenshot(file)
            pictures.append(Image.open(file).convert("RGB"))
            if name == "mnist":
                keep(browser, "playground.png")
    width, height = PAGE[0] * 5 // 8, PAGE[1] * 5 // 8
    sheet = Image.new("RGB", (COLUMNS * width, -(-len(pictures) // COLUMNS) * height), "white")
    for at, picture in enumerate(pictures):
        small = picture.resize((width, height), Image.Resampling.LANCZOS)
        sheet.paste(small, (at % COLUMNS * width, at // COLUMNS * height))
    sheet.quantize(256).save(ROOT / "docs" / "pages.png", optimize=True)
    print(ROOT / "docs" / "pages.png")


if __name__ == "__main__":
    main()
