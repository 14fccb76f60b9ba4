"""Fixtures: a fresh project, a finished one, and copies of both to change."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

# Tests run two at a time: they must not spin on each other's cores. And the numbers they expect are
# those of a CPU, in fp32. Both are read by torch when it is loaded, which the next lines do.
os.environ |= {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}

import pytest
import torch

from penstock.project import warm
from projects import QUICK, REAL, Project, finish_once

# Started in the background, pytest ignores Ctrl-C, and so would every process it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start what is long first: at the end the other worker would wait for it."""
    items.sort(key=lambda it: it.get_closest_marker("long") is None)


@pytest.fixture(autouse=True)
def same_draws_every_time() -> None:
    """A test that draws at random must not fail one time in a hundred."""
    torch.manual_seed(0)


@pytest.fixture(scope="session", autouse=True)
def places_to_train(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Tests must not wait for whoever else trains on this machine."""
    os.environ["PENSTOCK_SLOTS"] = str(tmp_path_factory.mktemp("slots"))


@pytest.fixture(scope="session", autouse=True)
def warm_start(request: pytest.FixtureRequest) -> Iterator[None]:
    """A server that forks the processes of real stages; it ends with pytest, however that ends."""
    if not any(it.get_closest_marker("pipeline") for it in request.session.items):
        yield
        return
    with warm.serving(), pytest.MonkeyPatch.context() as patch:
        if warm.SOCKET in os.environ:
            patch.setattr(Project, "warm", {warm.SOCKET: os.environ[warm.SOCKET]})
            patch.delenv(warm.SOCKET)  # what is to be forked is told of it
        yield


@pytest.fixture(scope="session")
def fresh_project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project nothing has run in; copy it before changing it."""
    project = Project.create(tmp_path_factory.mktemp("fresh") / "project")
    project.keep("mnist")
    project.set(**QUICK)
    return project


@pytest.fixture(scope="session")
def finished_project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project whose five stages have run; copy it before changing it."""
    return finish_once(tmp_path_factory, "mnist", **QUICK)


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
