"""What makes a stage stale of the code: each kind of edit, and exactly the stages that run it."""

import ast
import json
import re
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from penstock import pipeline
from penstock.running.code_digests import COUNTED_FOR, NOT_COUNTED, STAGE_MODULES, digest_source
from projects import QUICK, Project

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "penstock"
ALL = set(pipeline.names())
EACH = tuple(STAGE_MODULES)
MODEL = ("train", "evaluate", "register")
SCORING = ("validate", "evaluate", "register")
DIGESTS = """
import json, sys
from pathlib import Path
from penstock import pipeline
from penstock.running import code_digests

def digests():
    return {it: code_digests.stage_digests(it, Path()) for it in pipeline.names()}

found = {"": digests()}
for kind, (file, old, new) in json.load(sys.stdin).items():
    path = Path(file)
    text = path.read_text()
    assert old in text, f"{file} has changed: name another line here"
    path.write_text(text.replace(old, new, 1))
    found[kind] = digests()
    path.write_text(text)
print(json.dumps(found))
"""


def edit(project, file, old, new):
    path = project.root / file
    text = path.read_text()
    assert text.count(old) == 1, f"{file} has changed: name another line here"
    path.write_text(text.replace(old, new))


def of(names, *stages):
    return {(name, stage) for name in names for stage in stages}


class Edit(NamedTuple):
    file: str
    old: str
    new: str
    stale: set[tuple[str, str]]


def addition(file, line, stale):
    """One more function, above a line."""
    return Edit(file, line, f"def more():\n    return 1\n\n\n{line}", stale)


NOTHING = set()
PROTOCOL = "class SampleModule(Protocol):\n"
EDITS = {
    "a comment": Edit("stages/train.py", "import json\n", "import json  # why\n", NOTHING),
    "a docstring": Edit("learning/training.py", '"""', '"""Reworded. ', NOTHING),
    "what explains a setting": Edit(
        "settings/sections.py", '    """Seed of', '    """The seed of', NOTHING
    ),
    "a limit of a setting": Edit(
        "settings/sections.py", "Field(ge=0, le=2**31)", "Field(ge=1)", NOTHING
    ),
    "the report": Edit("stages/report.py", ".head(20)", ".head(21)", NOTHING),
    "the command line": addition("cli.py", "def main(", NOTHING),
    "services": addition("supervision/status.py", "def status(", NOTHING),
    "asking DVC": addition("running/steps.py", "def plan(", NOTHING),
    "a protocol": Edit("pipeline.py", PROTOCOL, f"{PROTOCOL}    more: int\n", NOTHING),
    "what models are compared by": Edit(
        "pipeline.py", "span: float = 1.0", "span: float = 2.0", of(ALL, *SCORING)
    ),
    "a sample": addition("pipelines/mnist/sample.py", "def sample(", of(["mnist"], "sample")),
    "reading": addition("pipelines/mnist/ingest.py", "def ingest(", of(["mnist"], "ingest")),
    "decoding": addition(
        "pipelines/mnist/decode.py", "def decode(", of(["mnist"], "ingest", "register")
    ),
    "a learner": addition("pipelines/ratings/train.py", "def learner(", of(["ratings"], "train")),
    "the front end of sound": addition(
        "pipelines/speech/audio.py", "class ", of(["speech"], *MODEL)
    ),
    "the trainer": addition(
        "learning/training.py",
        "def fit(",
        of(ALL, "train") | of(["generation"], "ingest", "evaluate"),  # of its classifiers
    ),
    "figures": addition("evaluation/figures.py", "def curves(", of(ALL, "evaluate")),
    "filters in reports": addition(
        "kinds/images/kernels.py", "def mean(", of(["mnist", "pathology"], "evaluate")
    ),
    "checking": addition("stages/validate.py", "def check(", of(ALL, "validate")),
    "proving": addition("tracking/fresh.py", "import sys\n", of(ALL, "register")),
    "tracking": addition("tracking/runs.py", "def try_complete_run(", of(ALL, "register")),
    "a constant beside settings": Edit(
        "pipelines/speech/params.py",
        "RATE = 16_000",
        "RATE = 8_000",
        of(["speech"], *STAGE_MODULES),
    ),
}
PINS = {
    "prefect": set(),
    "torch": of(ALL, *MODEL) | of(["generation"], "ingest"),
    "pytorch-lightning": of(ALL, "train") | of(["generation"], "ingest", "evaluate"),
    "great_expectations": of(ALL, "validate"),
    "mlflow": of(ALL, "register"),
    "soundfile": of(["speech"], "sample", "ingest", "evaluate", "register"),
    "monai": of(["pathology"], *MODEL),
}
BUILD = "a build for the CPU, of the same version"


@pytest.fixture(scope="module")
def touched(tmp_path_factory, fresh_project):
    """Kind of edit -> whose digests it changes; each is made, looked at and taken back."""
    project = fresh_project.copy(tmp_path_factory.mktemp("edited") / "project")
    edits = {kind: (f"src/penstock/{it.file}", it.old, it.new) for kind, it in EDITS.items()}
    edits |= {it: ("constraints.txt", f"\n{it}==", f"\n{it}==9") for it in PINS}
    edits[BUILD] = ("constraints.txt", "torch==2.13.0", "torch==2.13.0+cpu")
    found = json.loads(project.python(DIGESTS, json.dumps(edits)))
    before = found.pop("")
    return {
        kind: {
            (name, stage)
            for name, stages in before.items()
            for stage, digest in stages.items()
            if after[name][stage] != digest
        }
        for kind, after in found.items()
    }


@pytest.mark.parametrize("kind", EDITS)
def test_an_edit_makes_stale_the_stages_that_run_it(kind, touched):
    assert touched[kind] == EDITS[kind].stale


@pytest.mark.parametrize("library", PINS)
def test_a_new_version_makes_stale_the_stages_that_import_the_library(library, touched):
    assert touched[library] == PINS[library]


def test_the_build_of_a_library_does_not_count(touched):
    assert touched[BUILD] == set()


def test_what_is_no_python_is_named(fresh):
    file = fresh.root / "src" / "penstock" / "learning" / "device.py"
    file.write_text("def broken(:\n")
    done = fresh.run("penstock", "inputs", "mnist", check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"penstock: error: {file}:1: not valid Python: def broken(:")


def test_a_module_that_is_missing_is_named(fresh):
    file = fresh.root / "src" / "penstock" / "pipelines" / "mnist" / "train.py"
    file.unlink()
    done = fresh.run("penstock", "inputs", "mnist", check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"penstock: error: {file}: not there")


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0\r")), st.integers(0, 3))
def test_no_docstring_or_comment_counts(text, place):
    strings = ["", "", "", ""]
    strings[place] = repr(text)
    comment = "".join(it for it in text if it.isprintable())
    source = "{}\nclass A:\n {}\n x: int = 1\n {}\n def f(self):\n  {}\n  return 'x'  # {}\n"
    plain = source.format("", "", "", "", "")
    told = source.format(*strings, comment)
    assert digest_source(told.encode()) == digest_source(plain.encode())


@given(st.integers() | st.text() | st.booleans() | st.none(), st.integers() | st.text() | st.none())
def test_every_value_counts(one, other):
    same = repr(one) == repr(other)
    sources = (f"def f(x={value!r}):\n return [x, {value!r}]\n".encode() for value in (one, other))
    assert (len({digest_source(it) for it in sources}) == 1) == same


# The table, held to the code


@pytest.mark.parametrize("stage", STAGE_MODULES)
def test_the_table_names_what_a_stage_loads_by_name(stage):
    own, loaded = STAGE_MODULES[stage]
    files = [
        SOURCE.joinpath(*it.split(".")).with_suffix(".py") for it in (*own, "learning.trained")
    ]
    files = files if stage in ("evaluate", "register") else files[:-1]  # it loads for these two
    calls = [
        node
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pipeline.load"
    ]
    assert calls
    assert {ast.literal_eval(it.args[1]) for it in calls} <= set(loaded)


def test_the_tables_name_modules_that_are_there():
    for module in (
        *NOT_COUNTED,
        *COUNTED_FOR,
        *(it for own, _ in STAGE_MODULES.values() for it in own),
    ):
        path = SOURCE.joinpath(*module.split("."))
        assert path.is_dir() or path.with_suffix(".py").is_file(), module


def test_every_stage_depends_on_its_entry():
    for file, folder in (("dvc.yaml", "data/"), ("data/dvc.yaml", "")):
        stages = YAML(typ="safe").load(ROOT / file)["stages"]
        for stage in STAGE_MODULES.keys() & stages.keys():
            (params,) = stages[stage]["do"]["params"]
            named = params[f"{folder}${{key}}/inputs.json"]
            assert f"code.{stage}" in named
            deps = stages[stage]["do"].get("deps", [])
            assert not any("src/" in it or "constraints" in it for it in deps), "that says it all"


# Through DVC


def stale(project):
    (row,) = json.loads(project.run("penstock", "status", "--json").stdout)["stages"]
    assert not row["error"]
    return row["stale"]


def ran(project):
    return re.findall(r"Running stage '(\w+)@", project.run("dvc", "repro").stdout)


@pytest.mark.pipeline
def test_dvc_runs_again_what_an_edit_touches_and_no_more(project):
    source = "src/penstock/"
    edit(project, f"{source}stages/train.py", "import json\n", "import json  # a comment\n")
    edit(project, "constraints.txt", "prefect==", "prefect==1")
    assert stale(project) == []
    assert ran(project) == ["inputs"]
    (project.root / "data" / "mnist" / "inputs.json").unlink()
    assert stale(project) == [], "it will be the same"
    edit(project, f"{source}evaluation/exhibits.py", "DPI = 130", "DPI = 120")
    assert stale(project) == ["evaluate"]
    assert ran(project) == ["inputs", "evaluate"]
    assert stale(project) == []
    edit(project, f"{source}evaluation/exhibits.py", "DPI = 120", "DPI = 125")
    said = project.run("penstock", "run", "mnist").stdout
    assert "train mnist: up to date" in said
    assert "> penstock evaluate mnist" in said
    assert ran(project) == []


INPUTS = """
from pathlib import Path
from penstock.project.workspace import Workspace
from penstock.running.steps import fingerprint, plan
(step,) = [it for it in plan(Workspace.open("mnist")) if it.stage == "train"]
print(fingerprint(Path.cwd(), step))
"""


@pytest.mark.pipeline
def test_what_failed_is_tried_again_when_its_code_is_mended(project):
    """By code as it is, also before `inputs` has run: no schedule runs it until then."""
    before = project.python(INPUTS)
    edit(project, "src/penstock/evaluation/exhibits.py", "DPI = 130", "DPI = 120")
    assert project.python(INPUTS) == before
    edit(project, "src/penstock/stages/train.py", "psutil.virtual_memory()", "psutil.swap_memory()")
    assert project.python(INPUTS) != before


@pytest.mark.pipeline
def test_an_edit_while_one_pipeline_trains_holds_up_no_other(tmp_path):
    """DVC lets nothing write what a running stage depends on."""
    project = Project.create(tmp_path / "project")
    project.set(**QUICK)
    training = project.start_training("run", "mnist")
    try:
        sample = "src/penstock/pipelines/ratings/sample.py"
        edit(project, sample, "def sample(", "MORE = 1\n\n\ndef sample(")
        said = project.run("dvc", "repro", "data/dvc.yaml:sample@ratings").stdout
        assert "Running stage 'inputs@ratings'" in said
        assert training.poll() is None
    finally:
        training.terminate()
        training.wait()
    assert project.gone()
