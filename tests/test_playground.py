"""The pages of the playground in a real browser: each does its main job, readable for everybody."""

import base64
import io
import json
import socket
import subprocess
import sys
from importlib.resources import files

import pandas as pd
import pytest
import requests
from PIL import Image

import test_control
import test_detection
import test_dialogue
import test_generation
import test_go
import test_graph
import test_pathology
import test_ratings
import test_speech
import test_tabular
import test_text
from browser import CHROMIUM, Browser
from projects import QUICK, finish_once
from servers import answers, free_port, wait_for

AXE = (files("axe_core_python") / "axe.min.js").read_text()  # finds what some cannot read or use
MODULES = (
    *(test_control, test_detection, test_dialogue, test_generation, test_go, test_graph),
    *(test_pathology, test_ratings, test_speech, test_tabular, test_text),
)
# Settings of each pipeline's own tests, so that its project is made once for all of them.
SETTINGS = {
    "mnist": QUICK,
    **{it.__name__.removeprefix("test_"): getattr(it, "QUICK", {}) for it in MODULES},
}
# What stands in the answer after the page's main button, and what else the page can do.
SHOWN = {
    "mnist": "#answer meter",
    "pathology": "#answer img",
    "ratings": "#answer tbody tr",
    "speech": "#answer meter",
    "tabular": "#moves tbody tr",
    "generation": "#answer img.pixels",
    "text": "#answer pre",
    "detection": "#answer canvas",
    "graph": "#play svg g",
    "control": "#answer img",
    "dialogue": "#answer p",
    "go": "#play svg g.black circle",
}
EVIL = "<img src=x onerror=window.stolen=1>"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if not CHROMIUM:
        pytest.skip("no browser: chromium is not installed")
    browser = Browser(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


class Playground:
    """`penstock serve` of one project, in a process of its own."""

    def __init__(self, project, name):
        self.project, self.name = project, name
        port = free_port()
        self.address = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "penstock", "serve", name, "--port", str(port)],
            cwd=project.root,
            env={**project.environment(), **project.warm},
        )
        wait_for(lambda: answers(f"{self.address}/health") or self.process.poll())
        assert self.process.poll() is None

    def close(self):
        self.process.terminate()
        self.process.wait()


@pytest.fixture(scope="module")
def playground(request, tmp_path_factory):
    """The server of the finished project of the pipeline that the test names."""
    name = request.param
    finished = finish_once(tmp_path_factory, name, **SETTINGS[name])
    playground = Playground(finished.copy(tmp_path_factory.mktemp(name) / "project"), name)
    yield playground
    playground.close()


@pytest.mark.pipeline
@pytest.mark.parametrize("playground", SHOWN, indirect=True)
def test_a_page_does_its_main_job(playground, browser, tmp_path):
    browser.complaints.clear()
    browser.resize(1100, 800)
    browser.open(f"{playground.address}/play/{playground.name}")
    browser.wait("document.body.dataset.ready")
    browser.run("document.getElementById('example').click()")
    browser.wait(f"document.querySelector('{SHOWN[playground.name]}')")
    _mark_as_wrong(playground, browser)
    if playground.name in ("mnist", "pathology", "speech", "tabular"):
        _check_read_by_ingest(playground, tmp_path)
    assert browser.run("document.getElementById('about').textContent").startswith("Version 1")
    assert browser.run("document.querySelector('#more a[href$=report]').href").endswith("/report")
    _check_accessible(browser)
    browser.resize(360, 740, dark=True)
    assert browser.run("document.documentElement.scrollWidth") <= 360, "it fits a phone"
    _check_accessible(browser)
    assert browser.complaints == []


def _mark_as_wrong(playground, browser):
    browser.wait("document.querySelector('#wrong form')")
    if browser.run("document.querySelector('#wrong input') !== null"):
        browser.run(f"document.querySelector('#wrong input').value = {EVIL!r}")
    browser.run("document.querySelector('#wrong button').click()")
    browser.wait("document.querySelector('#wrong [role=status]').textContent.startsWith('Kept')")
    folder = playground.project.root / "data" / "feedback" / playground.name
    assert list(folder.glob("*.json"))
    git = ["git", "check-ignore", "-q", str(folder)]
    assert subprocess.run(git, cwd=playground.project.root, check=False).returncode == 0


def _check_read_by_ingest(playground, folder):
    """What was marked is learned from, or rejected by its name: the example may be of the test."""
    from penstock.project.workspace import Workspace
    from penstock.stages.ingest import ingest

    name, root = playground.name, playground.project.root
    params = Workspace.open(name, root).params
    data = params.data.model_copy(update={"feedback": True})
    params = params.model_copy(update={"data": data})
    dataset = ingest(Workspace(root, name, params, folder / name))
    marks = root / "data" / "feedback" / name
    kept = list(marks.glob("*.json" if name == "tabular" else "raw/*/*"))
    told = {*dataset.index["id"].astype(str), *dataset.info.get("marked", {}).values()}
    told.update(dataset.rejected["id"])
    assert kept
    assert {it.relative_to(root / "data").as_posix() for it in kept} <= told


PYFUNC = """
import json, sys
from pathlib import Path
import pandas as pd
from penstock.serving.answering import as_records
from penstock.serving.app import as_json
from penstock.tracking.champion import load_current
from penstock.tracking.invocations import read_invocation

asked = json.load(sys.stdin)
champion = load_current(Path.cwd(), asked["name"])
rows, options = read_invocation(asked["example"], champion)
answers = champion.model.predict(pd.DataFrame(rows), params=options or None)
print(as_json(as_records(answers)).body.decode())
"""


@pytest.mark.pipeline
@pytest.mark.parametrize("playground", SHOWN, indirect=True)
def test_answers_are_those_of_predict_and_of_mlflow(playground, tmp_path):
    name, project, place = playground.name, playground.project, playground.address
    about = requests.get(f"{place}/{name}", timeout=300).json()
    example, outputs = about["example"], set(about["outputs"])
    by_json = requests.post(f"{place}/{name}/predict", json=example, timeout=300).json()
    packaged = project.python(PYFUNC, json.dumps({"name": name, "example": example}))
    assert by_json["predictions"] == json.loads(packaged.splitlines()[-1])
    table = example["dataframe_split"]
    twice = {**example, "dataframe_split": {**table, "data": [*table["data"], *table["data"]]}}
    together = requests.post(f"{place}/{name}/predict", json=twice, timeout=300).json()
    assert _is_near(together["predictions"], 2 * by_json["predictions"])
    file = _file_of(example, about["inputs"], tmp_path)
    with file.open("rb") as content:
        form = {"file": (file.name, content)}
        by_file = requests.post(f"{place}/{name}/predict", files=form, timeout=300).json()
    done = project.run("penstock", "predict", name, str(file), "--json", check=False)
    records = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert records, done.stderr
    only = [{key: it.get(key) for key in outputs} for it in records]
    assert [{key: it.get(key) for key in outputs} for it in by_file["predictions"]] == only
    assert requests.get(f"{place}/{name}/known/nothing", timeout=300).status_code == 404


def _is_near(one, other):
    """Whether two answers are the same but for what a larger batch may round otherwise."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_is_near(one[it], other[it]) for it in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_is_near, one, other))
    return one == (pytest.approx(other, rel=1e-4, abs=1e-4) if isinstance(one, float) else other)


def _file_of(example, inputs, folder):
    """A file as `penstock predict` reads it, of the first row of a packaged example."""
    table = example["dataframe_split"]
    row = dict(zip(table["columns"], table["data"][0], strict=True))
    first = next(iter(inputs))
    if inputs[first] == "binary":
        file = folder / "input.bin"
        file.write_bytes(base64.b64decode(row[first]))
    elif first in ("prompt", "context"):
        file = folder / "input.txt"
        file.write_text(row[first] if isinstance(row[first], str) else "\t".join(row[first]))
    else:
        file = folder / "input.csv"
        cells = {key: it for key, it in row.items() if not isinstance(it, list) and it is not None}
        pd.DataFrame([cells]).to_csv(file, index=False)
    return file


def _check_accessible(browser):
    browser.run(AXE)
    told = "axe.run().then(it => it.violations.map(each => `${each.impact} ${each.help}`))"
    assert browser.run(told) == []


@pytest.mark.pipeline
@pytest.mark.parametrize("playground", ["mnist"], indirect=True)
def test_a_digit_is_drawn_by_keyboard_and_what_is_shown_is_text(playground, browser):
    browser.complaints.clear()
    browser.open(f"{playground.address}/play/mnist")
    browser.wait("document.body.dataset.ready")
    browser.run("document.querySelector('canvas.pad').focus()")
    browser.press("ArrowUp", 8)
    browser.press(" ")
    browser.press("ArrowDown", 16)
    browser.wait("document.querySelectorAll('#answer meter').length === 10")
    browser.open(f"{playground.address}/play/{EVIL}")
    browser.wait("document.querySelector('.bad')")
    assert browser.run("window.stolen") is None
    browser.open(f"{playground.address}/")
    browser.wait("document.querySelectorAll('#models li').length === 1")
    assert "mnist" in browser.run("document.getElementById('models').textContent")
    _check_accessible(browser)


@pytest.mark.pipeline
@pytest.mark.parametrize("playground", ["tabular"], indirect=True)
def test_a_pipeline_without_a_page_has_a_form(playground, browser, tmp_path):
    project = playground.project.copy(tmp_path / "project")
    (project.root / "src" / "penstock" / "pipelines" / "tabular" / "page.js").unlink()
    other = Playground(project, "tabular")
    try:
        browser.open(f"{other.address}/play/tabular")
        browser.wait("document.body.dataset.ready")
        browser.run("document.querySelector('#play button').click()")
        browser.wait("document.querySelector('#answer meter')")
    finally:
        other.close()


@pytest.mark.pipeline
@pytest.mark.parametrize("playground", ["mnist"], indirect=True)
def test_hostile_requests_are_refused(playground):
    """By a client that does not keep to what HTTP libraries would send."""
    place = ("127.0.0.1", int(playground.address.rpartition(":")[2]))

    def said(request):
        with socket.create_connection(place) as line:
            line.sendall(request)
            return line.recv(1000).split(b"\r\n")[0]

    host = b"Host: 127.0.0.1\r\n"
    many = b"".join(b"X-%d: y\r\n" % it for it in range(10_000))
    assert b"400" in said(b"GET /health HTTP/1.1\r\n" + host + many)
    huge = b"Content-Length: 1000000000\r\nContent-Type: application/json\r\n\r\n"
    assert b"413" in said(b"POST /mnist/predict HTTP/1.1\r\n" + host + huge)
    assert b"404" in said(b"GET /pages/../../app.py HTTP/1.1\r\n" + host + b"\r\n")
    assert b"404" in said(b"GET /pages/%2e%2e%2f%2e%2e%2fapp.py HTTP/1.1\r\n" + host + b"\r\n")
    assert b"421" in said(b"GET /mnist HTTP/1.1\r\nHost: evil.example\r\n\r\n")
    bomb = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(bomb, "PNG")  # 50 kB that unpack to 400 million pixels
    form = {"file": ("bomb.png", bomb.getvalue())}
    (row,) = requests.post(f"{playground.address}/mnist/predict", files=form, timeout=300).json()[
        "predictions"
    ]
    assert "pixels" in row["error"]
    with socket.create_connection(place) as slow:
        slow.sendall(b"GET /health HTTP/1.1\r\nX-")
        assert slow.recv(100) == b"", "hung up"
    assert requests.get(f"{playground.address}/health", timeout=30).ok
