"""How fast champions answer over HTTP: `penstock serve` beside `mlflow models serve`, in one run.

Works on a copy of this project's registry, so a promotion in it changes nothing here. Clients are
connections that ask again as soon as they are answered, in this process; servers, clients and
whatever else runs share the machine's cores. `promote` asks one server all the while another
version becomes champion.

    python benchmarks/serving.py compare [--names mnist ratings] [--clients 1 8 64] [--seconds 10]
    python benchmarks/serving.py promote [--requests 10000]
"""

import argparse
import asyncio
import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from hardware import describe_hardware
from penstock.project.workspace import Workspace, find_root
from penstock.tracking.registry import CHAMPION, get_alias, model_location
from penstock.tracking.store import connect
from penstock.tracking.trust import accept_version


def main() -> None:
    """Do what is asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("compare", "promote"))
    parser.add_argument("--names", nargs="+", default=["mnist", "ratings"])
    parser.add_argument("--clients", nargs="+", type=int, default=[1, 8, 64])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--requests", type=int, default=10_000)
    asked = parser.parse_args()
    print(describe_hardware())
    with tempfile.TemporaryDirectory() as temporary:
        root = copy_registry(Path(temporary) / "project")
        for name in asked.names:
            if asked.what == "promote":
                promote(root, name, asked.requests)
            else:
                compare(root, name, asked.clients, asked.seconds)


def copy_registry(root: Path) -> Path:
    """A project with the same champions and settings, without data."""
    here = find_root()
    shutil.copytree(here / "mlruns", root / "mlruns", ignore=shutil.ignore_patterns("*.lock"))
    shutil.copytree(here / ".penstock" / "trusted", root / ".penstock" / "trusted")
    for file in ("params.yaml", "dvc.yaml"):
        shutil.copy(here / file, root)
    return root


def compare(root: Path, name: str, clients: list[int], seconds: float) -> None:
    """Print latencies and throughput of both servers, one after the other."""
    client = connect(root)
    version = get_alias(client, name, CHAMPION)
    question = (Path(model_location(client, version).removeprefix("file://"))).resolve()
    body = one_row(question / "serving_input_example.json")
    mlflow = ["mlflow", "models", "serve", "-m", str(question), "--env-manager", "local"]
    for title, command, path, health in (
        ("penstock serve", ["penstock", "serve", name], f"/{name}/predict", f"/{name}"),
        ("mlflow models serve", mlflow, "/invocations", "/health"),
    ):
        with serving(root, command, health) as port:
            asyncio.run(load(port, path, body, 4, seconds=2))  # warm
            for count in clients:
                taken, statuses, _ = asyncio.run(load(port, path, body, count, seconds=seconds))
                cuts = statistics.quantiles(taken, n=100)
                rate, p50, p99 = len(taken) / seconds, 1000 * cuts[49], 1000 * cuts[98]
                told = f"{rate:7.0f} requests/s, p50 {p50:7.1f} ms, p99 {p99:7.1f} ms"
                print(f"{name:8} {title:20} {count:3} clients: {told}, {dict(statuses)}")


def promote(root: Path, name: str, requests: int) -> None:
    """Print what 16 clients were answered while another version became champion."""
    client = connect(root)
    version = get_alias(client, name, CHAMPION)
    example = Path(model_location(client, version).removeprefix("file://"))
    body = one_row(example / "serving_input_example.json")
    other = client.create_model_version(
        name, version.source, version.run_id, tags=dict(version.tags)
    )
    accept_version(Workspace.open(name, root), int(other.version))

    def change() -> None:
        client.set_registered_model_alias(name, CHAMPION, other.version)

    with serving(root, ["penstock", "serve", name], f"/{name}") as port:
        path = f"/{name}/predict"
        taken, statuses, versions = asyncio.run(
            load(port, path, body, 16, requests=requests, change=change)
        )
    switches = sum(a != b for a, b in pairwise(versions))
    print(f"{name}: {len(taken):,} requests, {dict(statuses)}, {dict(Counter(versions))}")
    print(f"the version changed {switches} time(s) in the order of answers")


def one_row(example: Path) -> bytes:
    """The first row of the example that was packaged with a model."""
    table = json.loads(example.read_text())["dataframe_split"]
    return json.dumps({"dataframe_split": {**table, "data": table["data"][:1]}}).encode()


@contextmanager
def serving(root: Path, command: list[str], health: str) -> Iterator[int]:
    """A server in a process of its own, as soon as it answers; its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    run = [sys.executable, "-m", *command, "--port", str(port)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(run, cwd=root, start_new_session=True, **quiet)
    try:
        while True:
            with suppress(URLError, ConnectionError, TimeoutError):
                urlopen(f"http://127.0.0.1:{port}{health}", timeout=60).close()
                break
            if process.poll() is not None:
                raise SystemExit(f"{' '.join(run)}: ended")
            time.sleep(0.2)
        yield port
    finally:
        process.terminate()
        process.wait()


async def load(port, path, body, clients, seconds=1e9, requests=1e9, change=None):
    """Ask from some connections at once; seconds of each answer, statuses, versions in order."""
    taken: list[float] = []
    statuses: Counter[int] = Counter()
    versions: list[int] = []
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode()
    end = time.perf_counter() + seconds
    sent = 0

    async def ask() -> None:
        nonlocal sent
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.perf_counter() < end and sent < requests:
            sent += 1
            if change and sent == requests // 4:
                await asyncio.to_thread(change)
            begun = time.perf_counter()
            writer.write(head + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = int(answer.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
            content = await reader.readexactly(length)
            taken.append(time.perf_counter() - begun)
            statuses[int(answer.split(b" ", 2)[1])] += 1
            with suppress(ValueError, KeyError):
                versions.append(json.loads(content)["model"]["version"])
        writer.close()

    await asyncio.gather(*(ask() for _ in range(clients)))
    return taken, statuses, versions


if __name__ == "__main__":
    main()
