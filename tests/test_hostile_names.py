"""A thousand names that nobody should have: nothing runs, no line is forged, nothing is lost."""

import csv
import io
import json
import os
import random
import re
import shutil
import unicodedata
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile
from PIL import Image

from penstock.datasets.dataset import Dataset
from penstock.printable import printable
from penstock.project import Workspace
from penstock.runner import Runner
from penstock.steps import plan
from penstock.turn import taking_turns
from projects import Project
from test_closed_doors import CHROMIUM, browse

pytestmark = pytest.mark.pipeline

COUNT = 250  # for each of four pipelines
ANSWER = json.dumps({"state": "up to date"})
PARTS = [
    "<script>document.title='ran'</script>",
    "<img src=x onerror=\"document.title='ran'\">",
    "</title></style></script><script>document.title='ran'</script>",
    "'\" onmouseover=alert(1) x='",
    "javascript:document.title='ran'",
    "{{7*7}}{% raw %}",
    "${7*7}$(touch ran)`touch ran`",
    "[red]red[/red][link=http://a.example]x",
    "$\\frac{1}{2}$ $x",
    "..\\..\\..%2f..%2fetc%2fpasswd",
    "-rf --help",
    "CON: * ? | ; & > <",
    "肿瘤 опухоль ورم",
    "e\u0301\u0301\u0301 👩\u200d🔬",
    "\x1b[31mred\x1b[0m\x1b]0;title\x07\x1b[2J",
    "a\npenstock: error: forged",
    "a\r\n  rejected forged: forged",
    f"\x1e{ANSWER}\n",
    f"\n{ANSWER}\n",
    "\n  epoch 3/3  forged",
    "\u202egnp.exe\u2066",
    "\u200f\u2028\u2029\x85",
    "tab\tbell\x07back\x08\x7f",
    "\udcff\udcfe",
]


def hostile(seed):
    """Names of files without an ending: at most 251 bytes, none twice, not hidden."""
    chance = random.Random(seed)
    names = []
    for number in range(COUNT):
        name = f"{number}" + "".join(chance.choices(PARTS, k=chance.randint(1, 3)))
        if chance.random() < 0.1:
            name += "x" * 300
        content = os.fsencode(name.replace("/", "∕").replace("\0", ""))[:251]
        names.append(os.fsdecode(content))
    return names


def lines_are_ours(text, wrapped=False):
    """No control character is printed; no line begins as a forged one would.

    A table breaks long names where they are too wide for it.
    """
    for line in text.split("\n"):
        strange = [it for it in line if unicodedata.category(it) in ("Cc", "Cs", "Zl", "Zp")]
        assert not strange, repr(line)
        assert wrapped or not re.match(r"penstock: error: forged|\s*rejected forged", line), line


class _Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attributes):
        names = [name for name, _ in attributes if name.startswith("on")]
        links = [value for name, value in attributes if name in ("src", "href") and value]
        if tag == "script" or names or any(not it.startswith("data:") for it in links):
            self.found.append((tag, attributes))


def nothing_runs(report, folder):
    """Neither by the parts of the page nor, where there is a browser, in fact."""
    page = report.read_text(encoding="utf-8")
    tags = _Tags()
    tags.feed(page)
    assert tags.found == []
    lines_are_ours(page)
    if CHROMIUM:
        shown = browse(report.as_uri(), folder)
        assert re.search(r"<title>(.*?)</title>", shown)[1].endswith("Penstock report")


def everything_is_named(dataset, names):
    """Each is taken or rejected, by a name that can be read."""
    taken, rejected = set(dataset.index["id"]), set(dataset.rejected["id"])
    assert dataset.info["found"] == len(names) == len(taken) + len(rejected)
    for name in names:
        assert (name in taken) != (printable(name) in rejected), repr(name)
    for reason in dataset.rejected["reason"]:
        assert "control characters, or is not UTF-8; rename it" in reason


def project_of(tmp_path, name, **sections):
    project = Project.create(tmp_path / "project")
    project.keep(name)
    quick = {"max_epochs": 1, "min_steps": 0}
    open_gate = {"limits": {}}
    project.set(name, source="data/hostile", train=quick, register=open_gate, **sections)
    return project, project.root / "data" / "hostile"


def picture(number, shade):
    noise = np.random.default_rng(number).integers(0, 90, (32, 32, 3))
    return Image.fromarray((noise + shade).astype(np.uint8))


def test_pathology_and_its_flow(tmp_path):
    """Class folders, images and groups; all the way by a flow, whose runner they try to answer."""
    limits = {"max_rejected_share": 1.0, "max_unfit_share": 1.0, "min_examples": 1}
    project, source = project_of(
        tmp_path, "pathology", data={"image_size": 32}, expectations=limits
    )
    classes = ["<img src=x onerror=alert(1)>", "[red]$x {{7*7}}"]
    names = []
    for number, name in enumerate(hostile(0)):
        label = classes[number % 2]
        folder = source / label
        folder.mkdir(parents=True, exist_ok=True)
        picture(number, (60, 150)[number % 2]).save(folder / name, "PNG")
        names.append(f"{label}/{name}")
    refused = project.run("penstock", "run", "pathology", check=False)
    assert refused.returncode == 1, "DVC knows no such names"
    assert "its name is not UTF-8, and DVC cannot track it; rename it" in refused.stderr
    assert "\\udcff" in refused.stderr
    for name in [it for it in names if "\udcff" in it]:
        (source / name).unlink()
        names.remove(name)
    done = project.run("penstock", "flow", "pathology", PREFECT_HOME=str(tmp_path / "prefect"))
    colours = re.compile(r"\x1b\[[0-9;]*m")  # Prefect's own
    lines_are_ours(colours.sub("", done.stdout + done.stderr))
    assert "register pathology: ran" in done.stderr
    data = project.root / "data" / "pathology"
    everything_is_named(Dataset(data / "dataset"), names)
    nothing_runs(data / "report.html", tmp_path)
    some = [str(source / it) for it in names[:40]]
    shown = project.run("penstock", "predict", "pathology", *some).stdout
    lines_are_ours(shown, wrapped=True)
    told = project.run("penstock", "predict", "pathology", "--json", *some).stdout
    assert [json.loads(line)["file"] for line in told.splitlines()] == some


def test_speech(tmp_path, monkeypatch, capfd):
    """Words, speakers and recordings, by the stages."""
    limits = {"max_rejected_share": 1.0, "max_unfit_share": 1.0, "min_examples": 1}
    project, source = project_of(tmp_path, "speech", expectations=limits)
    names = []
    for number, name in enumerate(hostile(1)):
        word = ("<b onclick=alert(1)>yes", "no $x [red]")[number % 2]
        file = f"{name[:150]}_nohash_{number}"
        (source / word).mkdir(parents=True, exist_ok=True)
        time = np.arange(4000) / 16_000
        sound = 0.5 * np.sin(2 * np.pi * (300 + 2 * number) * time) * np.hanning(4000)
        soundfile.write(source / word / "new.wav", sound, 16_000)
        (source / word / "new.wav").rename(source / word / f"{file}.wav")
        names.append(f"{word}/{file}.wav")
    stages(project, "speech")
    lines_are_ours("".join(capfd.readouterr()))
    data = project.root / "data" / "speech"
    everything_is_named(Dataset(data / "dataset"), names)
    nothing_runs(data / "report.html", tmp_path)


def test_ratings(tmp_path, capfd):
    """Ids and titles are data: they are kept as they are, and escaped where they are shown."""
    project, source = project_of(tmp_path, "ratings", model={"samples": 4}, evaluate={"users": 50})
    source.mkdir(parents=True)
    names = [it.encode(errors="replace").decode().strip() for it in hostile(2)]
    chance = random.Random(0)
    rows = [
        (user, item, chance.randint(1, 5), 1_500_000_000)
        for user in names[:100]
        for item in chance.sample(names, 25)
    ]
    write_csv(source / "ratings.csv", [("user_id", "item_id", "rating", "timestamp"), *rows])
    write_csv(source / "items.csv", [("item_id", "title"), *((it, it) for it in names)])
    stages(project, "ratings")
    lines_are_ours("".join(capfd.readouterr()))
    data = project.root / "data" / "ratings"
    dataset = Dataset(data / "dataset")
    assert dataset.info["found"] == dataset.info["examples"] + dataset.info["rejected"]
    assert set(dataset.table("users")["id"]) <= set(names)
    nothing_runs(data / "report.html", tmp_path)


def write_csv(file, rows):
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    file.write_text(buffer.getvalue(), encoding="utf-8")


def stages(project, name):
    """All stages but register, in this process."""
    from penstock.stages import evaluate, ingest, train, validate

    workspace = Workspace.open(name, project.root)
    ingest.ingest(workspace)
    validate.validate(workspace)
    train.train(workspace)
    evaluate.evaluate(workspace)


def test_mnist(project, tmp_path):
    """Files named on the command line, and what lies beside the four files of the source."""
    source = project.root / "data" / "samples" / "mnist"
    files = []
    for number, name in enumerate(hostile(3)):
        file = tmp_path / name
        Image.fromarray(np.random.default_rng(number).integers(0, 255, (28, 28), np.uint8)).save(
            file, "PNG"
        )
        files.append(file)
        if number % 10 == 0:
            shutil.copy(file, source / name)
    shown = project.run("penstock", "predict", "mnist", *map(str, files)).stdout
    lines_are_ours(shown, wrapped=True)
    missing = project.run("penstock", "predict", "mnist", str(tmp_path / "a\nforged"), check=False)
    assert missing.returncode == 1
    lines_are_ours(missing.stderr)
    assert missing.stderr.count("\n") == 1
    again = project.run("penstock", "ingest", "mnist", check=False)
    lines_are_ours(again.stdout + again.stderr)


def test_nothing_that_a_stage_prints_is_taken_for_an_answer(project, monkeypatch):
    """It was, behind a record separator; then stages counted as done that had not run."""
    file = project.root / "dvc.yaml"
    (project.root / "forged").write_text(f"\x1e{ANSWER}\n{ANSWER}\n")
    loud = "cat forged && exec penstock evaluate"
    file.write_text(file.read_text().replace("exec penstock evaluate", loud))
    for key, value in project.environment().items():
        monkeypatch.setenv(key, value)
    workspace = Workspace.open("mnist", project.root)
    (step,) = [it for it in plan(workspace) if it.stage == "evaluate"]
    lines = []
    with taking_turns(workspace) as turn, Runner(workspace, turn) as runner:
        assert runner.run(step, lines.append, force=True) == "ran"
    assert lines.count(ANSWER) == lines.count(rf"\x1e{ANSWER}") == 1
    assert any(line.startswith("evaluate mnist: test/accuracy") for line in lines)


def test_a_stage_has_neither_the_answers_nor_the_secrets(project, monkeypatch):
    monkeypatch.setenv("PENSTOCK_WEBHOOK", "http://127.0.0.1/hidden")
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "penstock:hidden")
    file = project.root / "dvc.yaml"
    look = "env; ls -l /proc/self/fd; exec penstock evaluate"
    file.write_text(file.read_text().replace("exec penstock evaluate", look))
    for key, value in project.environment().items():
        monkeypatch.setenv(key, value)
    workspace = Workspace.open("mnist", project.root)
    (step,) = [it for it in plan(workspace) if it.stage == "evaluate"]
    lines = []
    with taking_turns(workspace) as turn, Runner(workspace, turn) as runner:
        runner.run(step, lines.append, force=True)
    assert not any("hidden" in line for line in lines)
    pipes = {line.partition(" -> ")[2] for line in lines if " -> pipe:" in line}
    assert len(pipes) == 1, "standard output, and nothing else"
