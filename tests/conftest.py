"""Projects to test on: copies of this one, so that no test touches the repository's data."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parent.parent
REAL = ROOT.parent / "shared" / "data"
BIN = Path(sys.executable).parent

# Small enough for seconds, whole enough to pass every stage.
QUICK = {
    "model": {"channels": [8], "dense": 16},
    "train": {"max_epochs": 1, "min_steps": 40, "max_shift": 0},
    "evaluate": {"max_shift": 1, "gallery": 10},
    "register": {"minimum": {"test/accuracy": 0.5}, "tolerance": 0.05, "resamples": 200},
}


class Project:
    """A copy of the project in a folder of its own, driven as a user would."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @classmethod
    def create(cls, root: Path) -> "Project":
        root.mkdir(parents=True)
        for name in ("params.yaml", "dvc.yaml", "constraints.txt"):
            shutil.copy(ROOT / name, root)
        for name in ("dvc.yaml", "downloads.yaml", ".gitignore"):
            (root / "data").mkdir(exist_ok=True)
            shutil.copy(ROOT / "data" / name, root / "data")
        shutil.copytree(ROOT / "src", root / "src", ignore=shutil.ignore_patterns("__pycache__"))
        (root / ".dvc").mkdir()
        shutil.copy(ROOT / ".dvc" / "config", root / ".dvc")
        shutil.copy(ROOT / ".dvcignore", root)
        (root / "mlruns").mkdir()
        (root / ".gitignore").write_text("__pycache__/\nmlruns/\n")
        git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
        for command in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "start"]):
            subprocess.run([*git, *command], cwd=root, check=True)
        return cls(root)

    def copy(self, root: Path) -> "Project":
        shutil.copytree(self.root, root, symlinks=True)
        return Project(root)

    def set(self, name: str = "mnist", **sections: object) -> None:
        """Change settings in params.yaml: section={...} or source="..."."""
        yaml = YAML()
        file = self.root / "params.yaml"
        content = yaml.load(file)
        for section, value in sections.items():
            if isinstance(value, dict):
                content["pipelines"][name][section].update(value)
            else:
                content["pipelines"][name][section] = value
        yaml.dump(content, file)

    def run(self, *command: str, check: bool = True, **env: str) -> subprocess.CompletedProcess:
        """Run `penstock ...` or `dvc ...` with this copy's code."""
        program = {
            "penstock": [sys.executable, "-m", "penstock"],
            "dvc": [sys.executable, "-m", "dvc"],
        }
        done = subprocess.run(
            [*program[command[0]], *command[1:]],
            cwd=self.root,
            env={**self.environment(), **env},
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            pytest.fail(f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"}
        path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
        return {**kept, "PATH": path, "PYTHONPATH": str(self.root / "src")}


@pytest.fixture(scope="session")
def fresh_project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project nothing has run in; copy it before changing it."""
    project = Project.create(tmp_path_factory.mktemp("fresh") / "project")
    project.set(**QUICK)
    return project


@pytest.fixture(scope="session")
def finished_project(tmp_path_factory: pytest.TempPathFactory, fresh_project: Project) -> Project:
    """A project whose five stages have run through DVC; copy it before changing it."""
    project = fresh_project.copy(tmp_path_factory.mktemp("finished") / "project")
    project.run("dvc", "repro", "register@mnist")
    return project


@pytest.fixture
def project(tmp_path: Path, finished_project: Project) -> Project:
    """A copy of the finished project, to change as a test likes."""
    return finished_project.copy(tmp_path / "project")


@pytest.fixture
def fresh(tmp_path: Path, fresh_project: Project) -> Project:
    """A copy of the fresh project."""
    return fresh_project.copy(tmp_path / "project")


@pytest.fixture(scope="session")
def real_mnist() -> Path:
    folder = REAL / "mnist"
    if not folder.is_dir():
        pytest.skip(f"real data: {folder} is not here")
    return folder
