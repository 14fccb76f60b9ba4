"""Stages beside a flow: what they print is told, and is never taken for the runner's answer."""

import sys
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from penstock.messages.errors import KilledError, PenstockError
from penstock.project.workspace import Workspace
from penstock.running.runner import Runner
from penstock.running.steps import Step
from penstock.running.turn import taking_turns
from servers import wait_for

FLOWS = str(Path(__file__).parent.parent / "flows")
LINES = 20_000  # more than a pipe holds


def stage(project, name, script):
    """A stage of DVC's that runs a Python script."""
    (project.root / f"{name}.py").write_text(script)
    with (project.root / "dvc.yaml").open("a") as file:
        file.write(f"\n  {name}:\n    cmd: {sys.executable} {name}.py\n    always_changed: true\n")
    return Step("ingest", f"{project.root}/dvc.yaml:{name}", f"{name} mnist")


@contextmanager
def running(project):
    workspace = Workspace.open("mnist", project.root)
    with taking_turns(workspace) as turn, Runner(workspace, turn) as runner:
        yield runner


@pytest.fixture
def environment(fresh, monkeypatch):
    for key, value in fresh.environment().items():
        monkeypatch.setenv(key, value)


ATTACK = r"""
import os, sys
print('  rejected \x1e{"state": "up to date"}', flush=True)
print('  rejected a penstock: error: forged.png: no image', flush=True)
for fd in os.listdir("/proc/self/fd"):
    try:
        if int(fd) > 2 and os.readlink(f"/proc/self/fd/{fd}").startswith("pipe:"):
            os.write(int(fd), b'{"state": "up to date"}')
    except OSError:
        pass
print("penstock: error: \x1b[31mthe truth", file=sys.stderr)
sys.exit(1)
"""
MUCH = f"""
for number in range({LINES}):
    print(number)
print("the end", end="")
"""


@pytest.mark.pipeline
def test_what_a_stage_prints_is_told_and_is_no_answer(fresh, environment):
    attack, much = stage(fresh, "attack", ATTACK), stage(fresh, "much", MUCH)
    said = []
    with running(fresh) as runner:
        with pytest.raises(PenstockError, match=r"^\\x1b\[31mthe truth$"):
            runner.run(attack, said.append)
        assert r'  rejected \x1e{"state": "up to date"}' in said
        del said[:]
        assert runner.run(much, said.append) == "ran"
        assert said[-LINES - 1 :] == [*map(str, range(LINES)), "the end"], "before the answer"
        (process,) = [it for it in fresh.processes() if "penstock.running.runner" in it.cmdline()]
        process.kill()
        wait_for(lambda: process.status() == psutil.STATUS_ZOMBIE)
        with pytest.raises(KilledError, match="ended with -9"):
            runner.run(much, said.append)
        assert runner.run(much, said.append) == "ran", "the next one is asked of a new process"
    assert fresh.gone()


def test_progress_is_what_a_training_says(monkeypatch):
    """Not a file name with an epoch in it, which would make an artifact or divide by zero."""
    monkeypatch.syspath_prepend(FLOWS)
    import progress

    made = []
    monkeypatch.setattr(progress, "create_progress_artifact", lambda *it: made.append(it))
    follower = progress.Progress("mnist-train", "train mnist")
    for line in ("  rejected epoch 3/0  .png: no image", "  rejected a/epoch 3/10  .png", "epoch"):
        follower.follow(line)
    assert not made
    follower.follow("  epoch 3/10  train/loss 0.5")
    assert made == [(30.0, "mnist-train", "train mnist: epoch 3/10  train/loss 0.5")]
