"""Do scheduled runs survive a killed stage, runner, flow, worker or server?

    python tests/chaos_service.py --rounds 30

`penstock up` serves a copy of the project. In each round a run of the deployment `pipeline` starts
from raw files with an empty cache; something gets SIGKILL at a random moment; `penstock up` starts
what is missing, as systemd would, and the next run of the deployment has to finish with the hashes
of an undisturbed run. Nothing may be left: no process, no lock, no run of MLflow or Prefect that is
RUNNING, no stale stage, and the champion where it was. Exits with 1 if a round fails.
"""

import random
import signal
import sys
import tempfile
import time
from collections import Counter
from functools import partial
from pathlib import Path

import psutil

from chaos import NAME, ROOT, forget, make_parser, make_project, outputs, wrong
from penstock.supervision import services
from projects import Project, client_of
from servers import Prefect, free_port

sys.path.insert(0, str(ROOT / "benchmarks"))
from hardware import describe_hardware

DEPLOYMENT = "pipeline/on-demand"
ENDS = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}
PATIENCE = 240.0  # seconds for a run: one that died is marked after 90, and holds the queue so long

# What to kill, and the words of its command line; the services are known by their process.
VICTIMS = {
    "stage": (" penstock ", "/penstock "),
    "runner": ("penstock.running.runner",),
    "flow": ("prefect.engine",),
    "worker": (),
    "prefect": (),
}


def below(project: Project) -> list[psutil.Process]:
    """Processes of the project but for the services: flow runs, runners, stages."""
    known = services.alive(project.root)
    kept = {service.pid for service in known.values()}
    for name in (services.SERVER, services.TRACKING):
        if name in known:
            process = known[name].process()
            kept |= {it.pid for it in process.children(recursive=True)} if process else set()
    return [it for it in project.processes() if it.pid not in kept]


def choose_victim(project: Project, wanted: str) -> psutil.Process | None:
    """The process to kill, if there is such a one."""
    if not VICTIMS[wanted]:
        service = services.alive(project.root).get(wanted)
        return service.process() if service else None
    if wanted == "stage" and (forked := project.forked()):
        return forked[-1]
    for process in reversed(below(project)):
        try:
            command = " ".join(process.cmdline())
        except psutil.Error:
            continue
        if any(words in command for words in VICTIMS[wanted]) and (
            wanted != "stage"
            or (f" {NAME}" in command and "penstock.running.runner" not in command)
        ):
            return process
    return None


def state_of(prefect: Prefect, run: str) -> str:
    return prefect.ask("GET", f"flow_runs/{run}")["state"]["type"]


def wait_for_all(prefect: Prefect, runs: list[str]) -> float:
    """Wait until these runs have ended and no other is on its way; answer for how long."""
    began = time.perf_counter()
    going = {"type": {"any_": ["PENDING", "RUNNING", "CANCELLING"]}}
    while time.perf_counter() - began < PATIENCE:
        ended = all(state_of(prefect, run) in ENDS for run in runs)
        if ended and not prefect.find("flow_runs", flow_runs={"state": going}):
            break
        time.sleep(0.5)
    return time.perf_counter() - began


def left_behind(project: Project, prefect: Prefect, expected: dict, champion: str) -> list[str]:
    """What is not as it should be after the second run."""
    found = [it for it in wrong(project, expected) if "processes left" not in it]
    deadline = time.monotonic() + 15
    while (alive := below(project)) and time.monotonic() < deadline:
        time.sleep(0.2)
    found += [f"orphan: {' '.join(it.cmdline()[-3:])}" for it in alive if it.is_running()]
    running = {"state": {"type": {"any_": ["RUNNING", "PENDING"]}}}
    if runs := prefect.find("flow_runs", flow_runs=running):
        found.append(f"{len(runs)} runs of Prefect on their way")
    status = project.run("dvc", "status", f"register@{NAME}").stdout
    if "up to date" not in status:
        found.append(f"stale: {status.strip()[:200]}")
    now = client_of(project).get_model_version_by_alias(NAME, "champion").version
    if now != champion:
        found.append(f"champion was v{champion}, is v{now}")
    return found


def play(project, prefect, up, chance, seconds, expected, champion) -> dict[str, str]:
    """Kill once, start what is missing, run again; answer a row of the table."""
    wanted = chance.choice(list(VICTIMS))
    moment = chance.uniform(0.5, seconds)
    forget(project.root)
    first = prefect.start(DEPLOYMENT, name=NAME)
    time.sleep(moment)
    victim = choose_victim(project, wanted)
    words = victim.cmdline() if victim else []
    if victim:
        victim.send_signal(signal.SIGKILL)
    killed = f"{wanted}: " + " ".join(Path(it).name for it in words[-2:]) if words else "nothing"
    time.sleep(2)  # as systemd does before it starts a service again
    up()
    second = prefect.start(DEPLOYMENT, name=NAME)
    waited = wait_for_all(prefect, [first, second])
    problems = left_behind(project, prefect, expected, champion)
    if (state := state_of(prefect, second)) != "COMPLETED":
        problems.append(f"the second run: {state}")
    return {
        "killed": killed,
        "after s": f"{moment:.1f}",
        "first run": state_of(prefect, first).lower(),
        "second done s": f"{waited:.0f}",
        "result": "; ".join(problems) or "ok",
    }


def main() -> None:
    """Play the rounds; print a table."""
    parser = make_parser(str(__doc__), rounds=30)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    print(describe_hardware())
    with tempfile.TemporaryDirectory() as temporary:
        project = make_project(Path(temporary))
        only_on_demand(project.root / "prefect.yaml")
        port = free_port()
        ports = ["--prefect-port", str(port), "--mlflow-port", str(free_port())]
        ports += ["--serve-port", str(free_port())]
        prefect = Prefect(project, port)
        try:
            up = partial(project.run, "penstock", "up", *ports)
            play_rounds(project, prefect, up, chance, arguments.rounds)
        finally:
            project.run("penstock", "down")


def play_rounds(project, prefect, up, chance, count) -> None:
    up()
    began = time.perf_counter()
    prefect.finished(prefect.start(DEPLOYMENT, name=NAME))
    seconds = time.perf_counter() - began
    expected = outputs(project.root)
    champion = client_of(project).get_model_version_by_alias(NAME, "champion").version
    print(f"undisturbed {seconds:.0f} s")
    print("  n  killed  after s  first run  second done s  result")
    results = Counter()
    for number in range(count):
        row = play(project, prefect, up, chance, seconds, expected, champion)
        results[row["result"] == "ok"] += 1
        print(f"{number + 1:3}  " + "  ".join(row.values()), flush=True)
    print(f"{results[True]} of {count} rounds ok")
    if results[False]:
        raise SystemExit(1)


def only_on_demand(file: Path) -> None:
    """Nothing else may run by the clock meanwhile."""
    head, _, deployments = file.read_text().partition("deployments:\n")
    first = deployments.partition("\n  - name: nightly")[0]
    file.write_text(
        f"{head}deployments:\n{first}\n".replace("tags: [penstock]", "tags: [penstock, chaos]")
    )


if __name__ == "__main__":
    main()
