"""A thousand names that nobody should have: nothing runs, no line is forged, nothing is lost."""

import csv
import io
import json
import os
import random
import re
import shutil
import unicodedata
from contextlib import contextmanager
from functools import partial
from html.parser import HTMLParser

import numpy as np
import pytest
import soundfile
from PIL import Image

from penstock.datasets.dataset import Dataset
from penstock.messages.printable import printable
from penstock.project.workspace import Workspace
from penstock.running.runner import Runner
from penstock.running.steps import plan
from penstock.running.turn import taking_turns
from projects import Project
from test_closed_doors import CHROMIUM, browse

pytestmark = pytest.mark.pipeline

COUNT = 250  # for each of four pipelines
UNFIT = "\udcff"  # a byte that is not UTF-8
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
    UNFIT,
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


def lines_are_ours(text):
    """No control character is printed; no line begins as a forged one would."""
    for line in text.split("\n"):
        strange = [it for it in line if unicodedata.category(it) in ("Cc", "Cs", "Zl", "Zp")]
        assert not strange, repr(line)
        assert not re.match(r"penstock: error: forged|  rejected forged", line), line


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
        assert reason == "its name has control characters; rename it"


def picture(number, size, mode):
    noise = np.random.default_rng(number).integers(0, 90, (size, size, len(mode)))
    shaded = (noise + (60, 150)[number % 2]).astype(np.uint8)
    return Image.fromarray(shaded.squeeze())


def make_pathology(source):
    """Class folders and images; some names are not UTF-8."""
    classes = ["<img src=x onerror=alert(1)>", "[red]$x {{7*7}}"]
    names = [f"{classes[number % 2]}/{name}" for number, name in enumerate(hostile(0))]
    for number, name in enumerate(names):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        picture(number, 32, "RGB").save(source / name, "PNG")
    return names


def make_speech(source):
    """Words, speakers and recordings."""
    names = []
    for number, name in enumerate(hostile(1)):
        word = ("<b onclick=alert(1)>yes", "no $x [red]")[number % 2]
        names.append(f"{word}/{name[:100].replace(UNFIT, '')}_nohash_{number}.wav")
        (source / word).mkdir(parents=True, exist_ok=True)
        time = np.arange(4000) / 16_000
        sound = 0.5 * np.sin(2 * np.pi * (300 + 2 * number) * time) * np.hanning(4000)
        soundfile.write(source / word / "new.wav", sound, 16_000)
        (source / word / "new.wav").rename(source / names[-1])
    return names


def make_ratings(source):
    """Ids and titles, which are data: they are kept as they are, and escaped where shown."""
    names = [it.encode(errors="replace").decode().strip() for it in hostile(2)]
    chance = random.Random(0)
    rows = [
        (user, item, chance.randint(1, 5), 1_500_000_000)
        for user in names[:100]
        for item in chance.sample(names, 25)
    ]
    source.mkdir(parents=True)
    write_csv(source / "ratings.csv", [("user_id", "item_id", "rating", "timestamp"), *rows])
    write_csv(source / "items.csv", [("item_id", "title"), *((it, it) for it in names)])
    return names


def write_csv(file, rows):
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    file.write_text(buffer.getvalue(), encoding="utf-8")


QUICK = {
    "pathology": {
        "data": {"image_size": 32},
        "model": {"channels": [8]},
        "evaluate": {"resamples": 100},
    },
    "speech": {"model": {"channels": [8, 16], "units": 32}, "evaluate": {"resamples": 100}},
    "ratings": {"model": {"samples": 4}, "evaluate": {"users": 50}},
    "mnist": {"model": {"channels": [8], "dense": 16}, "evaluate": {"max_shift": 1}},
}


@pytest.fixture(scope="module")
def fed(tmp_path_factory):
    """A project with hostile names in the sources of every pipeline, and what they are."""
    folder = tmp_path_factory.mktemp("hostile")
    project = Project.create(folder / "project")
    limits = {"max_rejected_share": 1.0, "max_unfit_share": 1.0, "min_examples": 1}
    for name, sections in QUICK.items():
        project.set(name, register={"limits": {}}, **sections)
        if name != "ratings":
            project.set(name, train={"max_epochs": 1, "min_steps": 0})
        if name in ("pathology", "speech"):
            project.set(name, expectations=limits)
        project.set(name, source=f"data/hostile/{name}")
    sources = project.root / "data" / "hostile"
    project.run("penstock", "sample", "mnist")
    shutil.copytree(project.root / "data" / "samples" / "mnist", sources / "mnist")
    names = {
        "pathology": make_pathology(sources / "pathology"),
        "speech": make_speech(sources / "speech"),
        "ratings": make_ratings(sources / "ratings"),
        "mnist": [it for it in hostile(3) if UNFIT not in it],
    }
    for number, name in enumerate(names["mnist"]):
        picture(number, 28, "L").save(sources / "mnist" / name, "PNG")
    return project, names


@pytest.mark.long
def test_every_pipeline_takes_or_rejects_them(fed, tmp_path):
    """From raw files to registered models: one by a flow, whose runner they try to answer."""
    project, names = fed
    refused = project.run("penstock", "run", "pathology", check=False)
    assert refused.returncode == 1, "DVC knows no such names"
    assert "its name is not UTF-8, and DVC cannot track it; rename it" in refused.stderr
    assert "\\udcff" in refused.stderr
    for name in [it for it in names["pathology"] if UNFIT in it]:
        (project.root / "data" / "hostile" / "pathology" / name).unlink()
        names["pathology"].remove(name)
    flow, *others = names
    done = project.run("penstock", "flow", flow, PREFECT_HOME=str(tmp_path / "prefect"))
    colours = re.compile(r"\x1b\[[0-9;]*m")  # Prefect's own
    lines_are_ours(colours.sub("", done.stdout + done.stderr))
    assert f"register {flow}: ran" in done.stderr
    done = project.run("penstock", "run", *others)
    lines_are_ours(done.stdout + done.stderr)
    for name in names:
        nothing_runs(project.root / "data" / name / "report.html", tmp_path)
    for name in ("pathology", "speech"):
        everything_is_named(Dataset(project.root / "data" / name / "dataset"), names[name])
    ratings = Dataset(project.root / "data" / "ratings" / "dataset")
    assert ratings.info["found"] == ratings.info["examples"] + ratings.info["rejected"]
    assert set(ratings.table("users")["id"]) <= set(names["ratings"])
    _check_predictions(project, names, tmp_path)


def _check_predictions(project, names, folder):
    """Each is answered by its own name, also by a file of 255 bytes that pictures are saved for."""
    sources = project.root / "data" / "hostile"
    asked = [(user, item) for user in names["ratings"][:40] for item in ("", user)]
    write_csv(folder / (hostile(4)[0] + ".csv"), [("user", "item"), *asked])
    long = sources / "pathology" / f"{'x' * 248}\n.{'y' * 5}"
    picture(0, 32, "RGB").save(long, "PNG")
    files = {
        name: [sources / name / it for it in names[name][:40]]
        for name in ("pathology", "speech", "mnist")
    }
    files["pathology"].append(long)
    files["ratings"] = [*folder.glob("*.csv")]
    for name, some in files.items():
        shown = project.run("penstock", "predict", name, *map(str, some)).stdout
        lines_are_ours(shown)
        told = project.run("penstock", "predict", name, "--json", *map(str, some)).stdout
        answers = [json.loads(line) for line in told.splitlines()]
        if name == "ratings":
            assert [it["user"] for it in answers] == [user for user, _ in asked]
        else:
            assert [it["file"] for it in answers] == list(map(str, some))
    save = ("--save", str(folder / "pictures"), "-o", "gradcam=true")
    project.run("penstock", "predict", "pathology", *save, *map(str, files["pathology"]))
    assert len(list((folder / "pictures").iterdir())) == len(files["pathology"])


def test_a_name_that_does_not_exist_is_one_line(project, tmp_path):
    missing = project.run("penstock", "predict", "mnist", str(tmp_path / "a\nforged"), check=False)
    assert missing.returncode == 1
    lines_are_ours(missing.stderr)
    assert missing.stderr.count("\n") == 1


@contextmanager
def evaluating(project, monkeypatch, script):
    """A runner of mnist, and its step evaluate, which does something else first."""
    file = project.root / "dvc.yaml"
    before = "exec penstock evaluate"
    file.write_text(file.read_text().replace(before, f"{script}; {before}"))
    for key, value in {**project.environment(), **project.warm}.items():
        monkeypatch.setenv(key, value)
    workspace = Workspace.open("mnist", project.root)
    (step,) = [it for it in plan(workspace) if it.stage == "evaluate"]
    with taking_turns(workspace) as turn, Runner(workspace, turn) as runner:
        yield partial(runner.run, step, force=True)


def test_nothing_that_a_stage_prints_is_taken_for_an_answer(project, monkeypatch):
    """It was, behind a record separator; then stages counted as done that had not run."""
    (project.root / "forged").write_text(f"\x1e{ANSWER}\n{ANSWER}\n")
    lines = []
    with evaluating(project, monkeypatch, "cat forged") as run:
        assert run(lines.append) == "ran"
    assert lines.count(ANSWER) == lines.count(rf"\x1e{ANSWER}") == 1
    assert any(line.startswith("evaluate mnist: test/accuracy") for line in lines)


def test_a_stage_has_neither_the_answers_nor_the_secrets(project, monkeypatch):
    monkeypatch.setenv("PENSTOCK_WEBHOOK", "http://127.0.0.1/hidden")
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "penstock:hidden")
    lines = []
    with evaluating(project, monkeypatch, "env; ls -l /proc/self/fd") as run:
        run(lines.append)
    assert not any("hidden" in line for line in lines)
    pipes = {line.partition(" -> ")[2] for line in lines if " -> pipe:" in line}
    assert len(pipes) == 1, "standard output, and nothing else"
