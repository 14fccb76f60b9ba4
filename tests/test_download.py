"""Downloads, against a local server that misbehaves in every way it can think of."""

import errno
import hashlib
import io
import json
import random
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import filelock
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.messages.errors import PenstockError
from penstock.sources import download as module
from penstock.sources.download import Retry, download, read_catalogue

BODY = random.Random(0).randbytes(100_000)
OTHER = random.Random(1).randbytes(100_000)
HALF = 50_000
SHA = hashlib.sha256(BODY).hexdigest()
QUICK = Retry(attempts=3, delay=0.01, connect=2, read=5)
IMPATIENT = Retry(attempts=2, delay=0.01, connect=2, read=0.4)

Answer = Callable[["Handler"], object]


class Server(ThreadingHTTPServer):
    """Gives each path's answers in turn, the last one for ever, and notes what was asked."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, list[Answer]] = {}
        self.asked: list[tuple[str, str | None]] = []  # path, Range
        self.closing = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def mirror(self, path: str, *answers: Answer) -> str:
        self.answers[f"/{path}"] = list(answers)
        return f"http://127.0.0.1:{self.server_port}/{path}"

    def handle_error(self, request: Any, address: Any) -> None:
        pass  # a client that hung up is part of the game


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["Range"]))
        answers = self.server.answers[self.path]
        (answers.pop(0) if len(answers) > 1 else answers[0])(self)

    def log_message(self, *_: Any) -> None:
        pass


def serve(
    body: bytes = BODY,
    *,
    ranges: bool = True,
    shift: int = 0,  # added to the start a range is said to have
    until: int | None = None,  # where in the file sending stops
    length: int | None = -1,  # what Content-Length says; -1 the truth, None nothing
    kind: str = "application/octet-stream",
    then: str = "close",  # or stall, trickle
) -> Answer:
    """A file; truthful and whole unless told otherwise."""

    def answer(handler: Handler) -> None:
        asked = handler.headers["Range"] if ranges else None
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        if asked and start >= len(body):
            return handler.send_error(416)
        handler.send_response(206 if asked else 200)
        handler.send_header("Content-Type", kind)
        if asked:
            span = f"bytes {start + shift}-{len(body) - 1}/{len(body)}"
            handler.send_header("Content-Range", span)
        if length is not None:
            said = len(body) - start if length < 0 else length
            handler.send_header("Content-Length", str(said))
        handler.end_headers()
        handler.wfile.write(body[start:until])
        handler.wfile.flush()
        closing = handler.server.closing
        if then == "stall":
            closing.wait(60)
        if then == "trickle":
            for byte in body[until:]:
                handler.wfile.write(bytes([byte]))
                if closing.wait(0.05):
                    break

    return answer


def refuse(status: int) -> Answer:
    return lambda handler: handler.send_error(status)


def redirect(to: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", to)
        handler.end_headers()

    return answer


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.connection.shutdown(socket.SHUT_RDWR)


def entry(*urls: str, name: str = "a.gz", body: bytes = BODY) -> dict[str, Any]:
    sha256 = hashlib.sha256(body).hexdigest()
    return {"name": name, "size": len(body), "sha256": sha256, "urls": list(urls)}


def write_catalogue(folder: Path, *files: dict[str, Any]) -> Path:
    path = folder / "downloads.yaml"
    content = {"downloads": {"toy": {"description": "a toy", "files": files}}}
    path.write_text(json.dumps(content))  # JSON is YAML
    return path


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        yield server
        server.closing.set()
        server.shutdown()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "toy"


def fetch(folder: Path, *urls: str, retry: Retry = QUICK) -> list[Path]:
    return download("toy", folder, write_catalogue(folder.parent, entry(*urls)), retry)


def failure(folder: Path, *urls: str, retry: Retry = QUICK) -> str:
    with pytest.raises(PenstockError) as caught:
        fetch(folder, *urls, retry=retry)
    message = str(caught.value)
    assert message.isprintable()  # one line, no control characters
    assert message.startswith(f"{folder / 'a.gz'}: not downloaded")
    assert not (folder / "a.gz").exists()
    return message


def assert_whole(folder: Path) -> None:
    assert [path.name for path in folder.iterdir()] == ["a.gz"]
    assert (folder / "a.gz").read_bytes() == BODY


def leave_part(folder: Path, content: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    part = folder / "a.gz.part"
    part.write_bytes(content)
    return part


# A server as it should be


def test_fetches_every_file_in_order(
    server: Server, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    files = [
        entry(server.mirror("b", serve(OTHER)), name="b.gz", body=OTHER),
        entry(server.mirror("a", serve())),
    ]
    found = download("toy", folder, write_catalogue(folder.parent, *files), QUICK)
    assert found == [folder / "b.gz", folder / "a.gz"]
    assert [path.read_bytes() for path in found] == [OTHER, BODY]
    assert {path.name for path in folder.iterdir()} == {"a.gz", "b.gz"}
    out, err = capfd.readouterr()
    assert [line.split(":")[0].strip() for line in out.splitlines()] == ["b.gz", "a.gz"]
    assert err == ""  # no bar where there is no terminal


def test_bar_on_a_terminal(
    server: Server,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def answer(handler: Handler) -> None:
        serve(until=HALF)(handler)
        time.sleep(0.15)  # bars are drawn at most ten times a second
        handler.wfile.write(BODY[HALF:])

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    fetch(folder, server.mirror("a", answer))
    bar = capsys.readouterr().err
    assert "a.gz: 100%" in bar
    assert "100k" in bar


def test_correct_file_is_kept_without_a_request(server: Server, folder: Path) -> None:
    leave_part(folder, b"left over")
    (folder / "a.gz").write_bytes(BODY)
    fetch(folder, server.mirror("a", serve()))
    assert server.asked == []
    assert_whole(folder)


def test_wrong_file_of_that_name_is_replaced(server: Server, folder: Path) -> None:
    folder.mkdir()
    (folder / "a.gz").write_bytes(OTHER)
    fetch(folder, server.mirror("a", serve()))
    assert_whole(folder)


def test_file_encoded_by_name_is_not_unzipped(server: Server, folder: Path) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        assert handler.headers["Accept-Encoding"] == "identity"
        handler.send_response(200)
        handler.send_header("Content-Encoding", "gzip")  # as some servers say of every .gz
        handler.end_headers()
        handler.wfile.write(BODY)

    fetch(folder, server.mirror("a", answer))
    assert_whole(folder)


# Attempts that break off, and are resumed


@pytest.mark.parametrize("then", ["close", "stall", "trickle"])
def test_resumes_where_the_first_attempt_ended(server: Server, folder: Path, then: str) -> None:
    url = server.mirror("a", serve(until=HALF, then=then), serve())
    fetch(folder, url, retry=QUICK if then == "close" else IMPATIENT)
    assert_whole(folder)
    assert server.asked[0] == ("/a", None)
    path, asked = server.asked[1]
    start = int(str(asked).removeprefix("bytes=").rstrip("-"))
    assert path == "/a"
    assert start == HALF or (then == "trickle" and HALF < start < HALF + 100)


def test_stall_on_every_attempt_ends_in_time(server: Server, folder: Path) -> None:
    url = server.mirror("a", serve(until=HALF, then="stall"))
    began = time.monotonic()
    message = failure(folder, url, retry=IMPATIENT)
    assert time.monotonic() - began < 3
    assert f"stalls for 0.4 s after {HALF} of 100000 bytes" in message
    assert (folder / "a.gz.part").read_bytes() == BODY[:HALF]


def test_server_that_never_answers(server: Server, folder: Path) -> None:
    url = server.mirror("a", lambda handler: handler.server.closing.wait(60))
    assert "stalls for 0.4 s after 0 of 100000 bytes" in failure(folder, url, retry=IMPATIENT)


def test_ends_early_without_saying_so(server: Server, folder: Path) -> None:
    url = server.mirror("a", serve(until=HALF, length=None), serve())
    fetch(folder, url)
    assert_whole(folder)
    assert server.asked == [("/a", None), ("/a", f"bytes={HALF}-")]


def test_truncation_on_every_attempt(server: Server, folder: Path) -> None:
    message = failure(folder, server.mirror("a", serve(until=HALF)))
    assert f"breaks off after {HALF} of 100000 bytes" in message
    assert len(server.asked) == QUICK.attempts
    assert (folder / "a.gz.part").read_bytes() == BODY[:HALF]


def test_next_mirror_continues_what_the_first_began(server: Server, folder: Path) -> None:
    first = server.mirror("first", serve(until=HALF))
    fetch(folder, first, server.mirror("second", serve()))
    assert_whole(folder)
    assert server.asked[-1] == ("/second", f"bytes={HALF}-")


def test_server_that_ignores_range(server: Server, folder: Path) -> None:
    leave_part(folder, OTHER[:HALF])
    fetch(folder, server.mirror("a", serve(ranges=False)))
    assert server.asked == [("/a", f"bytes={HALF}-")]
    assert_whole(folder)


def test_range_from_another_start_is_not_joined(server: Server, folder: Path) -> None:
    leave_part(folder, BODY[:HALF])
    fetch(folder, server.mirror("a", serve(shift=1, length=HALF), serve()))
    assert server.asked == [("/a", f"bytes={HALF}-"), ("/a", None)]
    assert_whole(folder)


def test_range_refused_starts_over(server: Server, folder: Path) -> None:
    leave_part(folder, BODY[:HALF])
    fetch(folder, server.mirror("a", refuse(416), serve()))
    assert server.asked == [("/a", f"bytes={HALF}-"), ("/a", None)]
    assert_whole(folder)


def test_content_that_changes_between_attempts(server: Server, folder: Path) -> None:
    fetch(folder, server.mirror("a", serve(OTHER, until=HALF), serve()))
    assert [asked for _, asked in server.asked] == [None, f"bytes={HALF}-", None]
    assert_whole(folder)


@pytest.mark.parametrize("content", [BODY + b"more", OTHER], ids=["too long", "wrong"])
def test_part_that_cannot_be_resumed(server: Server, folder: Path, content: bytes) -> None:
    leave_part(folder, content)
    fetch(folder, server.mirror("a", serve()))
    assert server.asked == [("/a", None)]
    assert_whole(folder)


def test_complete_part_only_needs_its_name(server: Server, folder: Path) -> None:
    leave_part(folder, BODY)
    fetch(folder, server.mirror("a", serve()))
    assert server.asked == []
    assert_whole(folder)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_killed_download_leaves_a_part_and_is_resumed(
    server: Server, folder: Path, number: signal.Signals
) -> None:
    few = 3000  # less than a write buffer holds
    url = server.mirror("a", serve(until=few, then="stall"), serve())
    catalogue = write_catalogue(folder.parent, entry(url))
    code = (
        "import signal, sys, pathlib; from penstock.sources.download import download; "
        "signal.signal(signal.SIGINT, signal.default_int_handler); "
        "download('toy', *map(pathlib.Path, sys.argv[1:]))"
    )
    child = subprocess.Popen([sys.executable, "-c", code, folder, catalogue], stderr=-3)
    part = folder / "a.gz.part"
    deadline = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size == few) and time.monotonic() < deadline:
        time.sleep(0.01)
    child.send_signal(number)
    assert child.wait() != 0
    assert [path.name for path in folder.iterdir()] == ["a.gz.part"]
    assert part.read_bytes() == BODY[:few]

    fetch(folder, url)
    assert server.asked == [("/a", None), ("/a", f"bytes={few}-")]
    assert_whole(folder)


# Servers that lie


@pytest.mark.parametrize("length", [len(BODY) + 1000, len(BODY) - 1000])
def test_wrong_length_announced(server: Server, folder: Path, length: int) -> None:
    liar = server.mirror("liar", serve(length=length))
    assert f"announces a file of {length} bytes; expected 100000" in failure(folder, liar)
    assert list(folder.iterdir()) == []
    fetch(folder, liar, server.mirror("honest", serve()))
    assert server.asked == [("/liar", None), ("/liar", None), ("/honest", None)]
    assert_whole(folder)


def test_no_byte_beyond_the_size_is_written(server: Server, folder: Path) -> None:
    endless = OTHER + OTHER * 50
    url = server.mirror("a", serve(endless, length=None))
    first = hashlib.sha256(endless[: len(BODY)]).hexdigest()
    assert f"gives a file with sha256 {first}" in failure(folder, url)
    assert list(folder.iterdir()) == []


def test_right_file_with_something_after_it(server: Server, folder: Path) -> None:
    fetch(folder, server.mirror("a", serve(BODY + OTHER * 50, length=None)))
    assert_whole(folder)


@pytest.mark.parametrize("length", [-1, None])
def test_web_page_instead_of_the_file(server: Server, folder: Path, length: int | None) -> None:
    page = serve(b"<html>log in first</html>", ranges=False, length=length, kind="text/html; x")
    part = leave_part(folder, BODY[:HALF])
    first = server.mirror("first", page)
    assert "answers with a web page" in failure(folder, first)
    assert part.read_bytes() == BODY[:HALF]
    fetch(folder, first, server.mirror("second", serve()))
    assert server.asked[-1] == ("/second", f"bytes={HALF}-")
    assert_whole(folder)


def test_wrong_checksum_goes_on_to_the_next_mirror(server: Server, folder: Path) -> None:
    first = server.mirror("first", serve(OTHER))
    fetch(folder, first, server.mirror("second", serve()))
    assert server.asked == [("/first", None), ("/second", None)]
    assert_whole(folder)


def test_wrong_checksum_on_every_mirror(server: Server, folder: Path) -> None:
    urls = [server.mirror(name, serve(OTHER)) for name in ("first", "second")]
    message = failure(folder, *urls)
    for said in [
        *(f"{url} gives a file with sha256 {hashlib.sha256(OTHER).hexdigest()}" for url in urls),
        f"place the file yourself at {folder / 'a.gz'} (sha256 {SHA})",
        "correct the catalogue",
    ]:
        assert said in message
    assert list(folder.iterdir()) == []


# Servers and networks that fail


def test_error_500_then_works(server: Server, folder: Path) -> None:
    fetch(folder, server.mirror("a", refuse(500), refuse(503), serve()))
    assert len(server.asked) == 3
    assert_whole(folder)


def test_back_off_doubles(server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    url = server.mirror("a", refuse(500))
    message = failure(folder, url, retry=Retry(attempts=4, delay=1))
    assert slept == [1, 2, 4]
    assert f"{url} answers 500 Internal Server Error" in message


def test_404_goes_to_the_next_mirror_at_once(server: Server, folder: Path) -> None:
    first = server.mirror("first", refuse(404))
    fetch(folder, first, server.mirror("second", serve()))
    assert server.asked == [("/first", None), ("/second", None)]
    assert_whole(folder)


def test_words_of_a_server_cannot_steer_the_terminal(server: Server, folder: Path) -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(404, "Not\x1b[2J\x9bFound")
        handler.end_headers()

    assert "answers 404 Not [2J Found" in failure(folder, server.mirror("a", answer))


def test_hangs_up_without_an_answer(server: Server, folder: Path) -> None:
    fetch(folder, server.mirror("a", hang_up, serve()))
    assert_whole(folder)


def test_offline(folder: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    message = failure(folder, f"http://127.0.0.1:{port}/a")
    for said in [
        str(folder / "a.gz"),
        "cannot reach 127.0.0.1 ([Errno 111] Connection refused)",
        "check the network, or place the file yourself",
        f"(sha256 {SHA})",
    ]:
        assert said in message


def test_unresolved_host_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_such_host(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", no_such_host)
    monkeypatch.setenv("NO_PROXY", "*")
    message = failure(folder, "https://data.invalid/a")
    assert "cannot reach data.invalid ([Errno -2] Name or service not known)" in message


def test_redirect_is_followed_and_resumed(server: Server, folder: Path) -> None:
    leave_part(folder, BODY[:HALF])
    there = server.mirror("there", serve())
    fetch(folder, server.mirror("here", redirect(there)))
    assert server.asked == [("/here", f"bytes={HALF}-"), ("/there", f"bytes={HALF}-")]
    assert_whole(folder)


def test_redirects_without_end(server: Server, folder: Path) -> None:
    message = failure(folder, server.mirror("a", redirect("/a")))
    assert "redirects" in message
    assert len(server.asked) == module.REDIRECTS + 1


def test_redirect_to_another_scheme_is_refused(server: Server, folder: Path) -> None:
    (folder.parent / "secret").write_bytes(BODY)
    to = (folder.parent / "secret").as_uri()
    assert to in failure(folder, server.mirror("a", redirect(to)))


FAULTS: list[Answer] = [
    serve(until=HALF),
    serve(until=HALF + 1, length=None),
    serve(OTHER),
    serve(OTHER, until=HALF),
    serve(OTHER[:HALF]),
    serve(BODY + OTHER),
    serve(BODY + OTHER, length=None),
    serve(ranges=False, until=HALF),
    serve(shift=1),
    serve(b"<html>", kind="text/html", ranges=False),
    *(refuse(status) for status in (404, 416, 500)),
    hang_up,
]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(FAULTS), max_size=4), st.lists(st.sampled_from(FAULTS), max_size=4))
def test_any_course_of_faults_ends_well(first: list[Answer], second: list[Answer]) -> None:
    retry = Retry(attempts=8, delay=0, connect=2, read=5)
    with Server() as server, tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "toy"
        urls = [server.mirror("first", *first, serve()), server.mirror("second", *second, serve())]
        try:
            fetch(folder, *urls, retry=retry)
        except PenstockError:
            assert {path.name for path in folder.iterdir()} <= {"a.gz.part"}
            fetch(folder, server.mirror("third", serve()), retry=retry)
        assert_whole(folder)
        server.shutdown()


# The folder


def test_folder_that_cannot_be(server: Server, folder: Path) -> None:
    folder.write_text("a file")
    with pytest.raises(PenstockError, match=r"toy: cannot be read or written \(.+\); check"):
        fetch(folder, server.mirror("a", serve()))


def test_one_process_at_a_time(server: Server, folder: Path) -> None:
    url = server.mirror("a", serve())
    with (
        filelock.FileLock(folder.parent / ".toy.lock"),  # as a second process would
        pytest.raises(PenstockError, match="toy: another process is downloading"),
    ):
        fetch(folder, url)
    assert server.asked == []
    fetch(folder, url)
    assert_whole(folder)


# The catalogue


def test_unknown_dataset(folder: Path) -> None:
    catalogue = write_catalogue(folder.parent, entry("http://127.0.0.1/a"))
    with pytest.raises(PenstockError, match=r"no dataset 'toi'; did you mean toy\? known are: toy"):
        download("toi", folder, catalogue)
    with pytest.raises(PenstockError, match=r"no dataset 'xyzzy'; known are: toy$"):
        download("xyzzy", folder, catalogue)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "../a.gz"}, r"files\.0\.name: '\.\./a\.gz'"),
        ({"name": "/tmp/a.gz"}, r"files\.0\.name"),
        ({"name": ".."}, r"files\.0\.name"),
        ({"name": "b\\a.gz"}, r"files\.0\.name"),
        ({"name": "a.gz\n"}, r"files\.0\.name"),
        ({"name": ""}, r"files\.0\.name"),
        ({"name": "b.gz"}, "two files have one name"),
        ({"name": "B.gz"}, "two files have one name"),
        ({"name": "b.gz.part"}, "two files have one name"),
        ({"size": "100000"}, r"files\.0\.size: '100000'"),
        ({"size": 0}, r"files\.0\.size"),
        ({"sha256": SHA[:-1]}, r"files\.0\.sha256"),
        ({"sha256": SHA.upper()}, r"files\.0\.sha256"),
        ({"urls": []}, r"files\.0\.urls"),
        ({"urls": ["ftp://127.0.0.1/a"]}, r"files\.0\.urls\.0: 'ftp://127\.0\.0\.1/a'"),
        ({"urls": ["file:///etc/passwd"]}, r"files\.0\.urls\.0"),
        ({"md5": "0"}, r"files\.0\.md5"),
        ({"size": 0, "sha256": "0"}, r"\(and 1 more\)"),
    ],
)
def test_entry_that_is_not_as_it_must_be(
    tmp_path: Path, change: dict[str, object], said: str
) -> None:
    url = "http://127.0.0.1/a"
    read_catalogue(write_catalogue(tmp_path, entry(url), entry(url, name="b.gz")))
    path = write_catalogue(tmp_path, entry(url) | change, entry(url, name="b.gz"))
    with pytest.raises(PenstockError, match=said) as caught:
        read_catalogue(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "No such file"),
        (b"downloads: {a: {", "not valid YAML"),
        (b"downloads: {}\ndownloads: {}\n", "not valid YAML"),
        (b"\xff\xfe\x00", "not valid YAML"),
        (b"", "the file: "),
        (b"[]", "the file: "),
        (b"stages: {}", "downloads: Field required"),
    ],
)
def test_catalogue_that_is_none(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "downloads.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PenstockError, match=said) as caught:
        read_catalogue(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_shipped_catalogue() -> None:
    path = Path(__file__).parents[1] / "data" / "downloads.yaml"
    files = read_catalogue(path)["mnist"].files
    stems = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    assert [file.name for file in files] == [f"{stem}-ubyte.gz" for stem in stems]
    assert sum(file.size for file in files) == 11_594_722
    for file in files:
        assert [str(url).rpartition("/")[2] for url in file.urls] == [file.name] * 2
        assert len({url.host for url in file.urls}) == 2
        assert {url.scheme for url in file.urls} == {"https"}


def test_import_is_cheap() -> None:
    code = (
        "import sys, penstock.sources.download; "
        "sys.exit(bool({'requests', 'urllib3', 'tqdm', 'ruamel', 'numpy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# Archives


def tarred(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for member, content in members:
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def member(name: str, size: int = 4, **more: Any) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size = size
    for key, value in more.items():
        setattr(info, key, value)
    return info


def fetch_archive(server: Server, folder: Path, body: bytes) -> list[Path]:
    archive = entry(server.mirror("a", serve(body)), body=body) | {"unpack": "words"}
    return download("toy", folder, write_catalogue(folder.parent, archive), QUICK)


def test_an_archive_is_unpacked_once(server: Server, folder: Path) -> None:
    body = tarred((member("yes/a.wav"), b"1234"), (member("no/b.wav"), b"5678"))
    for _ in range(2):
        fetch_archive(server, folder, body)
        files = {it.relative_to(folder).as_posix() for it in folder.rglob("*") if it.is_file()}
        assert files == {"a.gz", "words/yes/a.wav", "words/no/b.wav"}
    assert (folder / "words" / "no" / "b.wav").read_bytes() == b"5678"
    assert len(server.asked) == 1


def test_a_new_archive_takes_the_place_of_what_an_old_one_held(
    server: Server, folder: Path
) -> None:
    fetch_archive(server, folder, tarred((member("yes/old.wav"), b"1234")))
    body = tarred((member("yes/new.wav"), b"5678"))
    archive = entry(server.mirror("b", serve(body)), body=body) | {"unpack": "words"}
    download("toy", folder, write_catalogue(folder.parent, archive), QUICK)
    files = {it.relative_to(folder).as_posix() for it in folder.rglob("*") if it.is_file()}
    assert files == {"a.gz", "words/yes/new.wav"}


def test_a_full_disk_is_not_blamed_on_the_archive(
    server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "words/yes/a.wav")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(PenstockError, match=r"No space left on device.*the free space"):
        fetch_archive(server, folder, tarred((member("yes/a.wav"), b"1234")))
    assert [it.name for it in folder.iterdir()] == ["a.gz"]


@pytest.mark.parametrize(
    "body",
    [
        tarred((member("yes/a.wav"), b"1234"), (member("../outside"), b"1234")),
        tarred((member("/etc/outside"), b"1234"), (member("../../outside"), b"1234")),
        tarred((member("out", 0, type=tarfile.SYMTYPE, linkname="../../outside"), b"")),
        tarred((member("device", 0, type=tarfile.CHRTYPE), b"")),
        tarred((member("yes"), b"1234"), (member("yes/a.wav"), b"1234")),
        tarred((member("zeros", 50_000_000), bytes(50_000_000))),
        tarred((member("yes/a.wav", 5000), random.Random(0).randbytes(5000)))[:3000],
        b"no archive at all",
    ],
    ids=["out", "absolute", "link", "device", "both", "bomb", "cut off", "none"],
)
def test_an_archive_that_is_not_to_be_trusted_leaves_nothing(
    server: Server, folder: Path, body: bytes
) -> None:
    with pytest.raises(
        PenstockError, match=r"a\.gz: (cannot be unpacked|unpacks to more)"
    ) as error:
        fetch_archive(server, folder, body)
    assert str(error.value).isprintable()
    assert [it.name for it in folder.iterdir()] == ["a.gz"]
    assert not list(folder.parent.rglob("outside"))
