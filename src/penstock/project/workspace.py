"""Where things lie: the project's root, and the folder each pipeline owns."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from ..messages.errors import PenstockError
from ..settings.file import PARAMS_FILE, load_params
from ..settings.sections import PipelineParams

INPUTS_FILE = "inputs.json"
FEEDBACK = Path("data", "feedback")
WAIT = 30  # seconds for a process that is being ended to leave the folder


def find_root(start: Path | None = None) -> Path:
    """Find the project a folder belongs to: the nearest one above it with a params.yaml.

    Raises:
        PenstockError: there is none.
    """
    start = (start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if (folder / PARAMS_FILE).is_file() and (folder / "dvc.yaml").is_file():
            return folder
    raise PenstockError(
        f"{start}: not inside a Penstock project: no folder from here up holds "
        f"{PARAMS_FILE} and dvc.yaml; change into your project first"
    )


@dataclass(frozen=True)
class Workspace:
    """What a stage is given: one pipeline's parameters and the folder it owns.

    Attributes:
        root: the project.
        name: the pipeline.
        params: its settings.
        folder: where its outputs lie; `data/<name>` but for trials.
        tags: what the runs opened here are tagged with from the start.
    """

    root: Path
    name: str
    params: PipelineParams
    folder: Path
    tags: tuple[tuple[str, str], ...] = ()

    @classmethod
    def open(cls, name: str, root: Path | None = None) -> "Workspace":
        """Open the workspace of pipeline `name` in the project around the current folder."""
        root = root or find_root()
        return cls(root, name, load_params(name, root / PARAMS_FILE), root / "data" / name)

    @property
    def source(self) -> Path:
        """The raw data: a file or a folder, relative to the project's root."""
        return Path(os.path.normpath(self.root / self.params.source))

    @property
    def feedback(self) -> Path:
        """Answers that people marked as wrong, with the right ones."""
        return self.root / FEEDBACK / self.name

    @property
    def inputs(self) -> Path:
        """Settings, and digests of the code that each stage runs."""
        return self.folder / INPUTS_FILE

    @property
    def dataset(self) -> Path:
        """What ingest made of the raw data."""
        return self.folder / "dataset"

    @property
    def validation(self) -> Path:
        """gate.json, which train waits for, and validation.json, every expectation's result."""
        return self.folder / "validation"

    @property
    def model(self) -> Path:
        """Weights, what is needed to rebuild the network, and the curves of its training."""
        return self.folder / "model"

    @property
    def evaluation(self) -> Path:
        """Per-example scores, tables, figures and plots on the test split."""
        return self.folder / "evaluation"

    @property
    def metrics(self) -> Path:
        """The metrics of the last evaluation, small enough for git."""
        return self.folder / "metrics.json"

    @property
    def receipt(self) -> Path:
        """What register decided, and why."""
        return self.folder / "receipt.json"

    @property
    def report(self) -> Path:
        """The page a person reads."""
        return self.folder / "report.html"

    @property
    def checkpoints(self) -> Path:
        """Checkpoints of a training under way."""
        return self.folder / ".checkpoints"

    @contextmanager
    def exclusive(self) -> Iterator["Workspace"]:
        """Keep other processes out of the folder; the lock ends with its holder, however it ends.

        What a killed process left half-written is removed.

        Raises:
            PenstockError: another process is at work there, and is not done soon.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / ".lock")
        try:
            with lock.acquire(timeout=WAIT):
                _remove(self.folder / ".partial")
                yield self
        except Timeout:
            raise PenstockError(
                f"{self.folder}: another penstock process is at work there, for more than "
                f"{WAIT} s; wait until it is done, or end it"
            ) from None

    @contextmanager
    def writing(self, final: Path) -> Iterator[Path]:
        """Give a path to write to, that becomes `final` only when the block ends well.

        Yields:
            A path in the pipeline's `.partial` folder, for a file or a new folder.

        Raises:
            PenstockError: the disk is full.
        """
        partial = self.folder / ".partial" / final.name
        _remove(partial)
        partial.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield partial
        except BaseException as error:
            _remove(partial)
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise PenstockError(disk_full(final)) from None
            raise
        _remove(final)
        partial.replace(final)


@contextmanager
def scratch_folder(folder: Path) -> Iterator[Path]:
    """A folder that is gone afterwards, with what a killed process left there before."""
    shutil.rmtree(folder, ignore_errors=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def disk_full(path: Path) -> str:
    """Say that there is no space to write to a path, and what to do."""
    place = next(folder for folder in (path, *path.parents) if folder.exists())
    free = shutil.disk_usage(place).free / 1e6
    return (
        f"{path}: no space left on the disk ({free:,.0f} MB free); expected room for it; "
        "make some: `penstock clean` shows what takes it"
    )


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
