"""The gate between a trained model and the registry: what passes, and on what evidence."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from ruamel.yaml import YAML

from penstock.evaluation.comparison import exam_digest, score_digest
from penstock.pipelines.mnist import predict
from penstock.project.workspace import Workspace
from penstock.settings.file import parse_section
from penstock.stages.decision import decide
from penstock.stages.register import move_aliases
from penstock.tracking import registry, trust
from penstock.tracking.store import connect
from projects import finish_once, read
from test_pathology import QUICK

ROOT = Path(__file__).parent.parent


def workspace(**settings) -> Workspace:
    section = YAML(typ="safe").load(ROOT / "params.yaml")["pipelines"]["mnist"]
    section["register"].update(settings)
    params = parse_section("mnist", section, Path("params.yaml"))
    return Workspace(ROOT, "mnist", params, ROOT / "data" / "mnist")


@pytest.mark.parametrize(
    ("limits", "value", "decision", "reason"),
    [
        ([0.9, None], 0.9, "champion", "within limits"),
        ([0.9, None], 0.8, "refused", "test/ece 0.8000 is below the least allowed, 0.9000"),
        ([None, 0.05], 0.05, "champion", "within limits"),
        ([None, 0.05], 0.2, "refused", "test/ece 0.2000 is above the most allowed, 0.0500"),
        ([0.9, None], float("nan"), "refused", "test/ece is NaN"),
        ([None, 0.05], float("nan"), "refused", "test/ece is NaN"),
        ([None, None], float("nan"), "refused", "test/ece is NaN"),
    ],
)
def test_a_metric_keeps_to_its_limits_on_both_sides(limits, value, decision, reason):
    decided = decide(
        workspace(limits={"test/ece": limits}), None, None, None, {"test/ece": value}, None, None
    )
    assert decided["decision"] == decision
    assert reason in decided["reason"]


@pytest.fixture(scope="module")
def client(tmp_path_factory) -> MlflowClient:
    return connect(tmp_path_factory.mktemp("store"))


class Registry:
    """Versions of a model with made-up scores, registered one after the other."""

    def __init__(self, client: MlflowClient, name: str, folder: Path) -> None:
        self.client, self.name, self.folder = client, name, folder
        self.workspace = replace(workspace(limits={}), root=folder, name=name, folder=folder)
        self.experiment = client.create_experiment(folder.name, (folder / "runs").as_uri())
        client.create_registered_model(name)
        self.workspace.dataset.mkdir()
        info = {"splits": {"test": {"digest": "d1"}}}
        (self.workspace.dataset / "dataset.json").write_text(json.dumps(info))

    def register(self, correct: np.ndarray, digest: str = "d1") -> dict:
        """Register a model that is right on these examples; answer what was decided."""
        scores = pd.DataFrame({"id": map(str, range(len(correct))), "correct": correct * 1.0})
        file = self.folder / "scores.parquet"
        scores.to_parquet(file)
        run = self.client.create_run(self.experiment).info
        self.client.log_artifact(run.run_id, str(file), "evaluation")
        self.client.log_text(run.run_id, "", "model/MLmodel")
        self.client.log_metric(run.run_id, "test/accuracy", float(correct.mean()))
        score = score_digest(predict.interface({}, {}).score, predict.outcome)
        tags = {registry.EXAM_TAG: exam_digest(exam(digest)), registry.SCORE_TAG: score}
        version = self.client.create_model_version(
            self.name, f"{run.artifact_uri}/model", run.run_id, tags=tags
        )
        trust.record(self.folder, version, {}, trust.digest(file))
        champion = registry.get_alias(self.client, self.name, registry.CHAMPION)
        decided = decide(self.workspace, self.client, version, champion, {}, scores, exam("d1"))
        move_aliases(self.client, version, champion, decided["decision"])
        return decided


@pytest.fixture
def models(client, tmp_path) -> Iterator[Registry]:
    made = Registry(client, "mnist", tmp_path)
    yield made
    client.delete_registered_model("mnist")


def exam(name: str) -> pd.DataFrame:
    """Questions of a test split."""
    return pd.DataFrame({"id": [name]})


def right(wrong: int) -> np.ndarray:
    """Whether each of 4,000 examples is right, when so many are not."""
    return np.arange(4000) >= wrong


def test_small_losses_do_not_add_up(models):
    """Each loses 0.003 to the one before, of which 0.005 is ruled out; two of them are 0.006."""
    decided = [models.register(right(wrong)) for wrong in (100, 112, 124, 136)]
    assert [it["decision"] for it in decided] == [
        "champion",
        "champion",
        "challenger",
        "challenger",
    ]
    latest, best = decided[2]["comparisons"]
    assert (latest["version"], latest["loss_ruled_out"]) == (2, True)
    assert (best["version"], best["loss_ruled_out"]) == (1, False)
    assert best["difference"] == pytest.approx(-0.006)
    assert "against champion v2" in decided[2]["reason"]
    assert "against v1, the best champion so far" in decided[2]["reason"]
    assert models.register(right(98))["decision"] == "champion"
    (only,) = models.register(right(98))["comparisons"]
    assert only["version"] == 5, "the latest champion is the best"


def test_a_champion_that_nothing_says_was_one_is_remembered_when_another_takes_its_place(models):
    """One that somebody set by hand, or of a registry from before."""
    models.register(right(100))
    models.client.delete_model_version_tag("mnist", "1", registry.WAS_CHAMPION_TAG)
    decided = [models.register(right(wrong))["decision"] for wrong in (112, 124)]
    assert decided == ["champion", "challenger"]


def test_a_champion_of_another_test_split_is_no_measure(models):
    models.register(right(0), digest="d0")
    models.client.delete_registered_model_alias("mnist", registry.CHAMPION)
    models.register(right(100))
    (only,) = models.register(right(112))["comparisons"]
    assert only["version"] == 2


def test_a_worse_champion_set_by_hand_does_not_lower_the_bar(models):
    models.register(right(400))
    assert models.register(right(1000))["decision"] == "challenger"
    worse = models.client.get_model_version("mnist", "2")
    registry.set_alias(models.client, worse, registry.CHAMPION)
    decided = models.register(right(900))
    assert [it["version"] for it in decided["comparisons"]] == [2, 1]
    assert decided["decision"] == "challenger"


@pytest.mark.pipeline
def test_a_score_that_is_no_number_stops_the_registration(project):
    file = project.root / "data" / "mnist" / "evaluation" / "scores.parquet"
    scores = pd.read_parquet(file)
    scores.loc[3, "correct"] = float("nan")
    scores.to_parquet(file)
    done = project.run("penstock", "register", "mnist", check=False)
    assert done.returncode == 1
    assert f"correct is NaN for 1 of {len(scores)} test examples" in done.stderr
    assert scores["id"][3] in done.stderr


@pytest.mark.pipeline
def test_scores_of_another_definition_are_not_compared(project):
    """Whoever changes what `correct` means has the champion scored anew, by the new meaning."""
    file = project.root / "src" / "penstock" / "evaluation" / "predictions.py"
    before = '"correct": (predicted == labels).astype'
    after = '"correct": ((predicted == labels) & (probabilities.max(1) > 0.3)).astype'
    assert before in file.read_text()
    file.write_text(file.read_text().replace(before, after))
    project.run("penstock", "run", "mnist")
    (compared,) = read(project, "receipt.json")["comparisons"]
    assert compared["scores"].startswith("scored again")
    assert compared["difference"] == 0, "they have the same weights"


@pytest.fixture(scope="module")
def tissue(tmp_path_factory):
    return finish_once(tmp_path_factory, "pathology", **QUICK)


@pytest.mark.pipeline
def test_a_model_that_decodes_in_another_way_is_not_registered(tissue, tmp_path):
    """The proof is given the files, not arrays that went through decoding before."""
    project = tissue.copy(tmp_path / "project")
    package = project.root / "src" / "penstock"
    file = package / "pipelines" / "pathology" / "decode.py"
    shared = package / "kinds" / "images" / "decode.py"
    fitting = "image.resize((side, side), Image.Resampling.BICUBIC)"
    assert fitting in shared.read_text()
    shared.write_text(shared.read_text().replace(fitting, fitting.replace("BICUBIC", "NEAREST")))
    done = project.run("penstock", "register", "pathology", check=False)
    assert done.returncode == 1
    assert "the packaged model differs from what evaluate measured on" in done.stderr
    refusing = "def decode(*_, **__):\n    raise ValueError('no')\ndef _decode("
    file.write_text(file.read_text().replace("def decode(", refusing))
    done = project.run("penstock", "register", "pathology", check=False)
    assert "the packaged model cannot read 84 of 84 test inputs" in done.stderr


@pytest.mark.pipeline
def test_a_champion_sees_the_files_by_its_own_settings(tissue, tmp_path):
    """Not the arrays that the challenger's settings made: smaller ones here."""
    project = tissue.copy(tmp_path / "project")
    folder = project.root / "data" / "pathology"
    theirs = json.loads((folder / "metrics.json").read_text())["test/accuracy"]
    project.set("pathology", data={"image_size": 32}, train={"max_epochs": 1})
    project.set("pathology", register={"limits": {}})
    project.run("penstock", "run", "pathology")
    receipt = json.loads((folder / "receipt.json").read_text())
    (compared,) = receipt["comparisons"]
    assert compared["scores"].startswith("scored again")
    ours = receipt["metrics"]["test/accuracy"]
    assert ours - compared["difference"] == pytest.approx(theirs, abs=1e-6)
