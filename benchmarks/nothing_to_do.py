"""How long `dvc repro` takes that finds nothing to do, with more pipelines than there are.

The finished project is copied, and every pipeline in it as often as asked: its section of
params.yaml, its entries in dvc.lock and its outputs. The copies are never run. Wants the samples'
outputs: `make demo`.

    python benchmarks/nothing_to_do.py [--copies 3] [--rounds 4]
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from hardware import describe_hardware

ROOT = Path(__file__).parent.parent
YAML_SAFE = YAML(typ="safe")


def main() -> None:
    """Print the seconds of each round."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--copies", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=4)
    options = parser.parse_args()
    print(describe_hardware())
    with tempfile.TemporaryDirectory() as temporary:
        project = Path(temporary) / "project"
        left_out = shutil.ignore_patterns(".venv", "mlruns", "cache", "__pycache__", ".*_cache")
        shutil.copytree(ROOT, project, ignore=left_out, symlinks=True)
        (project / ".dvc" / "cache").symlink_to(ROOT / ".dvc" / "cache")
        names = multiply(project, options.copies)
        taken = [repro(project) for _ in range(options.rounds)]
    shown = ", ".join(f"{it:.2f}" for it in taken)
    print(f"{len(names)} pipelines: {shown} s")


def multiply(project: Path, copies: int) -> list[str]:
    """Add copies of every pipeline to a project; answer the names of all."""
    params = YAML_SAFE.load(project / "params.yaml")
    sections = params["pipelines"]
    names = list(sections)
    for number in range(2, copies + 1):
        sections |= {f"{name}{number}": sections[name] for name in names}
        for name in names:
            shutil.copytree(project / "data" / name, project / "data" / f"{name}{number}")
    YAML_SAFE.dump(params, project / "params.yaml")
    lock = YAML_SAFE.load(project / "dvc.lock")
    for address, entry in list(lock["stages"].items()):
        _, name = address.split("@")
        for number in range(2, copies + 1):
            lock["stages"][f"{address}{number}"] = renamed(entry, name, f"{name}{number}")
    YAML_SAFE.dump(lock, project / "dvc.lock")
    return list(sections)


def renamed(entry: Any, old: str, new: str) -> Any:
    """An entry of dvc.lock for a copy: its paths, its section, its command."""
    if isinstance(entry, dict):
        return {renamed(key, old, new): renamed(it, old, new) for key, it in entry.items()}
    if isinstance(entry, list):
        return [renamed(it, old, new) for it in entry]
    if isinstance(entry, str):
        return re.sub(rf"^(data/|pipelines\.|exec penstock \w+ ){old}\b", rf"\g<1>{new}", entry)
    return entry


def repro(project: Path) -> float:
    """Seconds of `dvc repro`, which must find nothing to do."""
    command = [sys.executable, "-m", "dvc", "repro"]
    dry = subprocess.run([*command, "--dry"], cwd=project, capture_output=True, text=True)
    if "Data and pipelines are up to date." not in dry.stdout:
        stale = re.findall(r"Running stage '(.+)'", dry.stdout)
        sys.exit(f"expected nothing to do, found {', '.join(stale)}{dry.stderr}; `make demo` first")
    began = time.perf_counter()
    subprocess.run(command, cwd=project, capture_output=True, check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
