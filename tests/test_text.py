"""Text through all stages, by the commands users type."""

import json
import os
import pty
import subprocess

import numpy as np
import pandas as pd
import pytest

from penstock.datasets.dataset import Dataset
from penstock.learning.trained import load_trained
from penstock.pipelines.text.predict import OPTIONS, exam, predict
from projects import BIN, REAL, client_of, finish_once

QUICK = {
    "model": {"hidden": 48, "embedding": 16, "dropout": 0.0},
    "train": {"min_steps": 60, "max_epochs": 2, "learning_rate": 0.01},
    "evaluate": {"sample": 60, "temperatures": [0.0, 0.8]},
}
TRANSFORMER = {
    **{"kind": "transformer", "window": 32, "width": 16, "layers": 1, "heads": 2},
    **{"feed_forward": 32, "dropout": 0.1, "positions": "rotary", "tied": True},
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finish_once(tmp_path_factory, "text", **QUICK)


@pytest.fixture(scope="module")
def folder(finished):
    return finished.root / "data" / "text"


def answers(project, *arguments):
    done = project.run("penstock", "predict", "text", *arguments, "--json", check=False)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@pytest.mark.pipeline
def test_a_log_is_modelled_measured_and_registered(finished, folder):
    metrics = json.loads((folder / "metrics.json").read_text())
    nats = metrics["test/nats_per_character"]
    assert metrics["test/nats_per_character_low"] < nats < metrics["test/nats_per_character_high"]
    assert nats < 3
    assert metrics["test/bits_per_byte"] == pytest.approx(nats / np.log(2))
    assert json.loads((folder / "receipt.json").read_text())["decision"] == "champion"
    page = (folder / "report.html").read_text()
    for title in ("Written at temperature 0.8", "Beside baselines", "What context is worth"):
        assert title in page
    client = client_of(finished)
    (run,) = client.search_runs([client.get_experiment_by_name("text").experiment_id])
    assert run.data.metrics["throughput/tokens_per_second"] > 0


@pytest.mark.pipeline
def test_a_prompt_goes_on_the_same_by_its_seed(finished, tmp_path):
    prompt = tmp_path / "prompt.txt"
    prompt.write_text("Monday, 6 March\n")
    once = answers(finished, str(prompt), "-o", "length=40", "-o", "seed=1")
    again = answers(finished, str(prompt), "-o", "length=40", "-o", "seed=1")
    other = answers(finished, str(prompt), "-o", "length=40", "-o", "seed=2")
    assert once == again
    assert 0 < len(once[0]["continuation"]) <= 40
    assert once[0]["continuation"] != other[0]["continuation"]


@pytest.mark.pipeline
def test_rows_are_scored_or_continued_or_have_an_error(finished, tmp_path):
    file = tmp_path / "rows.parquet"
    prompts = ["Monday, ", None, "日本 ", None]
    texts = [None, "Made 120 miles since noon.", None, ""]
    pd.DataFrame({"prompt": prompts, "text": texts}).to_parquet(file)
    continued, scored, unknown, empty = answers(finished, str(file), "-o", "length=5")
    assert continued["continuation"]
    assert continued["nats"] is None
    assert scored["nats_per_character"] == pytest.approx(scored["nats"] / len(texts[1]))
    assert unknown["unknown"] == "日本"
    assert unknown["continuation"]
    assert empty["error"] == "the text to score is empty"


@pytest.mark.pipeline
def test_what_is_asked_wrongly_is_said_in_a_line(finished, tmp_path):
    prompt = tmp_path / "prompt.txt"
    prompt.write_bytes(b"caf\xe9")
    done = finished.run("penstock", "predict", "text", str(prompt), check=False)
    assert "not UTF-8 (byte 3" in done.stderr
    prompt.write_text("x")
    done = finished.run("penstock", "predict", "text", str(prompt), "-o", "length=-1", check=False)
    assert "length: -1: expected a number from 0 to 100,000" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.pipeline
def test_a_terminal_shows_text_as_it_is_written(finished, tmp_path):
    prompt = tmp_path / "prompt.txt"
    prompt.write_text("Monday, ")
    expected = answers(finished, str(prompt), "-o", "length=30")[0]["continuation"]
    ours, theirs = pty.openpty()
    command = [str(BIN / "penstock"), "predict", "text", str(prompt), "-o", "length=30"]
    subprocess.run(
        command, cwd=finished.root, env=finished.environment(), stdout=theirs, check=True
    )
    os.close(theirs)
    text = os.read(ours, 65536).decode().replace("\r\n", "\n")
    os.close(ours)
    assert text.endswith(expected + "\n")


@pytest.mark.pipeline
def test_stored_blocks_are_scored_as_their_texts_are(finished, folder):
    """Evaluate reads tokens, a served model texts: both must see the same."""
    dataset = Dataset(folder / "dataset")
    network, _ = load_trained(folder / "model")
    asked = exam(dataset, "test")
    scored = predict(network, asked, dataset.info, OPTIONS)
    stored = pd.read_parquet(folder / "evaluation" / "scores.parquet")
    np.testing.assert_allclose(scored["nats"], stored["nats"], rtol=1e-5)
    asked = pd.DataFrame({"prompt": pd.Series(["a\ud800"], dtype=object)})
    surrogate = predict(network, asked, dataset.info, OPTIONS)
    assert "lone surrogate) at 1" in surrogate["error"][0]


@pytest.mark.pipeline
def test_a_transformer_is_compared_with_the_champion_by_its_characters(finished, tmp_path):
    project = finished.copy(tmp_path / "project")
    project.replace("model", TRANSFORMER, "text")
    project.set("text", data={"tokens": "bpe", "vocabulary": 400, "block": 128})
    done = project.run("penstock", "run", "text")
    assert "> penstock train" in done.stdout
    receipt = json.loads((project.root / "data" / "text" / "receipt.json").read_text())
    assert receipt["decision"] in ("challenger", "champion")
    assert receipt["comparisons"], "another tokenisation is no reason not to compare"
    assert "Attention" in (project.root / "data" / "text" / "report.html").read_text()


@pytest.mark.real
def test_poems_keep_their_distinct_bodies_apart(tmp_path):
    from test_text_data import ingested, restored

    poems = REAL / "text" / "tang_poems.txt"
    if not poems.exists():
        pytest.skip(f"{poems} is not there")
    dataset = ingested(poems, tmp_path / "dataset", documents="line", title_end=":")
    assert dataset.info["documents"] == 6548
    assert dataset.info["documents"] - dataset.info["repeated"] == 6417
    bodies = {
        split: {it.split(":", 1)[1] for it in restored(dataset, split)}
        for split in ("train", "validation", "test")
    }
    assert not bodies["train"] & (bodies["test"] | bodies["validation"])
