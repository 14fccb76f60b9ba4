"""Stopping what `up` started, and nothing else."""

from pathlib import Path

from ..running.notification import forget_address
from .daemons import ask_to_end, end, end_service, kill, remaining
from .services import (
    PLAYGROUND,
    SERVER,
    TRACKING,
    WORKER,
    Service,
    alive,
    exclusive,
    flow_runs,
    of_worker,
    save,
)


def down(root: Path) -> list[str]:
    """Stop the worker and its flow runs, then the playground and MLflow, then the server.

    Flow runs come first, while the server is there to be told how they ended.

    Returns:
        What was stopped, in words.
    """
    with exclusive(root):
        services = alive(root)
        stopped = _stop_worker(services.get(WORKER), root)
        for name in (PLAYGROUND, TRACKING, SERVER):
            if service := services.get(name):
                end_service(service)
                stopped.append(f"{name}, process {service.pid}")
        save(root, {})
        forget_address(root)
    return stopped


def _stop_worker(worker: Service | None, root: Path) -> list[str]:
    """Stop it with all it started; flow runs end their stages themselves, when they are asked."""
    process = worker.process() if worker else None
    below = [it for it in of_worker(root, process) if it != process]
    runs = flow_runs(root, process)
    ask_to_end(runs)
    kill(remaining(below))
    if process:
        end([process])
    end(of_worker(root))  # what it started meanwhile
    stopped = [f"flow run, process {it.pid}" for it in runs]
    return stopped + ([f"{WORKER}, process {process.pid}"] if process else [])
