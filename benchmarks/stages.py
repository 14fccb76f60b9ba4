"""Seconds of each stage outside its real work: imports, tracking, packaging.

Each stage runs as a command would, in a process of its own, on the sample or on a folder of IDX
files. The real work is the pipeline's reading, Great Expectations' checks, the training epochs and
the scoring of the test split; register has none but proving the model, so all of it is shown.

    python benchmarks/stages.py [--source FOLDER] [--rounds 3]
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hardware import describe_hardware

ROOT = Path(__file__).parent.parent

# What counts as real work, by stage: the function whose seconds are taken out of the total.
WORK = {
    "ingest": ("penstock.pipelines.mnist.ingest", "ingest"),
    "validate": ("penstock.stages.validate", "check"),
    "train": ("penstock.stages.train", "fit"),
    "evaluate": ("penstock.pipelines.mnist.evaluate", "evaluate"),
    "register": ("penstock.stages.register", "prove"),
}

CHILD = """
import importlib, json, sys, time
started = time.perf_counter()
stage, module, function = sys.argv[1:4]
stages = importlib.import_module(f"penstock.stages.{stage}")
home = importlib.import_module(module)
imported = time.perf_counter()
work = 0.0
original = getattr(home, function)
def timed(*arguments, **options):
    global work
    begun = time.perf_counter()
    try:
        return original(*arguments, **options)
    finally:
        work += time.perf_counter() - begun
setattr(home, function, timed)
from penstock.project.workspace import Workspace
getattr(stages, stage)(Workspace.open("mnist"))
ended = time.perf_counter()
print("SECONDS", json.dumps([imported - started, work, ended - imported - work]))
"""


def main() -> None:
    """Print, for each stage, the median seconds of process start, imports, work and the rest."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", help="four IDX files; default: the sample")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print(describe_hardware())
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        make_project(root, options.source)
        print(f"{'stage':10}{'total':>8}{'start':>8}{'imports':>9}{'work':>8}{'rest':>8}   seconds")
        for stage in WORK:
            rows = [measure(root, stage) for _ in range(options.rounds)]
            medians = [statistics.median(column) for column in zip(*rows, strict=True)]
            print(
                f"{stage:10}"
                + "".join(f"{v:{w}.2f}" for v, w in zip(medians, (8, 8, 9, 8, 8), strict=True))
            )


def make_project(root: Path, source: str | None) -> None:
    """Copy what a stage reads of the project; make the sample or name the source."""
    for name in ("params.yaml", "dvc.yaml"):
        shutil.copy(ROOT / name, root)
    penstock = [sys.executable, "-m", "penstock"]
    subprocess.run([*penstock, "sample", "mnist"], cwd=root, check=True, capture_output=True)
    if source:
        file = root / "params.yaml"
        text = file.read_text()
        file.write_text(text.replace("data/samples/mnist", str(Path(source).resolve())))


def measure(root: Path, stage: str) -> tuple[float, ...]:
    """Run one stage; answer total, process start, imports, work and the rest."""
    begun = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", CHILD, stage, *WORK[stage]],
        cwd=root,
        env={**os.environ},
        capture_output=True,
        text=True,
        check=True,
    )
    total = time.perf_counter() - begun
    line = next(line for line in done.stdout.splitlines() if line.startswith("SECONDS"))
    imports, work, rest = json.loads(line[7:])
    return total, total - imports - work - rest, imports, work, rest


if __name__ == "__main__":
    main()
