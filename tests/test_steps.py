"""What DVC is asked about several pipelines at once."""

import pytest

from penstock.messages.errors import PenstockError
from penstock.running.steps import survey


@pytest.mark.pipeline
def test_each_pipeline_gets_its_own_answer(project):
    found = survey(project.root, ["mnist", "nobody"])
    assert found["mnist"] == []
    assert "nobody: no such pipeline" in str(found["nobody"])
    project.set(evaluate={"gallery": 9})
    assert [it.label for it in survey(project.root, ["mnist"])["mnist"]] == ["evaluate mnist"]


@pytest.mark.pipeline
def test_where_dvc_cannot_be_asked_all_say_why(project):
    (project.root / "dvc.yaml").write_text("stages: [")
    found = survey(project.root, ["mnist", "nobody"])
    assert all(isinstance(it, PenstockError) for it in found.values())
    assert "dvc.yaml" in str(found["mnist"])


@pytest.mark.pipeline
def test_a_pipeline_that_dvc_does_not_know_is_an_error(project):
    file = project.root / "dvc.yaml"
    file.write_text(file.read_text().replace("register:", "enroll:"))
    assert "dvc.yaml has no stage register@mnist" in str(survey(project.root, ["mnist"])["mnist"])
