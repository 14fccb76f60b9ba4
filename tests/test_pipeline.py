"""The five stages on the sample, by the commands users type."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import sysconfig

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from penstock.datasets.dataset import Dataset
from penstock.kinds.images.idx import read_idx, write_idx
from penstock.messages.errors import PenstockError
from penstock.project.workspace import Workspace
from penstock.stages.gate import check_gate
from projects import client_of, hashes, read, runs_of

pytestmark = pytest.mark.pipeline


def test_dvc_repro_ends_with_a_champion(finished_project):
    receipt = read(finished_project, "receipt.json")
    assert receipt["decision"] == "champion"
    assert receipt["metrics"]["test/accuracy"] > 0.6
    version = client_of(finished_project).get_model_version_by_alias("mnist", "champion")
    assert int(version.version) == receipt["version"]
    assert version.tags["decision"] == "champion"


def test_a_second_repro_runs_nothing(finished_project):
    assert "Running stage" not in finished_project.run("dvc", "repro").stdout


def test_taken_and_rejected_are_all_that_was_found(finished_project):
    info = read(finished_project, "dataset/dataset.json")
    assert info["found"] == info["examples"] + info["rejected"] == 1797
    assert sum(split["examples"] for split in info["splits"].values()) == info["examples"]


def test_the_run_carries_everything(finished_project):
    (run,) = runs_of(finished_project)
    metrics = read(finished_project, "metrics.json")
    assert run.info.status == "FINISHED"
    assert run.data.metrics.items() >= metrics.items()
    assert {"train/loss", "val/loss", "val/accuracy", "epoch", "time/train_seconds"} <= set(
        run.data.metrics
    )
    assert run.data.params["train.seed"] == "0"
    assert run.data.params["model.kind"] == "cnn"
    tags = run.data.tags
    assert (
        tags["penstock.weights_sha256"]
        == read(finished_project, "model/model.json")["weights_sha256"]
    )
    assert len(tags["mlflow.source.git.commit"]) == 40
    assert tags["penstock.device"]
    assert tags["penstock.git_dirty"] in ("true", "false")
    lock = (finished_project.root / "dvc.lock").read_text()
    assert tags["penstock.dataset_dvc"] in lock
    assert json.loads(tags["penstock.versions"])["torch"]
    (dataset,) = run.inputs.dataset_inputs
    assert dataset.dataset.digest == tags["penstock.dataset_dvc"].removesuffix(".dir")
    client = client_of(finished_project)
    top = {item.path for item in client.list_artifacts(run.info.run_id)}
    assert {"evaluation", "model", "report.html", "receipt.json"} <= top


def test_the_report_is_one_page_that_needs_no_network(finished_project):
    page = (finished_project.root / "data" / "mnist" / "report.html").read_text()
    for part in ("What data", "What gate", "What model", "where it fails", "What was decided"):
        assert part in page
    assert page.count("data:image/png;base64,") == 7
    assert "http://" not in page
    assert "https://" not in page


def test_dvc_shows_metrics_and_plots(finished_project):
    shown = json.loads(finished_project.run("dvc", "metrics", "show", "--json").stdout)
    accuracy = shown[""]["data"]["data/mnist/metrics.json"]["data"]["test/accuracy"]
    assert accuracy == read(finished_project, "metrics.json")["test/accuracy"]
    plots = finished_project.run("dvc", "plots", "show", "--json").stdout
    assert "shift_robustness" in plots


def test_plain_commands_and_dvc_give_the_same_bits(finished_project, fresh):
    fresh.run("penstock", "sample", "mnist")
    for stage in ("ingest", "validate", "train", "evaluate"):
        fresh.run("penstock", stage, "mnist")
    first = hashes(fresh)
    assert first == hashes(finished_project)
    for stage in ("train", "evaluate"):
        fresh.run("penstock", stage, "mnist")
    assert hashes(fresh) == first


def test_streaming_from_disk_gives_the_same_bits(project):
    before = read(project, "model/model.json")["weights_sha256"]
    project.set(train={"loading": "stream"})
    done = project.run("penstock", "train", "mnist")
    assert "streamed from disk" in done.stdout
    assert read(project, "model/model.json")["weights_sha256"] == before


def test_the_metric_train_chose_by_is_the_metric_evaluate_finds(project):
    """The validation accuracy of the last epoch, recomputed from the weights on disk."""
    script = (
        "from pathlib import Path; import pandas as pd\n"
        "from penstock.learning.trained import load_trained\n"
        "from penstock.datasets.dataset import Dataset\n"
        "from penstock.evaluation.inference import class_probabilities\n"
        "network, _ = load_trained(Path('data/mnist/model'))\n"
        "dataset = Dataset(Path('data/mnist/dataset'))\n"
        "rows = dataset.rows('validation')\n"
        "found = class_probabilities(network, dataset.array('images')[rows]).argmax(1)\n"
        "print((found == dataset.index['label'].to_numpy()[rows]).mean())\n"
    )
    history = pd.read_csv(project.root / "data" / "mnist" / "model" / "history.csv")
    assert float(project.python(script)) == pytest.approx(
        history["val/accuracy"].iloc[-1], abs=1e-3
    )


def test_parameters_back_and_forth_leave_the_registry_where_the_parameters_are(project):
    first = read(project, "receipt.json")
    project.set(train={"seed": 1})
    project.run("penstock", "run", "mnist")
    second = read(project, "receipt.json")
    assert second["weights_sha256"] != first["weights_sha256"]
    assert second["version"] == first["version"] + 1
    project.set(train={"seed": 0})
    done = project.run("penstock", "run", "mnist")
    assert "penstock train mnist" not in done.stdout, "DVC has these weights in its cache"
    third = read(project, "receipt.json")
    assert third["weights_sha256"] == first["weights_sha256"]
    assert third["version"] == first["version"], "equal models are one version"
    challenger = client_of(project).get_model_version_by_alias("mnist", "challenger")
    assert int(challenger.version) == first["version"]


def test_a_lost_registry_is_noticed_and_restored(project):
    before = read(project, "receipt.json")
    shutil.rmtree(project.root / "mlruns")
    assert "Running stage" not in project.run("dvc", "repro").stdout, "DVC cannot see it"
    done = project.run("penstock", "run", "mnist")
    assert "registering again" in done.stdout
    champion = client_of(project).get_model_version_by_alias("mnist", "champion")
    assert champion.tags["penstock.bundle_sha256"] == before["bundle_sha256"]
    (run,) = runs_of(project)
    assert "val/loss" in run.data.metrics
    assert "test/accuracy" in run.data.metrics
    again = project.run("penstock", "run", "mnist")
    assert "as the receipt says" in again.stdout
    assert "Running stage" not in again.stdout


def test_a_worse_model_is_challenger_but_not_champion(project):
    project.set(train={"min_steps": 1}, register={"limits": {}})
    project.run("penstock", "run", "mnist")
    receipt = read(project, "receipt.json")
    assert receipt["decision"] == "challenger"
    assert "is not ruled out" in receipt["reason"]
    (comparison,) = receipt["comparisons"]
    assert comparison["version"] == 1
    assert comparison["high"] < 0
    client = client_of(project)
    assert int(client.get_model_version_by_alias("mnist", "champion").version) == 1
    assert int(client.get_model_version_by_alias("mnist", "challenger").version) == 2


def test_a_model_below_the_floor_is_refused_and_the_reason_is_kept(project):
    project.set(train={"seed": 5}, register={"limits": {"test/accuracy": [0.9999, None]}})
    project.run("penstock", "run", "mnist")
    receipt = read(project, "receipt.json")
    assert receipt["decision"] == "refused"
    assert "below the least allowed, 0.9999" in receipt["reason"]
    client = client_of(project)
    version = client.get_model_version("mnist", str(receipt["version"]))
    assert version.tags["reason"] == receipt["reason"]
    assert int(client.get_model_version_by_alias("mnist", "challenger").version) == 1


def test_when_the_test_split_changes_the_champion_is_scored_again(project):
    source = project.root / "data" / "mine"
    shutil.copytree(project.root / "data" / "samples" / "mnist", source)
    for name, dimensions in (("images-idx3", 3), ("labels-idx1", 1)):
        file = source / f"t10k-{name}-ubyte.gz"
        write_idx(file, read_idx(file, dimensions)[:200])
    project.set(source="data/mine", train={"seed": 2})
    project.run("penstock", "run", "mnist")
    receipt = read(project, "receipt.json")
    (comparison,) = receipt["comparisons"]
    assert comparison["examples"] == 200
    assert "scored again" in comparison["scores"]


def test_bad_data_shuts_the_gate_and_the_report_of_it_survives(project):
    source = project.root / "data" / "mine"
    shutil.copytree(project.root / "data" / "samples" / "mnist", source)
    for prefix in ("train", "t10k"):
        file = source / f"{prefix}-images-idx3-ubyte.gz"
        write_idx(file, 255 - read_idx(file, 3))
    project.set(source="data/mine")
    done = project.run("penstock", "ingest", "mnist")
    done = project.run("penstock", "validate", "mnist", check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "critical: examples.mean: expect_column_mean_to_be_between" in done.stderr
    assert "observed 0.8" in done.stderr
    assert "invert the images" in done.stderr
    page = (project.root / "data" / "mnist" / "report.html").read_text()
    assert "The gate is shut" in page
    assert not read(project, "validation-failed.json")["passed"]
    refused = project.run("penstock", "train", "mnist", check=False)
    assert refused.returncode == 1
    assert "this dataset has failed these expectations" in refused.stderr


def test_a_failure_shuts_the_gate_though_the_dataset_had_passed_before(project):
    """Its former outputs are put back, and with them the file that says that it passed."""
    before = {"mean_ink": [0.05, 0.5]}
    project.set(expectations={"mean_ink": [0.0, 0.05]})
    done = project.run("penstock", "run", "mnist", check=False)
    assert "its former outputs are back in place" in done.stderr
    assert read(project, "validation/gate.json")["passed"]
    refused = project.run("penstock", "train", "mnist", check=False)
    assert refused.returncode == 1
    assert "validation-failed.json: this dataset has failed these expectations" in refused.stderr
    assert refused.stderr.count("\n") == 1

    def check() -> None:
        workspace = Workspace.open("mnist", project.root)
        check_gate(workspace, Dataset(workspace.dataset))

    project.set(expectations=before)
    check()  # with these it has passed, and nobody has to validate again
    project.set(expectations={"mean_ink": [0.0, 0.05]})
    with pytest.raises(PenstockError, match="has failed"):
        check()
    project.set(expectations={"mean_ink": [0.06, 0.5]})
    project.run("penstock", "validate", "mnist")
    check()
    assert not (project.root / "data" / "mnist" / "validation-failed.json").exists()


def test_a_failed_stage_leaves_the_former_outputs_in_place(project):
    before = hashes(project) | {"receipt": read(project, "receipt.json")}
    (project.root / "data" / "mine").mkdir()
    project.set(source="data/mine")
    done = project.run("penstock", "run", "mnist", check=False)
    assert done.returncode == 1
    assert "its former outputs are back in place" in done.stderr
    assert "train-images-idx3-ubyte[.gz]: not found" in done.stderr + done.stdout or (
        "t10k-images-idx3-ubyte[.gz]: not found" in done.stderr + done.stdout
    )
    assert hashes(project) | {"receipt": read(project, "receipt.json")} == before


def test_a_failed_evaluation_leaves_the_former_metrics_in_place(project):
    before = hashes(project)
    code = project.root / "src" / "penstock" / "pipelines" / "mnist" / "evaluate.py"
    code.write_text(code.read_text() + "\nraise ValueError('broken on purpose')\n")
    done = project.run("penstock", "run", "mnist", check=False)
    assert done.returncode == 1
    assert "broken on purpose" in done.stderr
    assert hashes(project) == before


def test_a_run_that_ends_badly_is_failed_with_the_reason(project):
    project.set(model={"channels": [4, 4, 4, 4], "kernel": 5})
    done = project.run("penstock", "train", "mnist", check=False)
    assert done.returncode == 1
    failed = next(run for run in runs_of(project) if run.info.status == "FAILED")
    assert "leave nothing of 28x28" in failed.data.tags["penstock.reason"]


def test_other_settings_are_tried_without_touching_files_or_registry(project):
    kept = ("params.yaml", "dvc.lock", "data/mnist/receipt.json")
    before = hashes(project), [(project.root / name).read_bytes() for name in kept]
    done = project.run("penstock", "run", "mnist", "-S", "train.seed=3", "-S", "model.channels=[4]")
    assert (hashes(project), [(project.root / name).read_bytes() for name in kept]) == before
    assert "Running stage" not in project.run("dvc", "repro").stdout
    scratch = project.root / "data" / "mnist" / ".scratch"
    assert str(scratch / "report.html") in done.stdout
    tried = json.loads((scratch / "model" / "model.json").read_text())
    assert tried["params"]["model"]["channels"] == [4]
    run = max(runs_of(project), key=lambda run: run.info.start_time)
    assert run.data.tags["penstock.overrides"] == "train.seed=3 model.channels=[4]"
    assert run.data.params["train.seed"] == "3"
    client = client_of(project)
    assert len(client.search_model_versions("name = 'mnist'")) == 1
    project.run("penstock", "run", "mnist", "-S", "train.seed=3", "--register")
    assert len(client.search_model_versions("name = 'mnist'")) == 2
    assert read(project, "receipt.json")["version"] == 1


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("train.max_epoch=3", "train.max_epoch: unknown key; did you mean max_epochs?"),
        ("train.max_epochs=none", 'train.max_epochs: "none": should be a valid integer'),
        ("train.max_epochs", "expected section.key=value"),
        ("trian.max_epochs=3", "trian is not a section"),
        ("model.channels=[4", "the value is not YAML"),
    ],
)
def test_a_bad_override_is_refused_before_anything_runs(fresh, setting, message):
    done = fresh.run("penstock", "run", "mnist", "-S", setting, check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (fresh.root / "data" / "mnist").exists()


def test_an_interrupted_training_ends_its_run_and_leaves_nothing_half_done(project):
    before = hashes(project)
    project.set(train={"keep": "best"})
    process = project.start_training("train", "mnist")
    process.terminate()
    assert process.wait() != 0
    killed = next(run for run in runs_of(project) if run.info.status != "FINISHED")
    assert killed.info.status == "KILLED"
    assert "interrupted" in killed.data.tags["penstock.reason"]
    folder = project.root / "data" / "mnist"
    assert list((folder / ".partial").iterdir()) == []
    assert not (folder / ".checkpoints").exists()
    assert hashes(project) == before


def test_lost_files_of_a_version_are_noticed_and_put_back(project):
    shutil.rmtree(project.root / "mlruns" / "artifacts")
    done = project.run("penstock", "run", "mnist")
    assert "the files of version 1 are gone" in done.stdout
    assert confidences(project, 1)[0] == pytest.approx(stored(project), abs=1e-4)


def test_processes_that_open_a_fresh_store_together_do_not_break_it(fresh):
    script = (
        "from pathlib import Path; from penstock.tracking.store import connect, experiment_id\n"
        "client = connect(Path('.').resolve())\n"
        "client.create_run(experiment_id(client, Path('.').resolve(), 'mnist'))\n"
    )
    command, env = fresh.command_of(script), {**fresh.environment(), **fresh.warm}
    started = [subprocess.Popen(command, cwd=fresh.root, env=env) for _ in range(4)]
    assert [process.wait() for process in started] == [0] * 4
    assert len(runs_of(fresh)) == 4
    names = {path.name for path in (fresh.root / "mlruns").iterdir() if path.is_file()}
    assert "mlflow.partial" not in names


def test_another_sqlite_store_can_be_named(fresh):
    other = {"MLFLOW_TRACKING_URI": f"sqlite:///{fresh.root / 'other.db'}"}
    for _ in range(2):
        fresh.run("penstock", "runs", "mnist", **other)
    assert (fresh.root / "other.db").exists()
    assert not (fresh.root / "mlruns" / "mlflow.db").exists()


def test_a_training_survives_a_store_that_is_gone_and_is_logged_later(project):
    project.set(train={"seed": 7})
    gone = {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0"}
    done = project.run("penstock", "train", "mnist", **gone)
    assert "tracking lost" in done.stderr
    assert "penstock run mnist" in done.stderr
    project.run("penstock", "evaluate", "mnist", **gone)
    refused = project.run("penstock", "register", "mnist", check=False, **gone)
    assert refused.returncode == 75
    assert "the registry cannot be used" in refused.stderr
    project.run("penstock", "register", "mnist")
    weights = read(project, "model/model.json")["weights_sha256"]
    run = next(r for r in runs_of(project) if r.data.tags.get("penstock.weights_sha256") == weights)
    history = pd.read_csv(project.root / "data" / "mnist" / "model" / "history.csv")
    points = client_of(project).get_metric_history(run.info.run_id, "val/loss")
    assert [point.value for point in points] == pytest.approx(history["val/loss"].tolist())
    assert run.data.metrics["test/accuracy"] == read(project, "metrics.json")["test/accuracy"]


def outside(project, script, *arguments):
    """Run a script where Penstock is not installed: no .pth file of the environment is read."""
    folder = project.root.parent / "elsewhere"
    folder.mkdir(exist_ok=True)
    libraries = sysconfig.get_paths()["purelib"]
    env = {**os.environ, "PYTHONPATH": libraries, "PYTHONSAFEPATH": "1"}
    python = getattr(sys, "_base_executable", sys.executable)
    check = "import importlib.util as u; assert u.find_spec('penstock') is None\n"
    done = subprocess.run(
        [python, "-c", check + script, *map(str, arguments)],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


LOAD = (
    "import sys, json, mlflow, pandas as pd\n"
    "from pathlib import Path\n"
    "mlflow.set_tracking_uri(sys.argv[1])\n"
    "inputs = pd.read_parquet(sys.argv[2])\n"
    "models = [mlflow.pyfunc.load_model(f'models:/mnist/{v}') for v in sys.argv[3:]]\n"
    "answers = [model.predict(inputs)['confidence'].tolist() for model in models]\n"
    "print('ANSWER', json.dumps(answers))\n"
)


def confidences(project, *versions):
    from penstock.pipelines.mnist.predict import exam

    inputs = project.root.parent / "inputs.parquet"
    dataset = Dataset(project.root / "data" / "mnist" / "dataset")
    exam(dataset, "test")[["image"]].to_parquet(inputs)
    uri = f"sqlite:///{project.root / 'mlruns' / 'mlflow.db'}"
    lines = outside(project, LOAD, uri, inputs, *versions).splitlines()
    return json.loads(next(line for line in lines if line.startswith("ANSWER"))[7:])


def stored(project):
    scores = pd.read_parquet(project.root / "data" / "mnist" / "evaluation" / "scores.parquet")
    return scores["confidence"].tolist()


def test_two_versions_with_different_code_predict_as_when_registered(project):
    first = stored(project)
    network = project.root / "src" / "penstock" / "pipelines" / "mnist" / "network.py"
    text = network.read_text()
    assert "sub_(MEAN)" in text
    network.write_text(text.replace("sub_(MEAN)", "sub_(1 - MEAN)"))
    project.run("penstock", "run", "mnist")
    second = stored(project)
    assert not np.allclose(first, second, atol=1e-3)
    ours, theirs = confidences(project, 1, 2)
    assert ours == pytest.approx(first, abs=1e-4)
    assert theirs == pytest.approx(second, abs=1e-4)


def test_predict_answers_for_files_and_names_those_it_cannot_read(project, tmp_path):
    from penstock.kinds.images.decode import encode

    images = read_idx(project.root / "data/samples/mnist/t10k-images-idx3-ubyte.gz", 3)
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    good.write_bytes(encode(images[0]))
    bad.write_text("not an image")
    done = project.run("penstock", "predict", "mnist", str(good), str(bad), "--json", check=False)
    assert done.returncode == 1
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["label"] in "0123456789"
    assert first["confidence"] == pytest.approx(stored(project)[0], abs=1e-4)
    assert len(first["probabilities"]) == 10
    assert second["label"] is None
    assert "not an image file" in second["error"]
    missing = project.run("penstock", "predict", "mnist", "nothere.png", check=False)
    assert missing.returncode == 1
    assert (
        missing.stderr
        == "penstock: error: nothere.png: nothing there; expected a file; check the path\n"
    )


def test_predict_runs_the_code_of_the_champion_throughout(project, tmp_path):
    """Also its reader: what has changed here since is not what it was trained by."""
    file = project.root / "src" / "penstock" / "pipelines" / "mnist" / "predict.py"
    file.write_text(file.read_text().replace("file.read_bytes()", "b''"))
    digit = tmp_path / "digit.png"
    Image.fromarray(np.eye(28, dtype=np.uint8) * 255).save(digit)
    done = project.run("penstock", "predict", "mnist", str(digit), "--json")
    assert json.loads(done.stdout)["error"] == ""


def test_a_registration_that_fails_keeps_the_receipt(project):
    """Made again since the registry lost the version."""
    shutil.rmtree(project.root / "mlruns" / "artifacts")
    before = read(project, "receipt.json")
    stage = project.root / "src" / "penstock" / "stages" / "proof.py"
    stage.write_text(stage.read_text().replace("TOLERANCE = 1e-4", "TOLERANCE = 1 / 0"))
    project.run("penstock", "inputs", "mnist")
    project.run("dvc", "commit", "-f", "inputs@mnist", "register@mnist")
    done = project.run("penstock", "run", "mnist", check=False)
    assert done.returncode == 1
    assert "registering again" in done.stdout
    assert "its former outputs are back in place" in done.stderr
    assert read(project, "receipt.json") == before


def test_commands_work_from_any_folder_below_the_project(project):
    below = project.root / "src" / "penstock"
    done = subprocess.run(
        [sys.executable, "-m", "penstock", "runs", "mnist"],
        cwd=below,
        env=project.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert "champion" in done.stdout
    outside_any = subprocess.run(
        [sys.executable, "-m", "penstock", "runs", "mnist"],
        cwd=project.root.parent,
        env=project.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert outside_any.returncode == 1
    assert "not inside a Penstock project" in outside_any.stderr


def test_a_moved_project_still_finds_its_models(project, tmp_path):
    moved = project.root.rename(tmp_path / "moved")
    project.root = moved
    from penstock.kinds.images.decode import encode

    file = tmp_path / "zero.png"
    file.write_bytes(encode(read_idx(moved / "data/samples/mnist/t10k-images-idx3-ubyte.gz", 3)[0]))
    project.run("penstock", "predict", "mnist", str(file))
    with sqlite3.connect(moved / "mlruns" / "mlflow.db") as database:
        (source,) = database.execute("select source from model_versions").fetchone()
    assert source.startswith(moved.as_uri())


def test_the_model_can_be_served_by_mlflow(project):
    """`mlflow models serve` validates what comes in by the signature, as this does."""
    version = client_of(project).get_model_version_by_alias("mnist", "champion")
    script = (
        "import sys, json, mlflow\n"
        "from mlflow.pyfunc.scoring_server import init\n"
        "from fastapi.testclient import TestClient\n"
        "from pathlib import Path\n"
        "client = TestClient(init(mlflow.pyfunc.load_model(sys.argv[1])))\n"
        "folder = Path(sys.argv[1].removeprefix('file://'))\n"
        "body = (folder / 'serving_input_example.json').read_text()\n"
        "answer = client.post('/invocations', content=body,"
        " headers={'Content-Type': 'application/json'})\n"
        "print('ANSWER', answer.status_code, json.dumps(answer.json()))\n"
    )
    lines = outside(project, script, version.source).splitlines()
    line = next(line for line in lines if line.startswith("ANSWER"))
    assert line.startswith("ANSWER 200")
    first = json.loads(line[11:])["predictions"][0]
    assert first["confidence"] == pytest.approx(stored(project)[0], abs=1e-4)


@pytest.mark.parametrize("status", ["train", "validate", "evaluate", "register"])
def test_a_stage_without_what_it_needs_says_which_command_makes_it(fresh, status):
    done = fresh.run("penstock", status, "mnist", check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "penstock ingest mnist" in done.stderr


def test_a_network_that_ignores_position_falls_apart_when_digits_move(project):
    """What shift robustness is for: the MLP is fine until the digits are moved."""
    project.replace("model", {"kind": "mlp", "hidden": [256], "batch_norm": False, "dropout": 0.0})
    project.set(train={"max_shift": 0, "max_epochs": 30}, evaluate={"max_shift": 4})
    project.run("penstock", "train", "mnist")
    project.run("penstock", "evaluate", "mnist")
    metrics = read(project, "metrics.json")
    assert metrics["test/accuracy"] > 0.9
    assert metrics["test/shift_accuracy"] < 0.5
