"""What `penstock clean` removes, and what it never does."""

import json
import re

import pytest

from projects import client_of, runs_of

pytestmark = pytest.mark.pipeline


def megabytes(done, kind):
    """What may go of a kind of files, as the table says."""
    (line,) = [line for line in done.stdout.splitlines() if line.strip().startswith(kind)]
    return float(re.split(r"\s{2,}", line)[2])


def test_clean_shows_and_removes_what_nothing_needs(project):
    project.run("penstock", "run", "mnist", "-S", "train.seed=3")  # a run without a version
    project.set(data={"validation_share": 0.2})
    project.run("dvc", "repro", "ingest@mnist")  # a dataset without a model
    project.set(data={"validation_share": 0.1})
    project.run("penstock", "run", "mnist")
    leftover = project.root / "data" / "mnist" / ".checkpoints"
    leftover.mkdir()
    (leftover / "last.ckpt").write_bytes(bytes(300_000))
    shown = project.run("penstock", "clean")
    assert megabytes(shown, "DVC cache") > 0
    assert megabytes(shown, "run artifacts") == 0, "younger than 30 days"
    assert megabytes(shown, "unfinished work") >= 0.3
    assert "nothing was removed" in shown.stdout
    assert leftover.exists()

    done = project.run("penstock", "clean", "--remove", "--days", "0")
    assert megabytes(done, "run artifacts") > 0
    assert not leftover.exists()
    assert not (project.root / "data" / "mnist" / ".scratch").exists()
    client = client_of(project)
    for version in client.search_model_versions("name = 'mnist'"):
        assert client.list_artifacts(version.run_id, "model"), "a version keeps its files"
        dataset = client.get_run(version.run_id).data.tags["penstock.dataset_dvc"]
        cached = project.root / ".dvc" / "cache" / "files" / "md5" / dataset[:2] / dataset[2:]
        assert cached.exists(), "and what it was made from"
    (tried,) = [run for run in runs_of(project) if "penstock.overrides" in run.data.tags]
    assert client.list_artifacts(tried.info.run_id) == []
    assert "removed by" in tried.data.tags["penstock.artifacts"]
    assert "test/accuracy" in tried.data.metrics, "numbers stay"
    assert "Running stage" not in project.run("dvc", "repro").stdout
    again = project.run("penstock", "clean", "--days", "0")
    kinds = ("DVC cache", "run artifacts", "unfinished work")
    assert [megabytes(again, kind) for kind in kinds] == [0, 0, 0]

    project.set(data={"validation_share": 0.2})
    remade = project.run("dvc", "repro", "ingest@mnist")
    assert "penstock ingest" in remade.stdout, "what was removed is made again"


def test_work_under_way_is_left_alone(project):
    from filelock import FileLock

    folder = project.root / "data" / "mnist"
    (folder / ".partial").mkdir(exist_ok=True)
    (folder / ".partial" / "model").write_text("half")
    with FileLock(folder / ".lock"):
        project.run("penstock", "clean", "--remove")
    assert (folder / ".partial" / "model").exists()
    assert json.loads((folder / "receipt.json").read_text())
