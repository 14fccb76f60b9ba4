"""What is told to a webhook, and that it stops nothing."""

import json

import pytest

from penstock.project.workspace import Workspace
from penstock.running.failures import failed_before, remember_failure
from penstock.running.notification import WEBHOOK, notify_of_decision, notify_of_failure
from penstock.running.steps import Step
from servers import Webhook


@pytest.fixture
def webhook(monkeypatch):
    server = Webhook()
    monkeypatch.setenv(WEBHOOK, server.address)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path, "mnist", None, tmp_path)


@pytest.mark.parametrize(
    ("decision", "version", "before", "event", "text"),
    [
        ("champion", 3, 2, "champion", "mnist: v3 is the new champion in place of v2: why"),
        ("champion", 1, None, "champion", "mnist: v1 is the new champion: why"),
        ("champion", 2, 2, None, ""),
        ("challenger", 3, 2, None, ""),
        ("refused", 3, 2, "refused", "mnist: v3 refused: why"),
    ],
)
def test_a_decision_is_told_if_people_should_know(
    webhook, workspace, decision, version, before, event, text
):
    receipt = {"decision": decision, "reason": "why", "version": version, "champion_before": before}
    workspace.receipt.write_text(json.dumps(receipt))
    notify_of_decision(workspace, pytest.fail)
    expected = {"text": f"penstock: {text}", "event": event, "pipeline": "mnist"}
    assert webhook.messages == ([expected] if event else [])


def test_a_message_that_is_not_taken_is_a_warning_without_the_secret(monkeypatch, tmp_path):
    monkeypatch.setenv(WEBHOOK, "http://127.0.0.1:9/secret")
    warnings = []
    notify_of_failure(tmp_path, "mnist", "why", warnings.append)
    (warning,) = warnings
    assert "PENSTOCK_WEBHOOK: the message was not taken" in warning
    assert "secret" not in warning


def test_without_a_webhook_nothing_is_told(monkeypatch, tmp_path):
    monkeypatch.delenv(WEBHOOK, raising=False)
    notify_of_failure(tmp_path, "mnist", "why", pytest.fail)


def test_what_failed_is_known_until_what_it_depends_on_changes(tmp_path):
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    (tmp_path / "dvc.yaml").write_text("stages:\n  one:\n    cmd: exit 1\n    deps: [data]\n")
    data = tmp_path / "data"
    step = Step("one", f"{tmp_path}/dvc.yaml:one", "one")
    assert failed_before(tmp_path, "mnist", step) == ""
    data.write_text("bad")
    remember_failure(tmp_path, "mnist", step, "bad data")
    assert failed_before(tmp_path, "mnist", step) == "bad data"
    assert failed_before(tmp_path, "speech", step) == ""
    data.write_text("good")
    assert failed_before(tmp_path, "mnist", step) == ""
    data.unlink()
    assert failed_before(tmp_path, "mnist", step) == ""
    remember_failure(tmp_path, "mnist", None, "no source")
    assert failed_before(tmp_path, "mnist", None, "no source") == "no source"
    assert failed_before(tmp_path, "mnist", None, "another") == ""
