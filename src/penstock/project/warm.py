"""A warm start: processes are forked from one that has loaded the libraries, never Penstock itself.

On small data, a stage's imports cost more than its work. A server loads them once; whoever would
start a stage asks it for a process by a socket, passes arguments, environment, folder and the three
standard streams, passes on signals, and ends as that process ends. Edited code is loaded anew by
each. Without a server, all is done in the process at hand. Only the standard library is imported
here: it is also run as a file, by the server and by the proof of a model, without Penstock.

    python -I warm.py serve PATH FD     # ends when its standard input does
    python -I warm.py FILE ARGUMENTS    # runs a file of Python, forked if there is a server
"""

import ctypes
import gc
import importlib
import io
import json
import os
import runpy
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

SOCKET = "PENSTOCK_WARM"  # where the server listens
PARENT = "PENSTOCK_PARENT"  # the process a stage belongs to, for its stages
PR_SET_PDEATHSIG = 1  # linux/prctl.h
LIBRARIES = (
    *("pandas", "pyarrow.parquet", "scipy.stats", "sklearn.metrics", "matplotlib.figure"),
    *("PIL.Image", "pydantic", "rich.console", "ruamel.yaml", "typer", "networkx", "dvc.repo"),
    *("great_expectations", "torch", "pytorch_lightning", "torchmetrics", "mlflow.pyfunc"),
    *("mlflow.tracking", "soundfile", "monai.networks.nets", "jinja2", "psutil", "grimp"),
    *("numba", "sgfmill.sgf_moves", "datasketch", "sklearn.feature_extraction.text"),
)
AVAILABLE = sys.platform == "linux"  # elsewhere libraries may not bear a fork
HEAVY = ("validate", "train", "evaluate", "register")  # stages that wait for the server's start
FORWARDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
INTERRUPTED = 130  # exit status after Ctrl-C, as a shell gives it
LOST = 70  # exit status where the server is gone: EX_SOFTWARE
STATUS = struct.Struct("!i")


def run_forked(program: list[str], arguments: list[str]) -> int | None:
    """Run a program in a process forked from the server, and wait for its end.

    Args:
        program: `file` and its path, or `module` and a function in it, `package.module:function`.
        arguments: of the program, its name first.

    Returns:
        Its exit status as Python has it: negative if a signal ended it. None if there is no server,
        or if it is not worth waiting for.
    """
    path = os.environ.get(SOCKET)
    if not path or not AVAILABLE:
        return None
    heavy = program[0] == "file" or (arguments[1:2] and arguments[1] in HEAVY)
    if not heavy and not os.path.exists(f"{path}.ready"):  # noqa: PTH110
        return None
    request = {
        "program": program,
        "arguments": arguments,
        "environment": dict(os.environ),
        "folder": os.getcwd(),  # noqa: PTH109
        "path": sys.path,
        "ignored": signal.getsignal(signal.SIGINT) is signal.SIG_IGN,
    }
    with socket.socket(socket.AF_UNIX) as server:
        try:
            end_with_parent()
            server.connect(path)
            _send(server, request)
        except OSError:
            return None
        return _wait(server)


def end_with_parent() -> None:
    """Have the kernel send SIGTERM to this process when the one that started it dies.

    Without it, a killed DVC or flow leaves its stage running. Linux only; nothing elsewhere.
    """
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    parent = os.environ.get(PARENT)
    try:
        os.kill(int(parent or os.getpid()), 0)
    except ProcessLookupError:  # it died before the line above
        sys.exit(f"penstock: process {parent}, which started this one, is gone")
    except PermissionError:
        pass


def _send(server: socket.socket, request: dict[str, Any]) -> None:
    content = json.dumps(request).encode("utf-8", "surrogateescape")
    socket.send_fds(server, [struct.pack("!I", len(content))], [0, 1, 2])
    server.sendall(content)


def _wait(server: socket.socket) -> int:
    """Pass signals on to the process until its status arrives."""
    child = _receive(server)
    if child is None:
        return LOST
    for number in FORWARDED:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda number, _: _pass_on(child, number))
    status = _receive(server)
    return LOST if status is None else status


def _receive(server: socket.socket) -> int | None:
    content = b""
    while len(content) < STATUS.size:
        part = server.recv(STATUS.size - len(content))
        if not part:
            return None
        content += part
    number: int = STATUS.unpack(content)[0]
    return number


def _pass_on(process: int, number: int) -> None:
    """Send a signal; Ctrl-C to all that the process has started, as a terminal does."""
    with suppress(ProcessLookupError):
        (os.killpg if number == signal.SIGINT else os.kill)(process, number)


def end_as(status: int) -> None:
    """End this process as another did: by the same signal, or with the same status."""
    if status == LOST:
        print("penstock: error: the process that starts stages has ended", file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    if status < 0:
        signal.signal(-status, signal.SIG_DFL) if -status != signal.SIGKILL else None
        os.kill(os.getpid(), -status)
    os._exit(status)


@contextmanager
def serving() -> Iterator[None]:
    """Have a server for all that is started meanwhile, unless there is one already."""
    if SOCKET in os.environ or not AVAILABLE:
        yield
        return
    folder = tempfile.mkdtemp(prefix="penstock-")  # nobody else can enter it
    path = str(Path(folder) / "socket")
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(path)
    except OSError:  # a socket's path has 107 bytes at most
        shutil.rmtree(folder)
        yield
        return
    listener.listen(64)
    server = subprocess.Popen(
        [sys.executable, "-I", __file__, "serve", path, str(listener.fileno())],
        pass_fds=[listener.fileno()],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,  # Ctrl-C at a terminal reaches its processes once, passed on
    )
    listener.close()
    os.environ[SOCKET] = path
    try:
        yield
    finally:
        del os.environ[SOCKET]
        server.stdin.close()  # type: ignore[union-attr]
        with suppress(subprocess.TimeoutExpired):
            server.wait(10)
        server.kill()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)


class Server:
    """Forks a process for each request, and tells who asked how it ended."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.clients: dict[int, socket.socket] = {}
        self.ending = False

    def serve(self) -> dict[str, Any] | None:
        """Answer requests until standard input ends and all processes have.

        Returns:
            In a forked process what it is to do; None in the server, at its end.
        """
        wake, wakened = socket.socketpair()
        wake.setblocking(False)
        wakened.setblocking(False)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: self._end())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        with selectors.DefaultSelector() as selector:
            for it in (self.listener, wakened, sys.stdin):
                selector.register(it, selectors.EVENT_READ)
            while self.clients or not self.ending:
                for key, _ in selector.select():
                    if key.fileobj is self.listener and not self.ending:
                        if request := self._take():
                            for it in (self.listener, wake, wakened):
                                it.close()
                            return request
                    elif key.fileobj is wakened:
                        wakened.recv(4096)
                    elif key.fileobj is sys.stdin:  # who started this has ended
                        selector.unregister(sys.stdin)
                        self._end()
                        for process in self.clients:
                            _pass_on(process, signal.SIGTERM)
                self._tell_ends()
        return None

    def _end(self) -> None:
        self.ending = True

    def _take(self) -> dict[str, Any] | None:
        """Fork a process for the next request; answer it there."""
        client, _ = self.listener.accept()
        client.settimeout(30)
        try:
            head, streams, *_ = socket.recv_fds(client, 4, 3)
            size, content = struct.unpack("!I", head)[0], b""
            while len(content) < size:
                part = client.recv(size - len(content))
                if not part:
                    raise OSError("cut off")
                content += part
        except (OSError, struct.error):
            client.close()
            return None
        process = os.fork()
        if process:
            with suppress(OSError):  # it has ended already
                os.setpgid(process, process)
            for it in streams:
                os.close(it)
            client.settimeout(None)
            self.clients[process] = client
            with suppress(OSError):
                client.sendall(STATUS.pack(process))
            return None
        for other in self.clients.values():
            other.close()
        request: dict[str, Any] = json.loads(content.decode("utf-8", "surrogateescape"))
        return {**request, "streams": streams, "client": client}

    def _tell_ends(self) -> None:
        while self.clients:
            try:
                process, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not process:
                return
            if client := self.clients.pop(process, None):
                with suppress(OSError), client:
                    client.sendall(STATUS.pack(os.waitstatus_to_exitcode(status)))


def _become(request: dict[str, Any]) -> None:
    """Take over streams, folder, environment and signals of who asked, in a group of its own."""
    signal.set_wakeup_fd(-1)
    on_interrupt = signal.SIG_IGN if request["ignored"] else signal.default_int_handler
    signal.signal(signal.SIGINT, on_interrupt)
    for default in (signal.SIGTERM, signal.SIGCHLD):
        signal.signal(default, signal.SIG_DFL)
    for number, stream in enumerate(request["streams"]):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.path[:] = request["path"]
    sys.argv[:] = request["arguments"]
    at_once = bool(os.environ.get("PYTHONUNBUFFERED"))
    for output in (sys.stdout, sys.stderr):
        if isinstance(output, io.TextIOWrapper):
            output.reconfigure(line_buffering=output.isatty() or at_once, write_through=at_once)
    sys.modules["numpy"].random.seed()
    threading.Thread(target=_end_with, args=[request["client"]], daemon=True).start()


def _end_with(client: socket.socket) -> None:
    """Ask this process to end when who asked for it has."""
    with suppress(OSError):
        client.settimeout(None)
        client.recv(1)
    os.kill(os.getpid(), signal.SIGTERM)


def _run(kind: str, name: str) -> None:
    if kind == "file":
        runpy.run_path(name, run_name="__main__")
        return
    module, _, function = name.partition(":")
    getattr(importlib.import_module(module), function)()


def _load() -> None:
    for name in LIBRARIES:
        with suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # pages of what is loaded stay shared


def main(command: str, *arguments: str) -> None:
    """Serve, or run a file."""
    if command != "serve":
        status = run_forked(["file", command], [command, *arguments])
        if status is not None:
            end_as(status)
        sys.argv[:] = [command, *arguments]
        runpy.run_path(command, run_name="__main__")
        return
    path, listener = arguments
    server = Server(socket.socket(fileno=int(listener)))
    _load()
    Path(f"{path}.ready").touch()
    request = server.serve()
    if request is None:
        shutil.rmtree(Path(path).parent, ignore_errors=True)  # who started this may be gone
    else:
        _become(request)
        try:
            _run(*request["program"])
        except KeyboardInterrupt:  # exit hooks of libraries make Python forget how it ended
            sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main(*sys.argv[1:])
