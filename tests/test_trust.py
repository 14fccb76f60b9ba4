"""A registered model runs code: it is loaded only as this project registered or accepted it."""

import json
import shutil
import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from penstock.commands.predict import predict_files
from penstock.messages.errors import PenstockError
from penstock.project.workspace import Workspace
from penstock.stages.register import register
from penstock.tracking import packaging
from penstock.tracking.glance import is_intact
from penstock.tracking.reconcile import what_is_lost
from penstock.tracking.registry import BUNDLE_TAG, EXAM_TAG, WAS_CHAMPION_TAG, WEIGHTS_TAG
from penstock.tracking.store import connect
from penstock.tracking.trust import accept_version, promote_version
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


def plant(workspace, marker, run_id=None, tags=None):
    """What anybody could do who reached MLflow's server: a model of their own, as champion."""
    import mlflow.pyfunc

    folder = workspace.root / "planted"
    folder.mkdir()
    (folder / "planted.py").write_text(MODEL.format(marker=str(marker)))
    mlflow.pyfunc.save_model(folder / "model", python_model=str(folder / "planted.py"))
    marker.unlink(missing_ok=True)  # saving a model runs its code as well
    client = client_of(workspace)
    version = client.create_model_version("mnist", (folder / "model").as_uri(), run_id, tags=tags)
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
    with pytest.raises(PenstockError, match="its run in the registry is None"):
        predict_files(workspace, [digit], [])
    assert not marker.exists()


def test_a_planted_version_is_not_taken_for_the_model_at_hand(workspace, digit, tmp_path):
    """It says that it has the same content, and is newer."""
    client, marker = client_of(workspace), tmp_path / "executed"
    ours = client.get_model_version("mnist", "1")
    plant(workspace, marker, ours.run_id, ours.tags)
    client.set_registered_model_alias("mnist", "champion", "1")
    assert what_is_lost(workspace) == ""
    assert is_intact(workspace)
    assert register(workspace)["version"] == 1
    (row,) = predict_files(workspace, [digit], [])
    assert row["model"] == "mnist v1"
    assert not marker.exists()


def test_a_planted_former_champion_is_no_measure(workspace):
    client = client_of(workspace)
    ours = client.get_model_version("mnist", "1")
    run = client.create_run(client.get_run(ours.run_id).info.experiment_id).info
    client.log_metric(run.run_id, "test/accuracy", 1.0)
    client.log_text(run.run_id, "", "model/MLmodel")
    tags = {EXAM_TAG: ours.tags[EXAM_TAG], WAS_CHAMPION_TAG: "true"}
    client.create_model_version("mnist", f"{run.artifact_uri}/model", run.run_id, tags=tags)
    with other_requirements():
        receipt = register(workspace)
    assert [it["version"] for it in receipt["comparisons"]] == [1]


def test_a_moved_champion_is_noticed_and_moved_back(workspace, digit, tmp_path):
    assert is_intact(workspace)
    version = plant(workspace, tmp_path / "executed")
    assert not is_intact(workspace)
    lost = what_is_lost(workspace)
    assert f"champion, version {version.version}, is not as it was registered" in lost
    with pytest.raises(PenstockError, match="`penstock promote mnist VERSION`"):
        predict_files(workspace, [digit], [])
    with pytest.raises(PenstockError, match="no record of it"):
        promote_version(workspace, int(version.version))
    assert promote_version(workspace, 1) == "mnist v1 is champion"
    assert is_intact(workspace)
    (row,) = predict_files(workspace, [digit], [])
    assert row["model"] == "mnist v1"


def test_the_gate_does_not_compare_with_what_nobody_vouches_for(workspace, tmp_path):
    marker = tmp_path / "executed"
    plant(workspace, marker)
    with pytest.raises(PenstockError, match="no record of it"):
        register(workspace)
    assert not marker.exists()


@contextmanager
def other_requirements():
    """Package the same weights as another version: of the same run, with a library more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packaging, "ALWAYS", (*packaging.ALWAYS, "scipy"))
        yield


def test_versions_of_one_run_do_not_share_their_files(workspace, digit):
    with other_requirements():
        assert register(workspace)["version"] == 2
    client = client_of(workspace)
    assert len({client.get_model_version("mnist", it).run_id for it in "12"}) == 1
    assert is_intact(workspace)
    for number in (1, 2):
        promote_version(workspace, number)
        (row,) = predict_files(workspace, [digit], [])
        assert row["model"] == f"mnist v{number}"


def test_a_version_from_before_there_were_records_is_proved_again(workspace, digit):
    shutil.rmtree(workspace.root / ".penstock")
    assert not is_intact(workspace)
    assert "no record of it" in what_is_lost(workspace)
    assert register(workspace)["version"] == 1
    assert is_intact(workspace)
    predict_files(workspace, [digit], [])


def test_a_record_is_whole_or_the_former_one(workspace, monkeypatch):
    file = workspace.root / ".penstock" / "trusted" / "mnist" / "1.json"
    before = json.loads(file.read_text())

    def killed(file, text):
        file.write_text(text[:20])
        raise KeyboardInterrupt

    monkeypatch.setattr("penstock.tracking.records.write_private", killed)
    with pytest.raises(KeyboardInterrupt):
        register(workspace)
    assert json.loads(file.read_text()) == before


@pytest.mark.parametrize("key", ["run", "source", BUNDLE_TAG, EXAM_TAG, WEIGHTS_TAG])
def test_what_the_registry_says_of_a_version_cannot_be_changed(workspace, digit, key):
    """To what it says of another version, whose files are as good."""
    with other_requirements():
        register(workspace)
    promote_version(workspace, 1)
    database = workspace.root / "mlruns" / "mlflow.db"
    if key in (BUNDLE_TAG, EXAM_TAG, WEIGHTS_TAG):
        client_of(workspace).set_model_version_tag("mnist", "1", key, "0" * 64)
    else:
        of_another = {
            "run": "update model_versions set run_id = 'f' where version = 1",
            "source": "update model_versions set source = (select source from model_versions "
            "where version = 2) where version = 1",
        }
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute(of_another[key])
    name = {"source": "location"}.get(key, key)
    with pytest.raises(PenstockError, match=f"mnist v1: its {name} in the registry is"):
        predict_files(workspace, [digit], [])
    assert not is_intact(workspace)


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
    said = accept_version(workspace, 1)
    assert "requirements.txt  (was " in said
    assert said.count("(was ") == 1
    predict_files(workspace, [digit], [])
    (files / "more").symlink_to("/etc/passwd")
    with pytest.raises(PenstockError, match=r"more \(no plain file\): remove it"):
        accept_version(workspace, 1)
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
    store = workspace.root / "mlruns"
    for path in (store, store / "artifacts", store / "mlflow.db"):
        path.chmod(0o755)  # a project from before
    connect(workspace.root)
    for path in (store, store / "artifacts", workspace.root / ".penstock"):
        assert path.stat().st_mode & 0o777 == 0o700
    records = (workspace.root / ".penstock" / "trusted").rglob("*.json")
    for file in (store / "mlflow.db", *records):
        assert file.stat().st_mode & 0o777 == 0o600


def test_a_fresh_store_is_its_owners_only(tmp_path):
    connect(tmp_path)
    assert (tmp_path / "mlruns").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "mlruns" / "mlflow.db").stat().st_mode & 0o777 == 0o600
