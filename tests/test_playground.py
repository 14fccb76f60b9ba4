"""The pages of the playground in a real browser: each does its main job, readable for everybody."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import requests

import test_control
import test_detection
import test_generation
import test_graph
import test_pathology
import test_ratings
import test_speech
import test_tabular
import test_text
from browser import CHROMIUM, Browser
from projects import QUICK, finish_once
from servers import answers, free_port, wait_for

AXE = os.environ.get("PENSTOCK_AXE", "")  # the axe.min.js of the npm package axe-core
MODULES = (
    *(test_control, test_detection, test_generation, test_graph, test_pathology),
    *(test_ratings, test_speech, test_tabular, test_text),
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
            env={**project.environment(), "OMP_NUM_THREADS": "1"},
        )
        wait_for(lambda: answers(f"{self.address}/health") or self.process.poll())
        assert self.process.poll() is None

    def close(self):
        self.process.terminate()
        self.process.wait()


@pytest.fixture
def playground(request, tmp_path, tmp_path_factory):
    """The server of the finished project of the pipeline that the test names."""
    name = request.param
    finished = finish_once(tmp_path_factory, name, **SETTINGS[name])
    playground = Playground(finished.copy(tmp_path / "project"), name)
    yield playground
    playground.close()


@pytest.mark.pipeline
@pytest.mark.parametrize("playground", SHOWN, indirect=True)
def test_a_page_does_its_main_job(playground, browser):
    browser.complaints.clear()
    browser.resize(1100, 800)
    browser.open(f"{playground.address}/play/{playground.name}")
    browser.wait("document.body.dataset.ready")
    browser.run("document.getElementById('example').click()")
    browser.wait(f"document.querySelector('{SHOWN[playground.name]}')")
    _mark_as_wrong(playground, browser)
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


def _check_accessible(browser):
    if AXE:
        browser.run(Path(AXE).read_text())
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
def test_a_pipeline_without_a_page_has_a_form(playground, browser):
    page = playground.project.root / "src" / "penstock" / "serving" / "pages" / "tabular.js"
    playground.close()
    page.unlink()
    other = Playground(playground.project, "tabular")
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
    import socket

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
    with socket.create_connection(place) as slow:
        slow.sendall(b"GET /health HTTP/1.1\r\nX-")
        assert slow.recv(100) == b"", "hung up"
    assert requests.get(f"{playground.address}/health", timeout=30).ok
