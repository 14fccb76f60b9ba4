"""What takes space, what may go, and removing it: nothing that dvc.lock or a version needs."""

import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dvc.repo import Repo
from dvc_data.hashfile.gc import gc
from dvc_data.hashfile.hash_info import HashInfo
from dvc_data.hashfile.tree import Tree
from dvc_objects.errors import ObjectFormatError
from filelock import FileLock, Timeout
from rich.table import Table

from .. import pipeline
from ..messages.terminal import add_row, make_table
from ..project.workspace import Workspace, find_root
from ..tracking.artifacts import RunFiles, mark_removed, run_files

UNFINISHED = (".partial", ".checkpoints", ".scratch", ".crossval", ".look")


@dataclass
class Space:
    """Files of one kind.

    Attributes:
        what: the kind.
        lost: what is lost with those that may go.
        needed: bytes that must stay.
        free: bytes that may go.
        paths: what may go.
    """

    what: str
    lost: str
    needed: int = 0
    free: int = 0
    paths: list[Path] = field(default_factory=list)

    def add(self, path: Path, needed: bool) -> None:
        """Count a file or folder."""
        if needed:
            self.needed += size(path)
        else:
            self.free += size(path)
            self.paths.append(path)


def clean(days: int, remove: bool) -> Table:
    """Measure what takes space in the project; remove what may go if asked.

    Args:
        days: artifacts of unregistered runs go when they are older.
        remove: whether to remove, or only to show.

    Returns:
        A row per kind of files: megabytes needed and free, and what is lost.
    """
    root = find_root()
    ran = [name for name in pipeline.names() if (root / "data" / name).is_dir()]
    workspaces = [Workspace.open(name, root) for name in ran]
    runs = [(workspace, it) for workspace in workspaces for it in run_files(workspace, days)]
    kinds = [
        _cache(root, {it.dataset for _, it in runs if it.dataset}, remove),
        _artifacts(runs, days, remove),
        _unfinished(workspaces, remove),
    ]
    done = "removed MB" if remove else "may go MB"
    table = make_table("what", "needed MB", done, "lost with it")
    for kind in kinds:
        add_row(table, kind.what, f"{kind.needed / 1e6:,.1f}", f"{kind.free / 1e6:,.1f}", kind.lost)
    return table


def _cache(root: Path, datasets: set[str], remove: bool) -> Space:
    """Objects in DVC's cache; those of any branch or tag and of registered datasets are needed."""
    space = Space("DVC cache", "going back to former settings runs the stages again")
    with Repo(str(root)) as repo, repo.lock:
        cache = repo.cache.local
        logging.getLogger("dvc").setLevel(logging.ERROR)  # it warns of stages that never ran
        ids = repo.used_objs(all_branches=True, all_tags=True).values()
        used = set().union(*ids) | set(_dataset_objects(cache, datasets))
        names = {it.value for it in used}
        for name in cache.all():
            space.add(Path(cache.oid_to_path(name)), name in names)
        if remove:
            gc(cache, used)
    return space


def _dataset_objects(cache: object, datasets: set[str]) -> Iterator[HashInfo]:
    for value in datasets:
        folder = HashInfo("md5", value)
        yield folder
        try:
            yield from (found for _, _, found in Tree.load(cache, folder))
        except (FileNotFoundError, ObjectFormatError):
            continue  # it is not in this cache


def _artifacts(runs: list[tuple[Workspace, RunFiles]], days: int, remove: bool) -> Space:
    """Artifacts of runs; those of registered versions are needed."""
    lost = f"pages and figures of unregistered runs older than {days} days; their numbers stay"
    space = Space("run artifacts", lost)
    for workspace, it in runs:
        space.add(it.folder, bool(it.needed))
        if remove and not it.needed:
            mark_removed(workspace, it.run_id)
            shutil.rmtree(it.folder)
    return space


def _unfinished(workspaces: list[Workspace], remove: bool) -> Space:
    """What killed stages and `penstock run -S` left, where no process is at work."""
    space = Space("unfinished work, -S", "reports and models of `penstock run -S`")
    for workspace in workspaces:
        paths = [workspace.folder / name for name in UNFINISHED]
        paths = [path for path in paths if path.exists()]
        try:
            with FileLock(workspace.folder / ".lock", timeout=0):
                for path in paths:
                    space.add(path, needed=False)
                    if remove:
                        shutil.rmtree(path)
        except Timeout:
            for path in paths:
                space.add(path, needed=True)
        except FileNotFoundError:
            continue  # nothing has run here
    return space


def size(path: Path) -> int:
    """Bytes of a file, or of all files below a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(it.stat().st_size for it in path.rglob("*") if it.is_file())
