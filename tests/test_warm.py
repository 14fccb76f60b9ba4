"""A warm start: processes forked from a server behave as those that start by themselves."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from penstock.project import warm
from projects import QUICK, Project, hashes

pytestmark = pytest.mark.skipif(not warm.AVAILABLE, reason="forks are used on Linux only")

SCRIPT = """
import json, os, sys
print(json.dumps({
    "argv": sys.argv[1:], "folder": os.getcwd(), "given": sys.stdin.read(),
    "mark": os.environ.get("MARK"), "pandas": "pandas" in sys.modules, "parent": os.getppid(),
    "penstock": [it for it in sys.modules if it.split(".")[0] == "penstock"],
    "draw": __import__("numpy").random.rand(),
}))
print("on stderr", file=sys.stderr)
sys.exit(int(sys.argv[1]))
"""
WAITING = """
import os, signal, sys, time
from pathlib import Path
def tidy(number, _):
    Path("tidied").write_text(str(number))
    sys.exit(7)
signal.signal(signal.SIGTERM, tidy)
Path("pid").write_text(str(os.getpid()))
time.sleep(600)
"""


@pytest.fixture(scope="module", autouse=True)
def server():
    with warm.serving():
        yield
    assert warm.SOCKET not in os.environ


def start(folder, script, *arguments, **options):
    file = folder / "script.py"
    file.write_text(script)
    command = [sys.executable, "-I", warm.__file__, str(file), *arguments]
    return subprocess.Popen(command, cwd=folder, **options)


def waits(folder):
    """The id of the process that runs WAITING."""
    while not (folder / "pid").exists() or not (folder / "pid").read_text():
        time.sleep(0.02)
    return int((folder / "pid").read_text())


def passes_on(process):
    """Wait until a process passes on SIGINT and, set after it, SIGTERM: none ignores that one."""
    caught = 0
    while not caught >> (signal.SIGTERM - 1) & 1:
        time.sleep(0.01)
        status = Path(f"/proc/{process.pid}/status").read_text()
        caught = int(re.search(r"SigCgt:\s*(\w+)", status)[1], 16)


def test_all_of_a_process_is_passed_on(tmp_path, monkeypatch):
    monkeypatch.setenv("MARK", "here")
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    said = []
    for status in ("0", "3"):
        process = start(tmp_path, SCRIPT, status, "ü", text=True, **streams)
        output, errors = process.communicate("asked")
        assert process.returncode == int(status)
        assert errors == "on stderr\n"
        said.append(json.loads(output))
    for it in said:
        assert (it["given"], it["mark"], it["folder"]) == ("asked", "here", str(tmp_path))
        assert it["pandas"], "it was forked"
        assert it["penstock"] == [], "code that is edited has to be loaded anew"
    assert said[0]["argv"] == ["0", "ü"]
    assert said[0]["draw"] != said[1]["draw"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_how_it_ends_is_told(tmp_path, number):
    process = start(tmp_path, WAITING)
    os.kill(waits(tmp_path), number)
    assert process.wait() == (7 if number == signal.SIGTERM else -signal.SIGKILL)


def test_signals_are_passed_on(tmp_path):
    process = start(tmp_path, WAITING)
    waits(tmp_path)
    passes_on(process)
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 7
    (tmp_path / "pid").unlink()
    process = start(tmp_path, "import time\nopen('pid', 'w').write('1')\ntime.sleep(600)")
    waits(tmp_path)
    passes_on(process)
    process.send_signal(signal.SIGINT)
    assert process.wait() == warm.INTERRUPTED


def test_ctrl_c_before_there_is_a_process_is_no_traceback(tmp_path, monkeypatch):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        monkeypatch.setenv(warm.SOCKET, str(path))
        command = [sys.executable, "-m", "penstock", "train", "mnist"]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        asked, _ = listener.accept()
        with asked:
            asked.recv(1)
            process.send_signal(signal.SIGINT)
            assert process.communicate()[1] == "penstock: interrupted\n"
    assert process.returncode == warm.INTERRUPTED


def test_it_ends_with_who_asked_for_it(tmp_path):
    process = start(tmp_path, WAITING)
    waits(tmp_path)
    process.kill()
    while not (tmp_path / "tidied").exists():
        time.sleep(0.02)
    process.wait()


def test_without_a_server_all_is_done_here(tmp_path, monkeypatch):
    monkeypatch.setenv(warm.SOCKET, str(tmp_path / "none"))
    process = start(tmp_path, SCRIPT, "3", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    output, _ = process.communicate()
    assert process.returncode == 3
    assert json.loads(output)["parent"] == os.getpid()


def test_where_no_socket_can_be_all_is_done_here(tmp_path, monkeypatch):
    monkeypatch.delenv(warm.SOCKET)
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    monkeypatch.setattr(warm.tempfile, "tempdir", str(deep))
    with warm.serving():
        assert warm.SOCKET not in os.environ
    assert list(deep.iterdir()) == []


def test_a_server_that_is_killed_is_no_silence(tmp_path, monkeypatch):
    monkeypatch.delenv(warm.SOCKET)
    with warm.serving():
        folder = os.path.dirname(os.environ[warm.SOCKET])  # noqa: PTH120
        process = start(tmp_path, WAITING, stderr=subprocess.PIPE, text=True)
        waits(tmp_path)
        subprocess.run(["pkill", "-KILL", "-f", f"warm.py serve {folder}"], check=True)
        _, errors = process.communicate()
    assert process.returncode == warm.LOST
    assert errors.endswith("penstock: error: the process that starts stages has ended\n")


@pytest.mark.pipeline
def test_the_same_hashes_as_without(finished_project, fresh, monkeypatch):
    """The finished project's stages were started by plain `dvc repro`."""
    monkeypatch.delenv(warm.SOCKET)
    fresh.run("penstock", "run", "mnist", cold=True)
    assert hashes(fresh) == hashes(finished_project)


@pytest.mark.pipeline
def test_several_pipelines_side_by_side(tmp_path, monkeypatch):
    monkeypatch.delenv(warm.SOCKET)
    project = Project.create(tmp_path / "project")
    project.set(**QUICK)
    project.set("ratings", train={"max_epochs": 2})
    project.set("pathology", source="data/nowhere")
    names = ("mnist", "pathology", "ratings", "mnist")
    done = project.run("penstock", "run", *names, check=False, cold=True)
    assert done.returncode == 1
    assert done.stderr == ("penstock: error: 1 of 3 pipelines failed, for the reasons above\n")
    lines = done.stdout.splitlines()
    assert any(it.startswith("mnist     | registry: mnist is as the receipt says") for it in lines)
    table = [it.split() for it in lines if " | " not in it and it.split()]
    rows = {cells[0]: cells[1:] for cells in table}
    assert (rows["mnist"][0], rows["mnist"][2]) == ("ran", "test/accuracy")
    assert rows["mnist"][-3:] == ["version", "1,", "champion"]
    assert rows["pathology"][0] == "failed"
    assert "data/nowhere: not found" in next(it for it in lines if it.startswith("pathology"))
    assert rows["ratings"][2] == "test/rmse"
    again = project.run("penstock", "run", "mnist", "ratings", cold=True).stdout
    assert [it.split()[:4] for it in again.splitlines()][1:] == [
        ["mnist", "up", "to", "date"],
        ["ratings", "up", "to", "date"],
    ]
