"""Dialogues through all stages, by the commands users type."""

import fcntl
import json
import os
import pty
import subprocess
import sys
import termios
import time

import numpy as np
import pandas as pd
import psutil
import pytest

from penstock.datasets.dataset import Dataset
from penstock.learning.trained import load_trained
from penstock.pipelines.dialogue.predict import exam, outcome, predict
from projects import finish_once

QUICK = {"evaluate": {"generated": 40, "resamples": 100}}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finish_once(tmp_path_factory, "dialogue", **QUICK)


@pytest.fixture(scope="module")
def folder(finished):
    return finished.root / "data" / "dialogue"


@pytest.fixture(scope="module")
def trained(folder):
    return Dataset(folder / "dataset"), load_trained(folder / "model")[0]


def answers(project, *arguments):
    done = project.run("penstock", "predict", "dialogue", *arguments, "--json", check=False)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@pytest.mark.pipeline
def test_a_sample_is_learned_measured_and_registered(finished, folder):
    metrics = json.loads((folder / "metrics.json").read_text())
    recall = metrics["test/recall_at_1_of_10"]
    assert metrics["test/recall_at_1_of_10_low"] < recall < metrics["test/recall_at_1_of_10_high"]
    assert metrics["test/tfidf_recall_at_1_of_10"] < 0.5 < recall < 0.95
    assert metrics["test/recall_at_1_of_100"] < metrics["test/mrr"] < recall
    assert json.loads((folder / "receipt.json").read_text())["decision"] == "champion"
    page = (folder / "report.html").read_text()
    for title in ("Card", "Which reply was it", "Replies to test contexts"):
        assert title in page
    assert "made by rules, for anybody to use" in page


@pytest.mark.pipeline
def test_stored_contexts_are_answered_as_evaluate_scored_them(trained, folder):
    """Evaluate reads the dataset, a served model texts: both must see the same."""
    dataset, network = trained
    asked = exam(dataset, "test")
    marked = outcome(predict(network, asked, dataset.info, {"why": False}), asked)
    stored = pd.read_parquet(folder / "evaluation" / "scores.parquet")
    assert (marked[["hit_of_10", "hit_of_100"]] == stored[["hit_of_10", "hit_of_100"]]).all(None)
    assert set(np.unique(stored["hit_of_10"])) == {0.0, 1.0}


@pytest.mark.pipeline
def test_questions_in_a_file_are_answered_line_by_line(finished, tmp_path):
    questions = tmp_path / "questions.txt"
    lines = ["Do you have a hat?", "I'd like a red one.\tHow much is it?", "日本語"]
    questions.write_text("\n".join([*lines, lines[0]]) + "\n")
    once = answers(finished, str(questions), "-o", "why=true")
    assert [bool(it["reply"]) for it in once] == [True, True, False, True]
    assert once[0]["reply"] == once[3]["reply"]
    assert once[2]["refusal"] == "no word of it is known"
    assert len(once[0]["nearest"]) == 5
    assert once[0]["similarity"] == sorted(once[0]["similarity"], reverse=True)


def talk(project, content, *arguments):
    """What `penstock chat` prints, the line on the model left out."""
    done = subprocess.run(
        [sys.executable, "-m", "penstock", "chat", *arguments],
        cwd=project.root,
        env=project.environment(),
        input=content,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, *lines = done.stdout.decode().rstrip("\n").split("\n")
    assert "dialogue v1; made by rules, for anybody to use" in first
    return lines


@pytest.mark.pipeline
def test_a_talk_sees_its_turns_forgets_them_and_says_why(finished):
    said = b"Do you have a hat?\nHow much is it?\n/why\n/reset\n/why\nHow much is it?\n\xff\n/x\n"
    lines = talk(finished, said)
    after, why, (reset, no_why, alone, unreadable, unknown) = lines[1], lines[2:8], lines[8:]
    assert "nearest in training" in why[0]
    assert all("->" in it for it in why[1:])
    assert reset == no_why == "[nothing was said so far]"
    assert unreadable.startswith("[no")
    assert unknown.startswith("[no such command")
    assert after
    assert alone
    assert lines == talk(finished, said)


@pytest.mark.pipeline
def test_ctrl_c_and_ctrl_d_leave_a_talk_cleanly(finished):
    command = [sys.executable, "-m", "penstock", "chat"]
    for key in b"\x03", b"\x04":
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            command,
            cwd=finished.root,
            env=finished.environment(),
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # the terminal it obeys
        )
        os.close(theirs)
        shown = b""
        while b"> " not in shown:
            shown += os.read(ours, 4096)
        while psutil.Process(process.pid).status() != psutil.STATUS_SLEEPING:
            time.sleep(0.01)  # until it reads: between prompt and reading, Python misses a signal
        os.write(ours, key)
        assert process.wait(120) == 0
        assert b"Traceback" not in shown
        os.close(ours)


@pytest.mark.pipeline
def test_a_talk_needs_a_model_that_replies(finished):
    done = finished.run("penstock", "chat", "-o", "temperature=1.0", check=False)
    assert "-o temperature=1.0: no such option; there is: why" in done.stderr
    assert done.returncode == 1


@pytest.mark.pipeline
def test_looking_at_the_source_counts_its_turns(finished):
    told = finished.run("penstock", "look", "dialogue").stdout
    assert "turns: 4,496" in told
    assert "nothing doubtful" in told
