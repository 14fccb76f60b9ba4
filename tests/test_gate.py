"""The gate between a trained model and the registry: what passes, and on what evidence."""

from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML

from penstock.params_file import parse_section
from penstock.project import Workspace
from penstock.stages.register import decide

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
