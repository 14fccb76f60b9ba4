"""Speech through all stages on its sample, by the commands users type; what models answer."""

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch

from penstock.datasets.dataset import Dataset
from penstock.learning.weights import load_weights, save_weights
from penstock.messages.errors import PenstockError
from penstock.pipelines.speech.evaluate import served
from penstock.pipelines.speech.network import network
from penstock.pipelines.speech.params import CNN, CRNN, BCResNet
from penstock.pipelines.speech.predict import OPTIONS, find_words, predict
from penstock.pipelines.speech.train import learner
from penstock.settings.explanation import default_params
from penstock.settings.file import parse_section
from projects import REAL, Project, finish_once

QUICK = {
    "model": {"channels": [8, 16], "units": 32},
    "train": {"max_epochs": 20, "min_steps": 0, "batch_size": 16},
    "evaluate": {"gallery": 2, "resamples": 200},
    "register": {"limits": {"test/accuracy": [0.4, None]}},
}
INFO = {"classes": ["no", "yes"], "rate": 16_000, "samples": 16_000}
KINDS = [
    CNN(channels=[4, 8], dense=8),
    CNN(features="mfcc", channels=[4]),
    BCResNet(width=0.5),
    CRNN(units=8),
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return finish_once(tmp_path_factory, "speech", **QUICK)


@pytest.fixture(scope="module")
def folder(finished):
    return finished.root / "data" / "speech"


@pytest.mark.pipeline
def test_it_understands_unseen_speakers(folder):
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["test/accuracy"] > 0.6
    assert metrics["test/accuracy_low"] < metrics["test/accuracy"] < metrics["test/accuracy_high"]
    assert metrics["test/worst_speaker_accuracy"] <= metrics["test/accuracy"]
    assert metrics["test/accuracy_0db"] <= metrics["test/accuracy_20db"]
    index = Dataset(folder / "dataset").index
    assert index.groupby("speaker")["split"].nunique().max() == 1
    assert metrics["test/speakers"] == index[index["split"] == "test"]["speaker"].nunique()
    assert json.loads((folder / "receipt.json").read_text())["decision"] == "champion"


@pytest.mark.pipeline
def test_the_report_plays_the_hardest_recordings(folder):
    page = (folder / "report.html").read_text()
    assert page.count("<audio controls") == 2
    assert "heard as" in page
    assert "Speakers, the worst first" in page


@pytest.mark.pipeline
def test_predict_takes_other_rates_and_finds_words_in_a_long_recording(finished, tmp_path):
    source = finished.root / "data" / "samples" / "speech"
    index = Dataset(finished.root / "data" / "speech" / "dataset").index
    speaker = index[index["split"] == "train"]["speaker"].iloc[0]
    words = ["stop", "yes", "right"]
    sounds = [soundfile.read(source / word / f"{speaker}_nohash_0.wav")[0] for word in words]
    silence = np.random.default_rng(0).normal(0, 1e-4, 16_000)
    parts = [silence, *(part for sound in sounds for part in (sound, silence))]
    soundfile.write(tmp_path / "long.flac", np.concatenate(parts), 16_000)
    soundfile.write(tmp_path / "stereo.wav", np.stack([sounds[0]] * 2, axis=1), 44_100, "FLOAT")
    (tmp_path / "text.wav").write_text("no sound")
    files = [str(tmp_path / name) for name in ("long.flac", "stereo.wav", "text.wav")]
    options = ("--json", "-o", "detect=true", "-o", "threshold=0.3")
    done = finished.run("penstock", "predict", "speech", *files, *options, check=False)
    assert done.returncode == 1, "one of the files is none"
    long, short, text = (json.loads(line) for line in done.stdout.splitlines())
    assert long["words"]
    assert long["starts"] == sorted(long["starts"])
    found = [word for word in words if word in long["words"]]
    assert len(found) >= 2, f"{long['words']}, where {words} are said"
    assert short["error"] == ""
    assert text["error"].startswith("not a sound file")
    done = finished.run("penstock", "predict", "speech", files[0], "-o", "confidence=1.0", "--json")
    assert json.loads(done.stdout)["label"] == "unknown"


@pytest.mark.parametrize("model", KINDS, ids=lambda it: f"{it.kind} {it.features}")
def test_each_kind_trains_and_comes_back_from_its_weights(model, tmp_path):
    built = network(model, INFO)
    waveforms = torch.randint(-3000, 3000, (6, 16_000), dtype=torch.int16)
    params = default_params("speech").model_copy(update={"model": model})

    class OfData:
        info = INFO

    step = learner(built, params, OfData())
    loss = step.training_step({"inputs": waveforms, "label": torch.arange(6) % 2}, 0)
    loss.backward()
    assert all(
        it.grad is not None and it.grad.isfinite().all() for it in built.body.parameters()
    ), "every weight learns"
    save_weights(built, tmp_path)
    other = network(model, INFO)
    load_weights(other, tmp_path)
    built.eval(), other.eval()
    assert torch.equal(built(waveforms), other(waveforms))


def test_a_front_end_that_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="40 of 30 mels"):
        CNN(features="mfcc", coefficients=40, mels=30)
    with pytest.raises(ValueError, match="f_min: 3000 is not below f_max, 2000"):
        CRNN(f_min=3000.0, f_max=2000.0)


def test_recordings_are_not_moved_out_of_sight():
    section = default_params("speech").model_dump()
    section["evaluate"]["max_shift"] = section["data"]["duration"]
    with pytest.raises(PenstockError, match=r"speech\.evaluate\.max_shift: 1 s moves recordings"):
        parse_section("speech", section, Path("params.yaml"))


def test_loudness_does_not_matter_to_what_is_heard():
    built = network(CRNN(units=8), INFO).eval()
    sound = torch.randn(3, 16_000) * torch.hann_window(16_000) * 0.1
    torch.testing.assert_close(built(sound), built(sound * 4), atol=1e-3, rtol=1e-3)


class Listener(torch.nn.Module):
    """Hears `yes` where a window's energy is in its middle, else nothing for sure."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, waveforms):
        energy = waveforms.float().square()
        places = torch.linspace(-1, 1, waveforms.shape[1])
        middle = (energy * places).sum(1) / energy.sum(1).clamp(min=1)
        sure = 5 * (middle.abs() < 0.25).float()
        return torch.stack([torch.zeros_like(sure), sure], 1) + self.weight


def test_words_are_found_where_they_are_said():
    sound = np.zeros(16_000 * 8, np.float32)
    for second in (0.2, 3.0, 6.5):
        start = int(second * 16_000)
        sound[start : start + 8000] = np.sin(np.arange(8000) * 0.3) * 0.5
    found = find_words(Listener(), sound, INFO, 0.7)
    assert [word.word for word in found] == ["yes"] * 3
    for word, second in zip(found, (0.2, 3.0, 6.5), strict=True):
        assert word.start == pytest.approx(max(0, second - 0.25), abs=0.15)


def test_nothing_is_found_in_silence_and_no_file_is_an_error():
    assert find_words(Listener(), np.zeros(16_000, np.float32), INFO, 0.99) == []
    nothing = predict(
        Listener(),
        pd.DataFrame({"audio": []}),
        {**INFO, "min_duration": 0.1, "max_duration": 10},
        OPTIONS,
    )
    assert len(nothing) == 0


def test_a_word_nobody_is_sure_of_is_unknown():
    buffer = io.BytesIO()
    soundfile.write(buffer, np.sin(np.arange(16_000) * 0.3) * 0.5, 16_000, format="WAV")
    info = {**INFO, "min_duration": 0.1, "max_duration": 10}
    inputs = pd.DataFrame({"audio": [buffer.getvalue(), b"text"]})
    for least, label in ((0.5, "yes"), (1.0, "unknown")):
        answer = predict(Listener(), inputs, info, {**OPTIONS, "confidence": least})
        assert answer["label"][0] == label
        assert pd.isna(answer["label"][1])
        assert answer["error"][1]


def test_what_is_served_is_measured_too():
    scores = pd.DataFrame({"confidence": [0.9, 0.5, 0.4, 0.3], "correct": [1.0, 0, 1, 1]})
    assert served(scores, 0.5) == {"test/coverage": 0.5, "test/served_accuracy": 0.5}
    assert served(scores, 1.0) == {"test/coverage": 0.0}


@pytest.mark.real
@pytest.mark.pipeline
def test_unseen_speakers_are_understood_in_real_recordings(tmp_path):
    source = REAL / "speech-digits"
    if not source.is_dir():
        pytest.skip(f"real data: {source} is not here")
    project = Project.create(tmp_path / "project")
    project.keep("speech")
    project.set("speech", source=str(source), model={"channels": [8, 16], "units": 32})
    project.set("speech", data={"split": "ranked"}, train={"max_epochs": 8})
    for stage in ("ingest", "validate", "train", "evaluate"):
        project.run("penstock", stage, "speech")
    metrics = json.loads((project.root / "data/speech/metrics.json").read_text())
    assert metrics["test/speakers"] == 1
    assert metrics["test/accuracy"] > 0.7
    assert "test/accuracy_low" not in metrics, "one speaker says nothing of others"
