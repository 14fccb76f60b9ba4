"""What a flow costs over plain `dvc repro`, with a Prefect server running; whether it is punctual.

Nothing to do: everything is up to date. Everything to do: from raw files, with an empty cache and
trainings of an epoch, which leaves the parts that a flow adds to. A flow runs pipelines side by
side; `one after another` is the same with one at a time.

    python benchmarks/scheduling.py nothing --rounds 5
    python benchmarks/scheduling.py everything --rounds 1     # ten minutes a round, in a slow hour
    python benchmarks/scheduling.py minutes --rounds 3        # a deployment that is due each minute
"""

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import requests
from ruamel.yaml import YAML

from hardware import describe_hardware

ROOT = Path(__file__).parent.parent
QUICK = {"max_epochs": 1, "min_steps": 1}

FLOWS = """
import sys
sys.path.insert(0, "flows")
from fleet import fleet
from on_new_data import on_new_data
if sys.argv[1] == "on_new_data":
    state = on_new_data(return_state=True)
else:
    state = fleet(at_once=int(sys.argv[1]), return_state=True)
sys.exit(not state.is_completed())
"""
WAYS = {
    "dvc repro": ["-m", "dvc", "repro"],
    "fleet": ["-c", FLOWS, "4"],
    "fleet, one after another": ["-c", FLOWS, "1"],
}


def main() -> None:
    """Print seconds and what a pipeline costs more than by `dvc repro`, medians of pairs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("todo", choices=["nothing", "everything", "minutes"])
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    rounds = options.rounds
    print(describe_hardware())
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary) / "project"
        count = make_project(root)
        if options.todo == "minutes":
            watch_minutes(root, rounds)
            return
        with prefect_server(Path(temporary)) as env:
            if options.todo == "everything":
                measure("everything to do", root, env, rounds, count, fresh=True)
                return
            run(root, env, WAYS["dvc repro"])
            measure("nothing to do", root, env, rounds, count, fresh=False)
            seconds = [run(root, env, ["-c", FLOWS, "on_new_data"]) for _ in range(rounds)]
            print(f"nothing to do, on_new_data: {statistics.median(seconds):.1f} s in all")


def measure(
    what: str, root: Path, env: dict[str, str], rounds: int, count: int, *, fresh: bool
) -> None:
    """Run each way in turn, and compare within a round."""
    rows: dict[str, list[float]] = {way: [] for way in WAYS}
    for number in range(rounds):
        for way in list(WAYS)[:: -1 if number % 2 else 1]:
            if fresh:
                forget(root)
            rows[way].append(run(root, env, WAYS[way]))
    for way, seconds in rows.items():
        more = [(it - plain) / count for it, plain in zip(seconds, rows["dvc repro"], strict=True)]
        print(
            f"{what}, {way}: {statistics.median(seconds):.1f} s; {statistics.median(more):+.2f} "
            f"({min(more):+.2f} to {max(more):+.2f}) s for each of {count} pipelines",
            flush=True,
        )


def run(root: Path, env: dict[str, str], command: list[str]) -> float:
    """Seconds of a command, from starting its process to its end."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *command], cwd=root, env=env, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.stdout[-2000:] + done.stderr[-2000:])
    return time.perf_counter() - started


def make_project(root: Path) -> int:
    """Copy the project, with trainings of an epoch; answer how many pipelines it has."""
    root.mkdir()
    for name in ("dvc.yaml", "prefect.yaml", "constraints.txt", ".dvcignore"):
        shutil.copy(ROOT / name, root)
    for name in ("src", "flows", "data"):
        shutil.copytree(ROOT / name, root / name, ignore=only_what_git_has)
    (root / ".dvc").mkdir()
    shutil.copy(ROOT / ".dvc" / "config", root / ".dvc")
    yaml = YAML()
    params = yaml.load(ROOT / "params.yaml")
    for section in params["pipelines"].values():
        section["train"].update(QUICK)
        section["register"]["limits"] = {}
    params["pipelines"]["ratings"]["train"]["max_epochs"] = 8  # `bpmf` draws from the last of them
    yaml.dump(params, root / "params.yaml")
    (root / "mlruns").mkdir()
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    return len(params["pipelines"])


def only_what_git_has(folder: str, names: list[str]) -> list[str]:
    """Leave out caches, samples and outputs."""
    if Path(folder).name == "data":
        kept = ("dvc.yaml", "downloads.yaml", ".gitignore", "feedback")
        return [name for name in names if name not in kept]
    return [name for name in names if name == "__pycache__"]


def forget(root: Path) -> None:
    """Remove all results, DVC's cache and the registry, so that every stage has all to do."""
    results = [it for it in root.glob("data/*/") if it.name != "feedback"]
    for path in (*results, *root.glob("mlruns/*/"), root / ".dvc" / "cache", root / ".dvc" / "tmp"):
        shutil.rmtree(path, ignore_errors=True)
    for path in root.glob("mlruns/mlflow.*"):
        path.unlink()
    for name in ("dvc.lock", "data/dvc.lock"):
        (root / name).unlink(missing_ok=True)


def watch_minutes(root: Path, periods: int) -> None:
    """Let `on_new_data` be due each minute, for mnist; print how late it is, and what UIs show."""
    yaml = YAML()
    params = yaml.load(root / "params.yaml")
    params["pipelines"] = {"mnist": params["pipelines"]["mnist"]}
    yaml.dump(params, root / "params.yaml")
    file = root / "prefect.yaml"
    file.write_text(file.read_text().replace("*/10 * * * *", "* * * * *"))
    prefect, mlflow = free_port(), free_port()
    penstock(root, "up", "--prefect-port", str(prefect), "--mlflow-port", str(mlflow))
    runs: list[dict[str, Any]] = []
    try:
        while len(runs) < periods:
            time.sleep(1)
            runs = scheduled_runs(f"http://127.0.0.1:{prefect}/api")
        address = f"http://127.0.0.1:{mlflow}/api/2.0/mlflow/runs/search"
        body = {"experiment_ids": [str(number) for number in range(1, 9)]}
        logged = requests.post(address, json=body, timeout=30).json().get("runs", [])
    finally:
        penstock(root, "down")
    for run in runs[:periods]:
        due, began = (
            datetime.fromisoformat(run[it]) for it in ("expected_start_time", "start_time")
        )
        late, message = (began - due).total_seconds(), run["state"]["message"]
        print(f"due {due:%H:%M:%S}, began {late:.1f} s later: {run['state']['name']}, {message}")
    print(f"MLflow's server shows {len(logged)} runs")
    left = [it for it in psutil.process_iter() if works_in(it, root)]
    print(f"after `penstock down`: {len(left)} processes left")


def scheduled_runs(api: str) -> list[dict[str, Any]]:
    """What the schedule has started and what has ended since, oldest first."""
    question = {
        "flow_runs": {
            "state": {"type": {"any_": ["COMPLETED", "FAILED", "CRASHED"]}},
            "parent_task_run_id": {"is_null_": True},
        },
        "sort": "START_TIME_ASC",
    }
    found: list[dict[str, Any]] = requests.post(
        f"{api}/flow_runs/filter", json=question, timeout=30
    ).json()
    return found


def works_in(process: psutil.Process, root: Path) -> bool:
    """Whether a process was started for a project."""
    try:
        return process.environ().get("PENSTOCK_ROOT") == str(root)
    except psutil.Error:
        return False


def penstock(root: Path, *command: str) -> None:
    """Run `penstock ...` with the copy's code."""
    env = {**os.environ, "PYTHONPATH": str(root / "src")}
    subprocess.run([sys.executable, "-m", "penstock", *command], cwd=root, env=env, check=True)


@contextmanager
def prefect_server(folder: Path) -> Iterator[dict[str, str]]:
    """Start a Prefect server on a free port; yield the environment for its clients."""
    port = free_port()
    env = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(folder / "project" / "src"),
        "PREFECT_HOME": str(folder / "prefect"),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    command = [sys.executable, "-m", "prefect", "server", "start", "--port", str(port)]
    server = subprocess.Popen(
        command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while not answers(f"{env['PREFECT_API_URL']}/health"):
            if server.poll() is not None:
                sys.exit(f"the Prefect server ended with {server.returncode}")
            time.sleep(0.3)
        yield env
    finally:
        server.terminate()
        server.wait()


def free_port() -> int:
    """A port that nobody has."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def answers(address: str) -> bool:
    """Whether a server answers."""
    try:
        return requests.get(address, timeout=2).ok
    except requests.RequestException:
        return False


if __name__ == "__main__":
    main()
