"""Places to train at: one training per GPU, and on the CPU as many as have cores of their own.

Two trainings on the same cores are far slower than one after the other, and on one GPU they may
run out of its memory. A place is kept by locks on files that all users of the machine share; the
kernel frees them when their holder dies, however it dies.
"""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from ..messages.errors import PenstockError, raise_if_temporary
from ..messages.printable import printable

FOLDER = "PENSTOCK_SLOTS"  # environment variable: the folder of locks, for containers to share
POLL = 0.5  # seconds between looks at places that are taken
TELL = 60.0  # seconds after which a person is told again that a training waits

Slot = tuple[tuple[str, ...], torch.device]  # the locks it takes, where to train


@contextmanager
def training_slot(device: torch.device, threads: int, label: str) -> Iterator[torch.device]:
    """Keep a place to train for the block; wait for one while all are taken.

    Args:
        device: the kind of device to train on.
        threads: CPU threads of the training.
        label: what a person knows the training by: `train mnist`.

    Yields:
        The device; of several GPUs the first that was free.

    Raises:
        PenstockError: the folder of locks cannot be written.
    """
    locks, place = _wait(find_slots(device, threads), label)
    try:
        yield place
    finally:
        _release(locks)


def find_slots(device: torch.device, threads: int) -> list[Slot]:
    """List the places to train on a kind of device, whether free or taken.

    A GPU goes by its UUID: its number depends on CUDA_VISIBLE_DEVICES. On the CPU a place is as
    many cores as there are threads, or all there are, each with a lock, so that trainings with
    other numbers of threads count as well.
    """
    if device.type == "cuda":
        uuids = [
            torch.cuda.get_device_properties(number).uuid
            for number in range(torch.cuda.device_count())
        ]
        return [((f"gpu-{it}",), torch.device("cuda", n)) for n, it in enumerate(uuids)]
    if device.type != "cpu":
        return [((device.type,), device)]
    cores = [f"core-{number}" for number in _cores()]
    threads = min(threads, len(cores))
    starts = range(0, len(cores) - threads + 1, threads)
    return [(tuple(cores[start : start + threads]), device) for start in starts]


def _cores() -> list[int]:
    """The cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def _wait(slots: list[Slot], label: str) -> tuple[list[FileLock], torch.device]:
    """Take the first free place; looks again and again, so that signals end the wait."""
    folder = _folder()
    due = 0.0
    while True:
        for names, place in slots:
            if locks := _take([folder / f"{name}.lock" for name in names], label):
                return locks, place
        if time.monotonic() >= due:
            holders = printable(_holders(folder, slots))  # other users write there
            print(f"{label}: waiting for {_describe(slots)} {holders}", flush=True)
            due = time.monotonic() + TELL
        time.sleep(POLL)


def _take(files: list[Path], label: str) -> list[FileLock]:
    """Take all locks or none. In one order, so that of two who want the same one gets them."""
    taken: list[FileLock] = []
    try:
        for file in files:
            # Not soft where there is no flock: that one would outlive its holder.
            lock = FileLock(file, mode=0o666, fallback_to_soft=False)
            lock.acquire(blocking=False)
            taken.append(lock)
        for file in files:
            _note(file, f"{label}, process {os.getpid()}")
    except Timeout:
        _release(taken)
        return []
    except OSError as error:
        _release(taken)
        raise _unusable(files[0].parent, error) from None
    except BaseException:  # Ctrl-C
        _release(taken)
        raise
    return taken


def _release(locks: list[FileLock]) -> None:
    for lock in locks:
        with suppress(OSError):
            _note(Path(lock.lock_file), "")
        lock.release()


def _note(file: Path, text: str) -> None:
    """Write into a lock's file who has it, for those who wait."""
    with file.open("r+") as note:  # not "w": that may not be another user's file in such a folder
        note.truncate()
        note.write(text)


def _folder() -> Path:
    """The folder of locks, made so that every user of the machine can take them."""
    named = os.environ.get(FOLDER)
    folder = Path(named) if named else Path(tempfile.gettempdir()) / "penstock-slots"
    try:
        folder.mkdir(parents=True)
        folder.chmod(0o1777)
    except FileExistsError:
        pass
    except OSError as error:
        raise _unusable(folder, error) from None
    return folder


def _unusable(folder: Path, error: OSError) -> PenstockError:
    raise_if_temporary(error, folder)
    return PenstockError(
        f"{error.filename or folder}: cannot be written ({error.strerror or error}); expected a "
        f"folder for the locks of trainings; set {FOLDER} to one that all who train here can write"
    )


def _describe(slots: list[Slot]) -> str:
    names, device = slots[0]
    if device.type == "cpu":
        return "a free core" if len(names) == 1 else f"{len(names)} free cores"
    return f"a free {'GPU' if device.type == 'cuda' else device.type}"


def _holders(folder: Path, slots: list[Slot]) -> str:
    """Who has the places, by their notes; one that was killed may be among those of cores."""
    names = dict.fromkeys(name for names, _ in slots for name in names)
    notes = []
    for name in names:
        try:
            notes.append((folder / f"{name}.lock").read_text(errors="replace").strip())
        except OSError:
            continue
    found = [note for note in dict.fromkeys(notes) if note.isprintable() and note]
    return f"({len(found)} taken: {'; '.join(found)})" if found else "(all taken)"
