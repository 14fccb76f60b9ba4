"""What it costs, on a busy machine, that idle threads spin: training with and without, in pairs.

OpenMP's threads may wait for work by spinning, which takes a core from whoever is to give them
that. Penstock sets OMP_WAIT_POLICY=PASSIVE before PyTorch is loaded. Here each pair trains the
network of mnist for some steps both ways, beside as many busy loops as there are cores and alone.

    python benchmarks/waiting.py [--pairs 5]
"""

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from hardware import describe_hardware

BUSY = "while True: pass"
TRAIN = """
import time
import torch
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
    """Print the ratio of seconds, as it is by default to sleeping, of each pair."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=5)
    pairs = parser.parse_args().pairs
    print(describe_hardware())
    for title, loops in (("alone", 0), ("beside busy loops", os.cpu_count() or 1)):
        with busy(loops):
            ratios = [seconds(None) / seconds("PASSIVE") for _ in range(pairs)]
        shown = ", ".join(f"{it:.2f}" for it in ratios)
        print(
            f"{title}: by default it takes {statistics.median(ratios):.2f} times as long ({shown})"
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


def seconds(policy: str | None) -> float:
    """Train in a process of its own, whose threads wait by a policy; by OpenMP's default if None.

    PyTorch is loaded there before Penstock, which would set one.
    """
    environment = {name: it for name, it in os.environ.items() if name != "OMP_WAIT_POLICY"}
    done = subprocess.run(
        [sys.executable, "-c", TRAIN],
        env={**environment, **({"OMP_WAIT_POLICY": policy} if policy else {})},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


if __name__ == "__main__":
    main()
