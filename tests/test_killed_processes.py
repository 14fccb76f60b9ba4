"""Killed at any moment, run again: nothing is lost, half-written, locked or left running.

`tests/chaos.py` does the same at random moments, and measures how long it takes to end; here
the moments are chosen.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress

import psutil
import pytest

from penstock.messages.errors import PenstockError
from penstock.project.processes import describe_process, is_gone, was_interrupted
from penstock.running.lockfiles import mend
from projects import hashes, read, runs_of


def the_unfinished_run(project):
    (run,) = [run for run in runs_of(project) if run.info.status != "FINISHED"]
    return run


def check_clean(project, before):
    folder = project.root / "data" / "mnist"
    assert hashes(project) == before
    assert list((folder / ".partial").glob("*")) == []
    assert not (folder / ".checkpoints").exists()
    ran = re.findall(r"Running stage '(\w+)@", project.run("dvc", "repro").stdout)
    assert set(ran) <= {"inputs"}, "settings have changed"


@pytest.mark.pipeline
@pytest.mark.parametrize("command", ["run", "flow"])
def test_ctrl_c_leaves_things_clean(project, command, tmp_path, monkeypatch):
    """Also if SIGTERM comes while a flow tidies up, which its parent sends before long."""
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    before = hashes(project) | {"receipt": read(project, "receipt.json")}
    process = project.start_training(command, "mnist")
    started = psutil.Process(process.pid).children()
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(1)
    for child in started if command == "flow" else []:
        with suppress(psutil.NoSuchProcess):
            child.terminate()
    output = process.stdout.read()
    assert was_interrupted(process.wait())
    assert "Traceback" not in output, output
    assert project.gone()
    run = the_unfinished_run(project)
    assert run.info.status == "KILLED", output
    assert "interrupted" in run.data.tags["penstock.reason"]
    assert hashes(project) | {"receipt": read(project, "receipt.json")} == before
    project.set(train={"max_epochs": 1})
    check_clean(project, hashes(project))


@pytest.mark.pipeline
@pytest.mark.parametrize("command", ["run", "flow"])
def test_a_killed_run_takes_its_stage_along_and_is_made_up_for(
    project, command, tmp_path, monkeypatch
):
    before = hashes(project)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    process = project.start_training(command, "mnist")
    process.kill()
    process.wait()
    assert project.gone(), project.processes()
    project.set(train={"max_epochs": 1})
    done = project.run("penstock", "run", "mnist")
    assert "> penstock train" not in done.stdout, "DVC has its outputs in the cache"
    assert the_unfinished_run(project).info.status == "KILLED"
    check_clean(project, before)


@pytest.mark.pipeline
def test_a_killed_stage_is_named_and_its_run_ended_at_the_next_start(project):
    before = hashes(project)
    process = project.start_training("run", "mnist")
    (stage,) = project.forked()
    stage.kill()
    output = process.stdout.read()
    assert process.wait() == 1
    assert "`penstock train mnist` was killed by SIGKILL; if nobody did, memory ran out" in output
    assert "its former outputs are back in place" in output
    assert hashes(project) == before
    assert the_unfinished_run(project).info.status == "RUNNING", "nobody could tell it"
    project.set(train={"max_epochs": 1})
    project.run("penstock", "run", "mnist")
    run = the_unfinished_run(project)
    assert run.info.status == "KILLED"
    assert f" {stage.pid} " in run.data.tags["penstock.reason"]
    check_clean(project, before)


@pytest.mark.parametrize("first", ["SIGTERM", "SIGINT"])
def test_who_tidies_up_is_not_interrupted_again(first):
    """Not even after Lightning has put back the handler that it found."""
    script = """
import os, signal
from penstock.project.processes import end_tidily_on_sigterm
end_tidily_on_sigterm()
found = signal.getsignal(signal.SIGTERM)
try:
    os.kill(os.getpid(), signal.FIRST)
except KeyboardInterrupt:
    signal.signal(signal.SIGTERM, found)
    os.kill(os.getpid(), signal.SIGTERM)
    print("tidy")
"""
    command = [sys.executable, "-c", script.replace("FIRST", first)]
    assert subprocess.run(command, capture_output=True, text=True).stdout == "tidy\n"


@pytest.mark.parametrize("where", ["", "exec(text)"])
def test_ctrl_c_is_known_by_its_exit_status(tmp_path, where):
    """Python's own status differs where Ctrl-C met the exec of a string."""
    script = "import sys\ntext = 'raise KeyboardInterrupt'\ntry:\n    WHERE\n"
    script += "except KeyboardInterrupt:\n    pass\nsys.exit(130)\n"
    (tmp_path / "ends.py").write_text(script.replace("WHERE", where or "raise KeyboardInterrupt"))
    done = subprocess.run([sys.executable, "-m", "ends"], cwd=tmp_path)
    assert was_interrupted(done.returncode)


@pytest.mark.pipeline
def test_two_at_a_time_do_not_meet_in_one_folder(project):
    """The second waits for the folder; the lock is gone with the first, however it ends."""
    process = project.start_training("train", "mnist")
    second = subprocess.Popen(
        [sys.executable, "-m", "penstock", "ingest", "mnist"],
        cwd=project.root,
        env=project.environment(),
    )
    time.sleep(3)
    assert second.poll() is None
    process.kill()
    assert second.wait() == 0


def test_a_half_written_dvc_lock_is_restored(tmp_path, capsys):
    lock = tmp_path / "dvc.lock"
    content = "schema: '2.0'\nstages:\n  a:\n    cmd: b\n"
    lock.write_text(content)
    mend(tmp_path)
    for end in (0, 10, 20, len(content) - 3):
        lock.write_text(content[:end])
        mend(tmp_path)
        assert lock.read_text() == content
        assert "restored" in capsys.readouterr().out
    changed = content.replace("cmd: b", "cmd: c")
    lock.write_text(changed)
    mend(tmp_path)
    assert lock.read_text() == changed, "a whole one is left as it is"


def test_a_damaged_dvc_lock_without_a_copy_is_an_error(tmp_path):
    (tmp_path / "dvc.lock").write_text("<<<<<<< HEAD\n")
    with pytest.raises(PenstockError, match=r"dvc.lock: damaged; .*git checkout"):
        mend(tmp_path)


def test_locks_of_the_dead_are_dropped_and_those_of_the_living_kept(tmp_path):
    dead = subprocess.Popen(["true"])
    dead.wait()
    entries = [{"pid": pid, "cmd": "dvc repro"} for pid in (dead.pid, os.getpid())]
    file = tmp_path / ".dvc" / "tmp" / "rwlock"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"write": {"a": entries[0]}, "read": {"b": entries}}))
    mend(tmp_path)
    assert json.loads(file.read_text()) == {"write": {}, "read": {"b": entries[1:]}}
    file.write_text('{"write": {"a"')
    mend(tmp_path)
    assert not file.exists()


def test_a_process_is_gone_when_it_ended_or_its_number_went_to_another():
    assert not is_gone(describe_process())
    host, pid, started = describe_process().rsplit(" ", 2)
    assert is_gone(f"{host} {pid} {float(started) - 100}")
    assert not is_gone(f"elsewhere {pid} {float(started) - 100}"), "other hosts cannot be seen"
