"""Learning to act through all stages, by the commands users type."""

import json

import gymnasium
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from projects import client_of, finish_once

QUICK = {
    "data": {"test_episodes": 300, "validation_episodes": 200, "train_episodes": 100},
    "model": {"runs": 2},
    "train": {"max_epochs": 5, "environments": 256, "learning_rate": [0.5, 0.01]},
    "register": {"tolerance": 0.2},
}
POND = "SFFF\nFFHF\nHFFG\n"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finish_once(tmp_path_factory, "control", **QUICK)


@pytest.fixture(scope="module")
def folder(finished):
    return finished.root / "data" / "control"


def receipt_of(project):
    return json.loads((project.root / "data" / "control" / "receipt.json").read_text())


@pytest.mark.pipeline
def test_frozen_lake_is_learned_registered_and_shown_beside_the_best(finished, folder):
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["test/best_return"] == pytest.approx(0.7442, abs=5e-5)
    assert 0.5 < metrics["test/return"] == metrics["test/success"] < 1
    assert metrics["test/return_low"] < metrics["test/return"] < metrics["test/return_high"]
    assert 0 <= metrics["test/regret"] < 0.2
    receipt = receipt_of(finished)
    assert receipt["decision"] == "champion"
    assert receipt["score"] == "test/return"
    page = (folder / "report.html").read_text()
    for title in (
        *("Learning curve", "Values and policy of 4x4", "An episode that is won"),
        *("An episode that is not won", "Returns beside the best", "Runs"),
    ):
        assert title in page
    assert page.count("data:image/gif;base64,") == 2
    curve = pd.read_csv(folder / "evaluation" / "curves" / "curve.csv")
    assert curve["steps"].tolist() == [256 * 200 * it for it in range(1, 6)]
    assert list(curve) == ["steps", "run_0", "run_1"]


@pytest.mark.pipeline
def test_what_is_served_plays_in_gymnasium_as_it_says(finished, tmp_path):
    asked = tmp_path / "asked.csv"
    pd.DataFrame({"seed": [5, "x", 11], "note": ["a", "b", "c"]}).to_csv(asked, index=False)
    done = finished.run(
        "penstock", "predict", "control", str(asked), "--json", "-o", "animation=true",
        "--save", str(tmp_path / "out"), check=False,
    )  # fmt: skip
    assert done.returncode == 1, "one row has an error"
    first, second, third = map(json.loads, done.stdout.splitlines())
    assert second["error"] == "seed x: expected a whole number"
    environment = gymnasium.make("FrozenLake-v1", max_episode_steps=100)
    for answer in (first, third):
        environment.reset(seed=int(answer["seed"]))
        total = 0.0
        for action in answer["actions"]:
            _, reward, ended, cut, _ = environment.step(int(action))
            total += reward
        assert ended or cut
        assert answer["return"] == total
        assert len(answer["actions"]) == answer["steps"]
        assert answer["action"] == ["left", "down", "right", "up"][int(np.argmax(answer["values"]))]
    files = sorted(it.name for it in (tmp_path / "out").iterdir())
    assert files == ["asked-2.animation.gif", "asked.animation.gif"]
    with Image.open(tmp_path / "out" / "asked.animation.gif") as image:
        assert image.n_frames > 1


@pytest.mark.pipeline
def test_a_new_map_is_seen_learned_and_compared_with_the_champion(finished, tmp_path):
    project = finished.copy(tmp_path / "project")
    lakes = project.root / "lakes"
    lakes.mkdir()
    sample = project.root / "data" / "samples" / "control"
    for name in ("environment.yaml", "4x4.txt"):
        (lakes / name).write_text((sample / name).read_text())
    (lakes / "pond.txt").write_text(POND)
    project.set("control", source="lakes")
    said = project.run("penstock", "run", "control").stdout
    assert "2 maps, 28 states" in said
    receipt = receipt_of(project)
    assert receipt["version"] == 2
    assert receipt["metrics"]["test/examples"] == 600
    (comparison,) = receipt["comparisons"]
    assert comparison["difference"] > 0.2, "who does not know the pond gets nothing there"
    assert comparison["scores"].startswith("scored again")
    assert receipt["decision"] == "champion"
    assert "Maps" in (project.root / "data" / "control" / "report.html").read_text()
    asked = tmp_path / "asked.csv"
    asked.write_text("map,state\npond,10\n,0\n")
    done = project.run("penstock", "predict", "control", str(asked), "--json", check=False)
    first, second = map(json.loads, done.stdout.splitlines())
    assert first["action"] in ("right", "down", "up")
    assert second["error"] == "no map; there is: 4x4, pond"
    (lakes / "pond.txt").write_text("SFFF\nFFHF\nHFFF\n")
    done = project.run("penstock", "run", "control", check=False)
    assert done.returncode == 1
    assert "pond.txt: no goal; expected a letter G; add it" in done.stderr
    champion = client_of(project).get_model_version_by_alias("control", "champion")
    assert int(champion.version) == 2


@pytest.mark.pipeline
def test_another_environment_is_learned_by_source_alone(finished, tmp_path):
    project = finished.copy(tmp_path / "project")
    (project.root / "cliff").mkdir()
    (project.root / "cliff" / "environment.yaml").write_text(
        "id: CliffWalking-v1\nmax_episode_steps: 200\n"
    )
    project.set("control", source="cliff", register={"tolerance": 1.0})
    project.run("penstock", "run", "control")
    receipt = receipt_of(project)
    assert receipt["metrics"]["test/return"] == receipt["metrics"]["test/best_return"] == -13
    assert receipt["decision"] == "champion"
