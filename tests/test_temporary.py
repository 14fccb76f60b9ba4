"""What may pass is told from bad data: a scheduler retries the one, and never the other."""

import errno
import io
import os
import signal
import zipfile
from http.client import RemoteDisconnected
from pathlib import Path

import pytest

from penstock import cli
from penstock.kinds.tables.raw_files import list_files
from penstock.messages.errors import PenstockError, TemporaryError, is_temporary
from penstock.project.workspace import Workspace
from penstock.running import repro, steps
from penstock.running.repro import reproduce
from penstock.running.runner import Runner
from penstock.running.steps import Step
from penstock.running.turn import taking_turns
from penstock.stages.ingest import ingest
from servers import free_port
from test_download import Server, entry, hang_up, refuse, serve, write_catalogue

HERE = {"NO_PROXY": "127.0.0.1"}
MIRROR = "https://ossci-datasets.s3.amazonaws.com/mnist/"


def os_error(number, file=None):
    return OSError(number, os.strerror(number), file)


def caused_by(cause, error):
    error.__cause__ = cause
    return error


def while_handling(first, error):
    error.__context__ = first
    return error


# Which errors may pass


@pytest.mark.parametrize(
    "name", ["EIO", "ESTALE", "ETIMEDOUT", "ECONNRESET", "ECONNREFUSED", "EHOSTUNREACH", "EBUSY"]
)
def test_trouble_of_network_and_file_system_may_pass(name):
    assert is_temporary(os_error(getattr(errno, name)))


@pytest.mark.parametrize(
    "name",
    [
        "ENOENT",
        "EACCES",
        "EPERM",
        "ENOSPC",
        "EDQUOT",
        "EROFS",
        "EISDIR",
        "ENOTDIR",
        "EPIPE",
        "EINVAL",
    ],
)
def test_what_stays_until_somebody_acts_does_not(name):
    assert not is_temporary(os_error(getattr(errno, name)))


def test_errors_without_a_number_and_those_with_a_cause():
    assert is_temporary(TimeoutError("timed out"))
    assert is_temporary(RemoteDisconnected("closed without response"))
    assert is_temporary(TemporaryError("so it says"))
    assert not is_temporary(None)
    assert not is_temporary(BrokenPipeError("no reader"))
    assert not is_temporary(PenstockError("bad data"))
    cause = os_error(errno.ESTALE)
    assert is_temporary(caused_by(cause, RuntimeError("DVC failed")))
    assert is_temporary(while_handling(cause, zipfile.BadZipFile("not a zip file")))
    meant = caused_by(os_error(errno.ENOENT), while_handling(cause, RuntimeError("not there")))
    assert not is_temporary(meant), "as a traceback has it, the cause counts and not the context"
    circle = RuntimeError("from itself")
    circle.__cause__ = circle
    assert not is_temporary(circle)


# The command line


@pytest.fixture
def command(monkeypatch, capsys):
    """Run the command line in this process; answer its status and what it said of errors."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def run(*arguments):
        monkeypatch.setattr("sys.argv", ["penstock", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        return end.value.code, capsys.readouterr().err

    yield run
    for number, handler in handlers.items():
        signal.signal(number, handler)


def fail_with(error):
    def fail(*_, **__):
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (os_error(errno.ESTALE, "/mnt/a"), "/mnt/a: Stale file handle: trouble of network or"),
        (os_error(errno.EIO), "penstock names: Input/output error: trouble of network or"),
        (TimeoutError("timed out"), "penstock names: timed out: trouble of network or"),
        (TemporaryError("no answer; try again"), "no answer; try again"),
    ],
    ids=["with a file", "without", "without a number", "ours"],
)
def test_what_may_pass_is_a_line_and_exits_with_75(command, monkeypatch, error, line):
    monkeypatch.setattr("penstock.pipeline.names", fail_with(error))
    status, said = command("names")
    assert status == 75
    assert said.startswith(f"penstock: error: {line}")
    assert said.count("\n") == 1


def test_other_errors_stay_what_they_were(command, monkeypatch):
    monkeypatch.setattr("penstock.pipeline.names", fail_with(PenstockError("bad data")))
    assert command("names") == (1, "penstock: error: bad data\n")
    monkeypatch.setattr("penstock.pipeline.names", fail_with(os_error(errno.EACCES, "/mnt/a")))
    with pytest.raises(PermissionError):
        cli.main()


# Downloads


@pytest.fixture
def downloads(fresh):
    """A project whose downloads try each mirror once."""
    module = fresh.root / "src" / "penstock" / "sources" / "download.py"
    code = module.read_text()
    assert "PATIENT = Retry()" in code
    module.write_text(code.replace("PATIENT = Retry()", "PATIENT = Retry(attempts=1)"))
    return fresh


def test_a_download_that_may_do_better_later_exits_with_75(downloads):
    with Server() as server:
        gone, down, broken, other, nobody = (
            *(server.mirror("gone", refuse(404)), server.mirror("down", refuse(503))),
            *(server.mirror("broken", hang_up), server.mirror("other", serve(b"?" * 100_000))),
            f"http://127.0.0.1:{free_port()}/a",
        )
        for mirrors, expected in [
            ((down,), 75),
            ((nobody,), 75),
            ((broken, gone), 75),
            ((other, nobody), 75),
            ((gone, other), 1),
        ]:
            write_catalogue(downloads.root / "data", entry(*mirrors))
            done = downloads.run("penstock", "download", "toy", check=False, **HERE)
            assert done.returncode == expected, done.stderr
            assert done.stderr.startswith("penstock: error: ")
            assert done.stderr.count("\n") == 1
        server.shutdown()


def test_a_dataset_that_nobody_knows_exits_with_1(downloads):
    assert downloads.run("penstock", "download", "toi", check=False).returncode == 1


# Stages that DVC starts


@pytest.mark.pipeline
def test_a_stage_that_may_do_better_later_makes_the_run_one(downloads, monkeypatch):
    catalogue = downloads.root / "data" / "downloads.yaml"
    nobody = f"http://127.0.0.1:{free_port()}/"
    lines = catalogue.read_text().replace(MIRROR, nobody).splitlines(keepends=True)
    catalogue.write_text("".join(line for line in lines if "cvdf-datasets/mnist" not in line))
    downloads.set(source="data/downloads/mnist")
    done = downloads.run("penstock", "run", "mnist", check=False, **HERE)
    assert done.returncode == 75, done.stdout + done.stderr
    assert "cannot reach 127.0.0.1" in done.stderr
    assert "`penstock download mnist` failed, for the reason above, which may pass" in done.stderr

    workspace = Workspace.open("mnist", downloads.root)
    step = Step("download", f"{downloads.root}/data/dvc.yaml:download@mnist", "download mnist")
    monkeypatch.chdir(downloads.root)
    with (
        taking_turns(workspace) as turn,
        Runner(workspace, turn, **{**downloads.environment(), **HERE}) as runner,
        pytest.raises(TemporaryError, match=r"not downloaded.*cannot reach 127\.0\.0\.1"),
    ):
        runner.run(step, lambda _: None)


@pytest.fixture
def dvc(tmp_path):
    """A DVC project with a stage for each exit status, and the step that is such a stage."""
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    stages = "".join(f"  exit-{n}:\n    cmd: exit {n}\n" for n in (1, 75))
    (tmp_path / "dvc.yaml").write_text(f"stages:\n{stages}")
    return lambda n: reproduce(tmp_path, Step("any", f"{tmp_path}/dvc.yaml:exit-{n}", "any"))


def test_the_status_of_a_stage_tells_what_may_pass(dvc):
    with pytest.raises(TemporaryError, match=r"`exit 75` failed.*may pass"):
        dvc(75)
    with pytest.raises(PenstockError, match="`exit 1` failed") as caught:
        dvc(1)
    assert not isinstance(caught.value, TemporaryError)


@pytest.mark.parametrize(("number", "kind"), [("EIO", TemporaryError), ("EACCES", PenstockError)])
def test_trouble_of_dvc_itself_may_pass_too(dvc, monkeypatch, number, kind):
    cause = os_error(getattr(errno, number), "/mnt/cache")
    wrapped = caused_by(cause, steps.DvcException("failed to load directory"))
    for error in (cause, wrapped):
        monkeypatch.setattr(steps.Repo, "reproduce", fail_with(error))
        with pytest.raises(PenstockError) as caught:
            dvc(75)
        assert type(caught.value) is kind


def test_putting_outputs_back_does_not_change_what_an_error_is(tmp_path, monkeypatch):
    workspace = Workspace(tmp_path, "mnist", None, tmp_path)
    workspace.metrics.write_text("{}")
    monkeypatch.setattr(repro, "_restore", lambda *_: True)
    monkeypatch.setattr(repro, "end_children", lambda: None)
    for kind in (TemporaryError, PenstockError):
        with (
            pytest.raises(kind, match=r"^so; its former outputs are back") as caught,
            repro.restoring(workspace),
        ):
            raise kind("so")
        assert type(caught.value) is kind


# Reading a source


@pytest.fixture
def break_reads(monkeypatch):
    """Have reading of the files whose name ends so fail."""

    def install(number, ending):
        original = Path.open

        def open_(self, *arguments, **options):
            if self.name.endswith(ending) and "b" in "".join(arguments):
                return Broken(number)
            return original(self, *arguments, **options)

        monkeypatch.setattr(Path, "open", open_)
        monkeypatch.setattr(Path, "read_bytes", lambda self: self.open("rb").read())

    return install


class Broken(io.RawIOBase):
    """A file that opens well and cannot be read: such an error names no file."""

    def __init__(self, number):
        self.number = number

    def readable(self):
        return True

    def seek(self, *_):
        return 100

    def tell(self):
        return 100

    def readinto(self, _):
        raise os_error(self.number)

    def readall(self):
        raise os_error(self.number)


@pytest.fixture
def sourced(fresh_project, tmp_path):
    """A workspace of a pipeline with its sample made, and nothing ingested."""

    def make(name):
        project = fresh_project.copy(tmp_path / "project")
        params = (Path(__file__).parent.parent / "params.yaml").read_text()
        (project.root / "params.yaml").write_text(params)
        project.run("penstock", "sample", name)
        project.set(name, source=f"data/samples/{name}")
        return Workspace.open(name, project.root)

    return make


FILES = {
    "mnist": "train-labels-idx1-ubyte.gz",
    "pathology": "origin-000-2.jpg",
    "speech": "voice00_nohash_1.wav",
}


@pytest.mark.pipeline
@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_that_cannot_be_read_now_is_not_bad_data(
    name, sourced, break_reads, command, monkeypatch
):
    workspace = sourced(name)
    monkeypatch.chdir(workspace.root)
    break_reads(errno.EIO, FILES[name])
    status, said = command("ingest", name)
    assert status == 75, said
    assert said.count("\n") == 1
    assert f"{FILES[name]}: Input/output error: trouble of network or file system" in said
    assert not workspace.dataset.exists()


@pytest.mark.pipeline
def test_a_file_that_may_not_be_read_is_rejected_as_before(sourced, break_reads):
    workspace = sourced("pathology")
    break_reads(errno.EACCES, FILES["pathology"])
    reasons = set(ingest(workspace).rejected["reason"])
    assert "cannot be read: Permission denied" in reasons


@pytest.mark.pipeline
def test_bad_data_exits_with_1(sourced, command, monkeypatch):
    workspace = sourced("mnist")
    monkeypatch.chdir(workspace.root)
    (workspace.source / FILES["mnist"]).write_bytes(b"no labels")
    status, said = command("ingest", "mnist")
    assert status == 1, said
    assert "expected the magic number" in said


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".zip"])
def test_tables_too(tmp_path, monkeypatch, ending):
    path = tmp_path / f"ratings{ending}"
    if ending == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("ratings.csv", "a,b\n")
    else:
        path.touch()
    (file,) = list_files(path)
    monkeypatch.setattr(type(path), "open", lambda *_: Broken(errno.ESTALE))
    monkeypatch.setattr("builtins.open", lambda *_: Broken(errno.ESTALE))
    monkeypatch.setattr("io.open", lambda *_: Broken(errno.ESTALE))
    with pytest.raises(TemporaryError) as caught, file.open() as stream:
        stream.read()
    monkeypatch.undo()
    assert str(caught.value).startswith(f"{path}: Stale file handle")
