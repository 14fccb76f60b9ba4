"""A registered model runs code: it is loaded only as this project registered or accepted it."""

import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from penstock.errors import PenstockError
from penstock.project import Workspace
from penstock.serving import predict_files
from penstock.stages.register import register
from penstock.tracking.reconcile import what_is_lost
from penstock.tracking.store import connect
from penstock.tracking.trust import accept_version
from projects import client_of

pytestmark = pytest.mark.pipeline

MODEL = """
from pathlib import Path
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel

Path({marker!r}).touch()

class Planted(PythonModel):
    def predict(self, context, model_input, params=None):
        Path({marker!r}).touch()
        return model_input

set_model(Planted())
"""


@pytest.fixture
def workspace(project):
    connect(project.root)  # the copy has moved: MLflow's places follow
    return Workspace.open("mnist", project.root)


@pytest.fixture
def digit(project):
    """A picture: predicting it is what loads the model."""
    from PIL import Image

    file = project.root / "digit.png"
    Image.new("L", (28, 28)).save(file)
    return file


@pytest.fixture
def files(workspace):
    """Where the files of the champion lie."""
    client = client_of(workspace)
    version = client.get_model_version_by_alias("mnist", "champion")
    return Path(urlsplit(client.get_model_version_download_uri("mnist", str(version.version))).path)


def test_what_was_registered_here_is_loaded_also_after_a_move(workspace, digit):
    (row,) = predict_files(workspace, [digit], [])
    assert row["model"] == "mnist v1"
    assert what_is_lost(workspace) == ""


def plant(workspace, marker):
    """What anybody could do who reached MLflow's server: a model of their own, as champion."""
    import mlflow.pyfunc

    folder = workspace.root / "planted"
    folder.mkdir()
    (folder / "planted.py").write_text(MODEL.format(marker=str(marker)))
    mlflow.pyfunc.save_model(folder / "model", python_model=str(folder / "planted.py"))
    marker.unlink(missing_ok=True)  # saving a model runs its code as well
    client = client_of(workspace)
    version = client.create_model_version("mnist", (folder / "model").as_uri())
    client.set_registered_model_alias("mnist", "champion", version.version)
    return version


def test_a_planted_champion_is_not_run_before_somebody_accepts_it(
    workspace, digit, project, tmp_path
):
    marker = tmp_path / "executed"
    version = plant(workspace, marker)
    refused = project.run("penstock", "predict", "mnist", str(digit), check=False)
    assert refused.returncode == 1
    assert not marker.exists()
    (line,) = refused.stderr.strip().splitlines()
    assert line.startswith(f"penstock: error: mnist v{version.version}: this project has no record")
    assert f"`penstock trust mnist {version.version}`" in line
    said = project.run("penstock", "trust", "mnist", str(version.version)).stdout
    assert "accepted as they are now" in said
    project.run("penstock", "predict", "mnist", str(digit), check=False)
    assert marker.exists(), "what it would have done before"


def test_a_planted_version_that_names_a_run_of_ours_is_not_run(workspace, digit, tmp_path):
    marker = tmp_path / "executed"
    version = plant(workspace, marker)
    record = workspace.root / ".penstock" / "trusted" / "mnist"
    shutil.copy(record / "1.json", record / f"{version.version}.json")
    with pytest.raises(PenstockError, match="it names run"):
        predict_files(workspace, [digit], [])
    assert not marker.exists()


def test_the_gate_does_not_compare_with_what_nobody_vouches_for(workspace, tmp_path):
    marker = tmp_path / "executed"
    plant(workspace, marker)
    with pytest.raises(PenstockError, match="no record of it"):
        register(workspace)
    assert not marker.exists()


def append(file):
    file.write_bytes(file.read_bytes() + b"\n#")


def one(files, pattern):
    return next(it for it in sorted(files.rglob(pattern)) if it.is_file())


CHANGES = {
    "weights": lambda files: append(one(files, "weights.safetensors")),
    "MLmodel": lambda files: append(files / "MLmodel"),
    "served code": lambda files: append(one(files, "served.py")),
    "bundled code": lambda files: append(one(files, "predict.py")),
    "requirements": lambda files: append(files / "requirements.txt"),
    "a planted pickle": lambda files: (files / "python_model.pkl").write_bytes(b"\x80\x04N."),
    "a module that was added": lambda files: (one(files, "trained.py").parent / "torch.py").touch(),
    "a link": lambda files: (files / "more").symlink_to("/etc/passwd"),
    "a file that is gone": lambda files: one(files, "model.json").unlink(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_files_that_were_changed_are_not_loaded(workspace, digit, files, change):
    CHANGES[change](files)
    with pytest.raises(PenstockError, match=r"mnist v1: .*`penstock trust mnist 1`"):
        predict_files(workspace, [digit], [])
    assert "is not as it was registered" in what_is_lost(workspace)


def test_register_puts_changed_files_right(workspace, digit, files):
    append(one(files, "predict.py"))
    (files / "python_model.pkl").touch()
    assert register(workspace)["decision"] == "champion"
    assert not (files / "python_model.pkl").exists()
    predict_files(workspace, [digit], [])
    assert what_is_lost(workspace) == ""


def test_what_differs_can_be_accepted_on_purpose(workspace, digit, files):
    append(files / "requirements.txt")
    assert "accepted" in accept_version(workspace, 1)
    predict_files(workspace, [digit], [])
    with pytest.raises(PenstockError, match="mnist v9: no such version"):
        accept_version(workspace, 9)


def test_changed_scores_are_not_compared_with(workspace, project):
    from penstock.tracking.registry import get_alias, stored_scores
    from penstock.tracking.trust import vouches_for_scores

    client = client_of(workspace)
    champion = get_alias(client, "mnist", "champion")
    file = stored_scores(client, champion)
    assert vouches_for_scores(workspace.root, champion, file)
    append(file)
    assert not vouches_for_scores(workspace.root, champion, file)


def test_only_the_owner_reads_store_and_records(workspace):
    for folder in ("mlruns", ".penstock"):
        assert (workspace.root / folder).stat().st_mode & 0o077 == 0
    for file in (workspace.root / ".penstock" / "trusted").rglob("*.json"):
        assert file.stat().st_mode & 0o077 == 0
