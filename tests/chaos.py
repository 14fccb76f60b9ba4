"""Does a pipeline survive killed processes? Kill stage, DVC or flow at any moment, then run again.

    python tests/chaos.py --rounds 20
    python tests/chaos.py --rounds 5 --ctrl-c    # press Ctrl-C instead

Each round starts from raw files, with an empty cache, in a copy of the project; a process of the
run gets SIGKILL at a random moment; then `penstock run` has to finish with the hashes of an
undisturbed run, and to leave no process, no lock, no partial file and no run that is RUNNING.
Exits with 1 if a round fails.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
from ruamel.yaml import YAML

from projects import QUICK, ROOT, Project

sys.path.insert(0, str(ROOT / "benchmarks"))
from hardware import describe_hardware

NAME = "mnist"
WAYS = {
    "penstock run": [sys.executable, "-m", "penstock", "run", NAME],
    "dvc repro": [sys.executable, "-m", "dvc", "repro", f"register@{NAME}"],
    "penstock flow": [sys.executable, "-m", "penstock", "flow", NAME],
}
PATIENCE = 15.0  # seconds for what was started by a killed process to end by itself


def make_parser(description: str, rounds: int) -> argparse.ArgumentParser:
    """How many rounds, and which."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--seed", type=int, default=0)
    return parser


def make_project(folder: Path) -> Project:
    """A copy of the project with one pipeline, which trains for a moment."""
    project = Project.create(folder / "project")
    project.keep(NAME)
    project.set(**{**QUICK, "train": {**QUICK["train"], "min_steps": 200}})
    return project


def forget(folder: Path) -> None:
    """Remove all results, so that every stage has to run; the registry and its runs stay."""
    for name in (f"data/{NAME}", "data/samples", ".dvc/cache", ".dvc/tmp"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in ("dvc.lock", "data/dvc.lock"):
        (folder / name).unlink(missing_ok=True)


def outputs(folder: Path) -> dict[str, str]:
    """What DVC knows each output by; nothing if no stage has ended."""
    lock = folder / "dvc.lock"
    stages = YAML(typ="safe").load(lock)["stages"] if lock.exists() else {}
    return {
        out["path"]: out["md5"]
        for stage in stages.values()
        for out in stage["outs"]
        if not out["path"].endswith("receipt.json")  # it names the version
    }


def choose_victim(project: Project, first: int, wanted: str) -> psutil.Process | None:
    """The process to kill: the `first` one, the stage at work, or the runner between them."""
    alive = project.processes()
    if wanted == "first":
        return next((it for it in alive if it.pid == first), None)
    below = [it for it in alive if it.pid != first]
    commands = {it: " ".join(it.cmdline()) for it in below if it.is_running()}
    mark = "penstock.running.runner" if wanted == "runner" else f" {NAME}"
    chosen = [
        it
        for it, command in commands.items()
        if mark in command and ("penstock.running.runner" in command) == (wanted == "runner")
    ]
    if wanted == "stage" and (forked := project.forked()):
        return forked[-1]
    return chosen[-1] if chosen else None


def wrong(project: Project, expected: dict[str, str]) -> list[str]:
    """What is not as it should be after the second run."""
    folder, found = project.root, []
    if (now := outputs(folder)) != expected:
        differing = [path for path in expected if now.get(path) != expected[path]]
        found.append(f"other hashes: {', '.join(differing)}")
    partial = [*folder.glob("data/*/.partial/*"), *folder.glob("data/**/.*.partial")]
    partial += folder.glob("data/*/.checkpoints")
    if partial:
        found.append(f"left behind: {', '.join(str(path.relative_to(folder)) for path in partial)}")
    with sqlite3.connect(folder / "mlruns" / "mlflow.db") as database:
        running = database.execute("select count(*) from runs where status = 'RUNNING'")
        if count := running.fetchone()[0]:
            found.append(f"{count} runs RUNNING")
    lock = folder / ".dvc" / "tmp" / "rwlock"
    if lock.exists() and any(json.loads(lock.read_text() or "{}").values()):
        found.append("locks held in DVC")
    if alive := project.processes():
        found.append(f"{len(alive)} processes left")
    return found


def start(project: Project, way: str) -> subprocess.Popen:
    """Run from raw files, with an empty cache."""
    forget(project.root)
    with (project.root.parent / "log").open("w") as log:
        return subprocess.Popen(
            WAYS[way],
            cwd=project.root,
            env={**project.environment(), "PREFECT_HOME": str(project.root.parent / "prefect")},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def play(
    project: Project, chance: random.Random, seconds: dict[str, float], expected: dict, ctrl_c: bool
) -> dict:
    """Kill once and run again; answer a row of the table."""
    way = chance.choice(["penstock run", "penstock flow"] if ctrl_c else list(WAYS))
    wanted = chance.choice(["stage", "first", *(["runner"] if way == "penstock flow" else [])])
    moment = chance.uniform(0.2, seconds[way])
    started = start(project, way)
    time.sleep(moment)
    command = "nothing: none was running"
    ended = time.perf_counter()
    if ctrl_c:
        command = "Ctrl-C"
        os.killpg(started.pid, signal.SIGINT)
    elif (victim := choose_victim(project, started.pid, wanted)) is not None:
        words = victim.cmdline()
        command = " ".join(Path(word).name for word in words[-3:]) if words else "an ending process"
        victim.send_signal(signal.SIGKILL)
    started.wait(120)
    orphans = [] if project.gone(PATIENCE) else project.processes()
    waited = time.perf_counter() - ended
    again = project.run("penstock", "run", NAME, check=False)
    problems = wrong(project, expected) if again.returncode == 0 else [again.stderr.strip()[-300:]]
    if orphans:
        problems.append(f"orphans: {[' '.join(it.cmdline()[:4]) for it in orphans]}")
    return {
        "way": way,
        "killed": command,
        "after s": f"{moment:.1f}",
        "all ended s": f"{waited:.1f}",
        "result": "; ".join(problems) or "ok",
    }


def main() -> None:
    """Play the rounds; print a table."""
    parser = make_parser(str(__doc__), rounds=20)
    parser.add_argument("--ctrl-c", action="store_true", help="interrupt instead of killing")
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    print(describe_hardware())
    with tempfile.TemporaryDirectory() as temporary:
        project = make_project(Path(temporary))
        seconds, results = {}, []
        for way in WAYS:  # undisturbed: how long, and with which results
            began = time.perf_counter()
            if start(project, way).wait():
                sys.exit((project.root.parent / "log").read_text())
            seconds[way] = time.perf_counter() - began
            results.append(outputs(project.root))
        expected = results[0]
        if results != [expected] * len(WAYS):
            sys.exit("the ways differ in their results, undisturbed")
        print(", ".join(f"{way} undisturbed {value:.0f} s" for way, value in seconds.items()))
        failed = 0
        print("  n  way  killed  after s  all ended s  result")
        for number in range(arguments.rounds):
            row = play(project, chance, seconds, expected, arguments.ctrl_c)
            failed += row["result"] != "ok"
            print(f"{number + 1:3}  " + "  ".join(str(value) for value in row.values()), flush=True)
    print(f"{arguments.rounds - failed} of {arguments.rounds} rounds ok")
    sys.exit(failed > 0)


if __name__ == "__main__":
    main()
