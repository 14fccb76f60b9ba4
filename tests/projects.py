"""Projects to test on: copies of this one, so that no test touches the repository's data."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest
from filelock import FileLock
from mlflow import MlflowClient
from ruamel.yaml import YAML

from penstock.project import warm
from penstock.tracking.lineage import dvc_hash

ROOT = Path(__file__).parent.parent
REAL = ROOT.parent / "shared" / "data"
BIN = Path(sys.executable).parent
OUTS = ("dataset", "validation", "model", "evaluation")

# Small enough for seconds, whole enough to pass every stage.
QUICK = {
    "model": {"channels": [8], "dense": 16},
    "train": {"max_epochs": 1, "min_steps": 40, "max_shift": 0},
    "evaluate": {"max_shift": 1, "gallery": 10},
    "register": {"limits": {"test/accuracy": [0.5, None]}, "tolerance": 0.05},
}


class Project:
    """A copy of the project in a folder of its own, driven as a user would."""

    warm: dict[str, str] = {}  # what names the server of a warm start to commands that are run

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def create(cls, root: Path) -> "Project":
        root.mkdir(parents=True)
        for name in ("params.yaml", "dvc.yaml", "prefect.yaml", "constraints.txt"):
            shutil.copy(ROOT / name, root)
        (root / "data" / "feedback").mkdir(parents=True)
        for name in ("dvc.yaml", "downloads.yaml", ".gitignore", "feedback/README.md"):
            shutil.copy(ROOT / "data" / name, root / "data" / name)
        for name in ("src", "flows"):
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        (root / ".dvc").mkdir()
        shutil.copy(ROOT / ".dvc" / "config", root / ".dvc")
        shutil.copy(ROOT / ".dvcignore", root)
        (root / "mlruns").mkdir()
        (root / ".gitignore").write_text("__pycache__/\nmlruns/\n.penstock/\n")
        params = (root / "params.yaml").read_text()  # two tests run at a time: a core for each
        (root / "params.yaml").write_text(params.replace("threads: 2", "threads: 1"))
        git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
        for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "start"]):
            subprocess.run([*git, *command], cwd=root, check=True)
        return cls(root)

    def copy(self, root: Path) -> "Project":
        shutil.copytree(self.root, root, symlinks=True)
        return Project(root)

    def keep(self, name: str) -> None:
        """Leave only one pipeline in params.yaml, so that `dvc repro` runs no other."""
        yaml = YAML()
        file = self.root / "params.yaml"
        content = yaml.load(file)
        content["pipelines"] = {name: content["pipelines"][name]}
        yaml.dump(content, file)

    def set(self, name: str = "mnist", **sections: object) -> None:
        """Change settings in params.yaml: section={...} or source="..."."""
        with self._section(name) as section:
            for key, value in sections.items():
                if isinstance(value, dict):
                    section[key].update(value)
                else:
                    section[key] = value

    def replace(self, key: str, value: dict, name: str = "mnist") -> None:
        """Put a whole section in the place of another: a model of another kind, say."""
        with self._section(name) as section:
            section[key] = value

    @contextmanager
    def _section(self, name: str) -> Iterator[dict]:
        yaml = YAML()
        file = self.root / "params.yaml"
        content = yaml.load(file)
        yield content["pipelines"][name]
        yaml.dump(content, file)

    def run(
        self, *command: str, check: bool = True, cold: bool = False, **env: str
    ) -> subprocess.CompletedProcess:
        """Run `penstock ...` or `dvc ...` with this copy's code, and wait for its end.

        Its processes are forked from the tests' server of a warm start unless it is to run `cold`:
        as a user starts it, or since it leaves processes behind.
        """
        program = {
            "penstock": [sys.executable, "-m", "penstock"],
            "dvc": [sys.executable, "-m", "dvc"],
        }
        done = subprocess.run(
            [*program[command[0]], *command[1:]],
            cwd=self.root,
            env={**self.environment(), **({} if cold else self.warm), **env},
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            pytest.fail(f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def python(self, script: str, given: str = "") -> str:
        """Run a script with this copy's code; answer what it prints."""
        done = subprocess.run(
            self.command_of(script),
            cwd=self.root,
            env={**self.environment(), **self.warm},
            input=given,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def command_of(self, script: str) -> list[str]:
        """What runs a script, forked from the server of a warm start that the environment names."""
        file = self.root.parent / f"{self.root.name}.py"
        file.write_text(script)
        return [sys.executable, "-P", warm.__file__, str(file)]

    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
        path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
        shell = {"SHELL": "/bin/sh"}  # Debian's keeps its place when it runs a single command
        return {**kept, **shell, "PATH": path, "PYTHONPATH": str(self.root / "src")}

    def start_training(self, *command: str) -> subprocess.Popen:
        """Start `penstock ...`, whose training takes for ever; answer when it trains."""
        self.set(train={"max_epochs": 50_000})
        before = self._points_on_record()
        process = subprocess.Popen(
            [sys.executable, "-m", "penstock", *command],
            cwd=self.root,
            env={**self.environment(), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "held in memory" in line:
                while self._points_on_record() == before and process.poll() is None:
                    time.sleep(0.05)
                return process
        pytest.fail("".join(lines))

    def _points_on_record(self) -> int:
        """How many points of curves the tracking store has."""
        file = self.root / "mlruns" / "mlflow.db"
        if not file.exists():
            return 0
        with closing(sqlite3.connect(file)) as store:
            (points,) = store.execute("select count(*) from metrics").fetchone()
        return points

    def processes(self) -> list[psutil.Process]:
        """Every process that works in the project, by its environment; if forked, by its folder."""
        found = []
        for process in psutil.process_iter():
            try:
                named = process.environ().get("PYTHONPATH") == str(self.root / "src")
                forked = _is_forked(process) and process.cwd() == str(self.root)
            except psutil.Error:
                continue
            if named or forked:
                found.append(process)
        return found

    def forked(self) -> list[psutil.Process]:
        """Every process of a stage that a server of a warm start has forked."""
        return [it for it in self.processes() if _is_forked(it)]

    def gone(self, seconds: float = 120) -> bool:
        """Whether all its processes end of themselves, on a busy machine too; no training does."""
        deadline = time.monotonic() + seconds
        while (left := self.processes()) and time.monotonic() < deadline:
            time.sleep(0.1)
        return not left


def _is_forked(process: psutil.Process) -> bool:
    """Whether a process is one that a server of a warm start has forked: it has the same name."""
    try:
        command = process.cmdline()
        serves = any(it.endswith("project/warm.py") for it in command)
        return serves and command == psutil.Process(process.ppid()).cmdline()
    except psutil.Error:
        return False


def finish_once(factory: pytest.TempPathFactory, name: str, **settings: object) -> Project:
    """A project whose pipeline has run through DVC; copy it before changing it.

    Made once for all workers of a test run: one makes it, the others wait. What a warm start gives
    is compared with that of mnist.
    """
    shared = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    root, whole = shared / f"finished-{name}", shared / f"finished-{name}.whole"
    with FileLock(f"{root}.lock"):
        if not whole.exists():
            shutil.rmtree(root, ignore_errors=True)
            project = Project.create(root)
            project.keep(name)
            project.set(name, **settings)
            project.run("dvc", "repro", f"register@{name}", cold=name == "mnist")
            whole.touch()
    return Project(root)


def client_of(project):
    uri = f"sqlite:///{project.root / 'mlruns' / 'mlflow.db'}"
    return MlflowClient(uri, uri)


def runs_of(project):
    client = client_of(project)
    experiment = client.get_experiment_by_name("mnist")
    return client.search_runs([experiment.experiment_id])


def read(project, name):
    return json.loads((project.root / "data" / "mnist" / name).read_text())


def hashes(project):
    folder = project.root / "data" / "mnist"
    return {out: dvc_hash(folder / out) for out in OUTS} | {
        "metrics": read(project, "metrics.json")
    }
