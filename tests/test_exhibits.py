"""What a report shows: pictures, tables, texts, sounds, animations, boards."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from penstock.evaluation import exhibits
from penstock.pipeline import Evaluation
from penstock.project.workspace import Workspace
from penstock.stages import evaluate as stage

SVG = '<svg xmlns="http://www.w3.org/2000/svg"><circle r="9"/></svg>'


def drawn() -> Figure:
    figure = Figure()
    figure.subplots().plot([0, 1])
    return figure


def test_a_figure_drawn_twice_is_the_same_file():
    assert exhibits.figure("a", drawn()).content == exhibits.figure("a", drawn()).content


def test_an_animation_has_all_its_frames():
    frames = np.stack([np.full((8, 8, 3), value, np.uint8) for value in (0, 100, 200)])
    shown = exhibits.animation("walk", frames, 40)
    with Image.open(io.BytesIO(shown.content)) as image:
        assert (image.n_frames, image.size, image.info["duration"]) == (3, (8, 8), 40)


@pytest.mark.pipeline
def test_a_report_shows_every_kind_in_its_order(finished_project, monkeypatch, tmp_path):
    project = finished_project.copy(tmp_path / "project")
    workspace = Workspace.open("mnist", project.root)
    real = stage.pipeline.load("mnist", "evaluate").evaluate
    kinds = [
        exhibits.Text("What it wrote", "line 1\n  <b>line 2</b>"),
        exhibits.board("A position", SVG, "Black to play."),
        exhibits.Table("Numbers", pd.DataFrame({"a": [1.5, 2.5], "b": ["x", "<i>"]}), "In rows."),
        exhibits.sound("A word", b"RIFF", "Listen."),
        exhibits.animation("A walk", np.zeros((2, 4, 4), np.uint8), 50, "Twice as slow."),
        exhibits.gallery("A sheet", np.zeros((3, 4, 4), np.uint8), "abc", [False] * 3, "Three."),
    ]

    def evaluate(*asked) -> Evaluation:
        found = real(*asked)
        found.exhibits = list(kinds)
        return found

    monkeypatch.setattr(stage.pipeline.load("mnist", "evaluate"), "evaluate", evaluate)
    stage.evaluate(workspace)
    about = json.loads((workspace.evaluation / "about.json").read_text())
    titles = [it["title"] for it in about["exhibits"]]
    assert titles == [*(it.title for it in kinds), "Training curves"]
    files = {it.name for it in (workspace.evaluation / "figures").iterdir()}
    assert files == {
        *("a_position.svg", "a_word.wav", "a_walk.gif", "a_sheet.png"),
        "training_curves.png",
    }
    page = workspace.report.read_text()
    places = [page.index(f">{title}") for title in titles]
    assert places == sorted(places)
    assert "&lt;b&gt;line 2&lt;/b&gt;" in page
    assert "<b>line 2" not in page
    for kind in ("image/svg+xml", "image/gif", "image/png", "audio/wav"):
        assert f'src="data:{kind};base64,' in page
