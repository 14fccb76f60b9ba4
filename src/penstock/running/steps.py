"""What DVC knows of a pipeline: the steps to a registered model, and which of them are stale."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import networkx
from dvc.dependency.param import ParamsDependency
from dvc.exceptions import DvcException
from dvc.repo import Repo
from dvc.stage import Stage

from ..datasets.source import check_files, check_source
from ..messages.errors import PenstockError, TemporaryError, is_temporary
from ..project.workspace import FEEDBACK, INPUTS_FILE, Workspace
from .inputs import stage_inputs, value_at
from .lockfiles import mend

_ONE_AT_A_TIME = threading.RLock()
_open: list[Repo] = []


@dataclass(frozen=True)
class Step:
    """A stage of DVC on the way to a registered model.

    Attributes:
        stage: `inputs`, `sample`, `download`, `ingest`, ... `register`.
        address: what DVC knows it by.
        label: what a person sees: `train mnist`.
    """

    stage: str
    address: str
    label: str


# Pipeline -> its stale stages, or why nobody can tell.
Survey = dict[str, list[Step] | PenstockError]


def plan(workspace: Workspace) -> list[Step]:
    """List the steps to a registered model, sources first, when the source can be read.

    Raises:
        PenstockError: the source is missing with nothing to make it, or cannot be read.
    """
    mend(workspace.root)
    (workspace.root / FEEDBACK).mkdir(parents=True, exist_ok=True)  # DVC stops where it is missing
    there = workspace.source.exists()
    if there:  # before DVC walks it: it stops at what it cannot read
        check_files(workspace.source, links_out=workspace.params.many_files)
    with asking_dvc(workspace.root) as repo:
        last = _find(repo, f"{repo.root_dir}/dvc.yaml:register@{workspace.name}")
        stages = list(networkx.dfs_postorder_nodes(repo.index.graph, last))
    if not there and not any(Path(o.fs_path) == workspace.source for it in stages for o in it.outs):
        check_source(workspace.source, workspace.name)  # says what to do: nothing makes it
    return [
        Step(stage.name.split("@")[0], _address(stage), stage.name.replace("@", " "))
        for stage in stages
    ]


def list_stale(root: Path, steps: list[Step]) -> list[Step]:
    """Ask DVC which stages have to run, or may once those before them have.

    Where settings or code have changed since `inputs` wrote them, they count as they are now.

    Raises:
        PenstockError: DVC cannot tell, or a module is missing or is not Python.
    """
    with asking_dvc(root) as repo, repo.lock:
        stages = {it: _find(repo, it.address) for it in steps}
        stale = [it for it, stage in stages.items() if stage.changed()]
        if first := next((it for it in stale if it.stage == "inputs"), None):
            inputs = stage_inputs(first.address.rpartition("@")[2], root)
            stale = [it for it, stage in stages.items() if _would_be_stale(stage, inputs)]
        return stale


def survey(root: Path, names: list[str]) -> Survey:
    """Ask DVC about several pipelines at once: what is stale of each, or why nobody can tell."""

    def ask(name: str) -> list[Step] | PenstockError:
        try:
            stale = list_stale(root, plan(Workspace.open(name, root)))
            return [it for it in stale if it.stage != "inputs"]  # stale alone, it changes nothing
        except PenstockError as error:
            return error

    try:
        with asking_dvc(root):
            return {name: ask(name) for name in names}
    except PenstockError as error:
        return dict.fromkeys(names, error)


def fingerprint(root: Path, step: Step) -> str:
    """A digest of all that a stage depends on, as it is now: data, code, settings."""
    with asking_dvc(root) as repo, repo.lock:
        stage = _find(repo, step.address)
        stage.save_deps(allow_missing=True)
        depends = {str(it): it.hash_info.value for it in stage.deps}
        if own := _inputs_of(stage):
            depends[str(own)] = _values(own, stage_inputs(step.address.rpartition("@")[2], root))
    return hashlib.sha256(json.dumps(depends, sort_keys=True, default=str).encode()).hexdigest()


@contextmanager
def asking_dvc(root: Path) -> Iterator[Repo]:
    """Open the project in DVC; what it raises becomes one line.

    One thread at a time, and other processes are waited for: one may hash a large source. Around
    several questions it opens the project once, which saves half a second each; put it around
    questions only, for what changes meanwhile may not be seen.

    Raises:
        PenstockError: what DVC has to say. TemporaryError if that may pass.
    """
    with _ONE_AT_A_TIME:
        try:
            if _open:
                yield _open[-1]
                return
            with Repo(str(root), _wait_for_lock=True) as repo:
                _open.append(repo)
                try:
                    yield repo
                finally:
                    _open.clear()
        except (DvcException, OSError) as error:
            raise trouble(error) from None


def trouble(error: BaseException) -> PenstockError:
    """What DVC raised, as a line for people."""
    reason = " ".join(str(error).split())
    if is_temporary(error):
        return TemporaryError(f"DVC: {reason}; this may pass, try again later")
    return PenstockError(f"DVC: {reason}")


def _find(repo: Repo, address: str) -> Stage:
    """The stage at an address; DVC's own way to find it takes 70 ms."""
    for stage in repo.index.graph:
        if _address(stage) == address:
            return stage
    file, _, name = address.rpartition(":")
    raise PenstockError(f"{file} has no stage {name}; put it back")


def _would_be_stale(stage: Stage, inputs: dict[str, Any]) -> bool:
    """Whether a stage will be stale once `inputs` has written these."""
    own = _inputs_of(stage)
    if own is None:
        return bool(stage.changed())
    if own.hash_info.value != _values(own, inputs):
        return True
    stage.deps.remove(own)
    try:
        return bool(stage.changed())
    finally:
        stage.deps.append(own)


def _values(own: ParamsDependency, inputs: dict[str, Any]) -> dict[str, Any]:
    return {it: value_at(inputs, it) for it in own.params}


def _inputs_of(stage: Stage) -> ParamsDependency | None:
    """The dependency of a stage on what it takes of inputs.json."""
    files = (it for it in stage.deps if isinstance(it, ParamsDependency))
    return next((it for it in files if Path(it.fs_path).name == INPUTS_FILE), None)


def _address(stage: Stage) -> str:
    return f"{stage.path}:{stage.name}"
