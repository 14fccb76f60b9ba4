"""What it costs on a busy machine that waiting threads spin: training in three ways, side by side.

GNU's OpenMP, which PyTorch has on Linux, lets a thread that waits for work turn in a loop for a
while and then sleep. On a busy machine that takes a core from the thread that is waited for. Here
each round trains the network of mnist for some steps by the library's default, by what Penstock
sets before PyTorch is loaded (GOMP_SPINCOUNT), and with threads that sleep at once
(OMP_WAIT_POLICY), beside as many busy loops as there are cores and alone.

    python benchmarks/waiting.py [--rounds 5]
"""

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from hardware import describe_hardware

SWITCHES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")
WAYS = {
    "default": {},
    "as Penstock sets it": {"GOMP_SPINCOUNT": "5000"},
    "asleep at once": {"OMP_WAIT_POLICY": "PASSIVE"},
}
BUSY = "while True: pass"
TRAIN = """
import time
import torch
torch.ones(2**20).sum()  # OpenMP reads its settings now
from penstock.pipelines.mnist.network import network
from penstock.pipelines.mnist.params import CNN
torch.set_num_threads(2)
model = network(CNN(), {"image_size": [28, 28], "classes": list("0123456789")})
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
images, labels = torch.randint(0, 255, (128, 28, 28)).byte(), torch.randint(0, 10, (128,))
def step():
    loss = torch.nn.functional.cross_entropy(model(images), labels)
    optimizer.zero_grad(); loss.backward(); optimizer.step()
step()
started = time.perf_counter()
for _ in range(40):
    step()
print(time.perf_counter() - started)
"""


def main() -> None:
    """Print how long the other ways take, in seconds per second of the default, for each round."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    print(describe_hardware())
    for title, loops in (("alone", 0), ("beside busy loops", os.cpu_count() or 1)):
        with busy(loops):
            taken = [{way: seconds(it) for way, it in WAYS.items()} for _ in range(rounds)]
        for way in list(WAYS)[1:]:
            ratios = [it[way] / it["default"] for it in taken]
            print(
                f"{title}, {way}: {statistics.median(ratios):.2f} times as long as by default "
                f"({', '.join(f'{it:.2f}' for it in ratios)})"
            )


@contextmanager
def busy(loops: int) -> Iterator[None]:
    """Keep processes busy meanwhile."""
    processes = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(loops)]
    try:
        yield
    finally:
        for process in processes:
            process.kill()
            process.wait()


def seconds(way: dict[str, str]) -> float:
    """Train in a process of its own, whose threads wait as `way` says.

    PyTorch is loaded there before Penstock, which would set one of these.
    """
    others = {name: it for name, it in os.environ.items() if name not in SWITCHES}
    done = subprocess.run(
        [sys.executable, "-c", TRAIN],
        env={**others, **way},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


if __name__ == "__main__":
    main()
