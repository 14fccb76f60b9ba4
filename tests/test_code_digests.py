"""What makes a stage stale of the code: each kind of edit, and exactly the stages that run it."""

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from penstock import pipeline
from penstock.code_digests import COUNTED_FOR, NOT_COUNTED, STAGE_MODULES, digest_source

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "penstock"
ALL = set(pipeline.names())
DIGESTS = """
import json, sys
from pathlib import Path
from penstock import code_digests, pipeline

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


EDITS = {
    "a comment": ("stages/train.py", "import json\n", "import json  # a comment\n", set()),
    "a docstring": ("learning/training.py", '"""', '"""Reworded. ', set()),
    "what explains a setting": ("params.py", '    """Seed of the', '    """The seed of the', set()),
    "a limit of a setting": ("params.py", "Field(ge=0, le=2**31)", "Field(ge=1, le=2**31)", set()),
    "the report": ("stages/report.py", ".head(20)", ".head(21)", set()),
    "the command line": ("cli.py", "no_args_is_help=True", "no_args_is_help=False", set()),
    "services": ("supervision/status.py", "LAST = 10", "LAST = 11", set()),
    "what DVC is asked": ("steps.py", "RLock()", "Lock()", set()),
    "the contract, without what runs": (
        *("pipeline.py", "class SampleModule(Protocol):"),
        *("class SampleModule(Protocol):\n    more: int\n", set()),
    ),
    "a sample": (
        *("pipelines/mnist/sample.py", "def sample(", "MORE = 1\n\n\ndef sample("),
        of(["mnist"], "sample"),
    ),
    "reading raw files": (
        *("pipelines/mnist/ingest.py", "def ingest(", "MORE = 1\n\n\ndef ingest("),
        of(["mnist"], "ingest"),
    ),
    "decoding": (
        *("pipelines/mnist/decode.py", "def decode(", "MORE = 1\n\n\ndef decode("),
        of(["mnist"], "ingest", "validate", "register"),
    ),
    "a network": (
        *("pipelines/ratings/train.py", "def learner(", "MORE = 1\n\n\ndef learner("),
        of(["ratings"], "train"),
    ),
    "the speech front end": (
        *("learning/audio.py", "class ", "MORE = 1\n\n\nclass "),
        of(["speech"], "train", "evaluate", "register"),
    ),
    "the trainer": (
        "stages/train.py",
        "psutil.virtual_memory()",
        "psutil.swap_memory()",
        of(ALL, "train"),
    ),
    "figures": (
        *("evaluation/figures.py", "def curves(", "MORE = 1\n\n\ndef curves("),
        of(ALL, "evaluate"),
    ),
    "expectations": ("stages/validate.py", "FEW = 5", "FEW = 6", of(ALL, "validate")),
    "the contract": (
        *("pipeline.py", "    span: float = 1.0", "    span: float = 2.0"),
        of(ALL, "validate", "evaluate", "register"),
    ),
    "what proves a package": (
        *("tracking/fresh.py", "import sys\n", "import sys\n\nMORE = 1\n"),
        of(ALL, "register"),
    ),
    "logging of runs": (
        "tracking/runs.py",
        "\n\ndef ",
        "\n\nMORE = 1\n\n\ndef ",
        of(ALL, "register"),
    ),
    "what settings derive": (
        *("pipelines/speech/params.py", "RATE = 16_000", "RATE = 8_000"),
        of(["speech"], *STAGE_MODULES),
    ),
}
PINS = {
    "prefect": set(),
    "torch": of(ALL, "train", "evaluate", "register"),
    "pytorch-lightning": of(ALL, "train"),
    "great_expectations": of(ALL, "validate"),
    "mlflow": of(ALL, "register"),
    "soundfile": of(["speech"], "sample", "ingest", "evaluate", "register"),
    "monai": of(["pathology"], "train", "evaluate", "register"),
}


BUILD = "a build for the CPU, of the same version"


@pytest.fixture(scope="module")
def touched(tmp_path_factory, fresh_project):
    """Kind of edit -> whose digests it changes; each is made, looked at and taken back."""
    project = fresh_project.copy(tmp_path_factory.mktemp("edited") / "project")
    edits = {kind: (f"src/penstock/{it[0]}", *it[1:3]) for kind, it in EDITS.items()}
    edits |= {it: ("constraints.txt", f"\n{it}==", f"\n{it}==9") for it in PINS}
    edits[BUILD] = ("constraints.txt", "torch==2.13.0", "torch==2.13.0+cpu")
    done = subprocess.run(
        [sys.executable, "-c", DIGESTS],
        cwd=project.root,
        env=project.environment(),
        input=json.dumps(edits),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
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
    assert touched[kind] == EDITS[kind][-1]


@pytest.mark.parametrize("library", PINS)
def test_a_new_version_makes_stale_the_stages_that_import_the_library(library, touched):
    assert touched[library] == PINS[library]


def test_the_build_of_a_library_does_not_count(touched):
    assert touched[BUILD] == set()


def test_what_is_no_python_is_named(fresh):
    file = fresh.root / "src" / "penstock" / "learning" / "audio.py"
    file.write_text("def broken(:\n")
    done = fresh.run("penstock", "code", "mnist", check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"penstock: error: {file}:1: not valid Python: def broken(:")


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
    files = [SOURCE.joinpath(*it.split(".")).with_suffix(".py") for it in (*own, "trained")]
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
            assert {f"{folder}${{key}}/code.yaml": [stage]} in stages[stage]["do"]["params"]
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
    assert ran(project) == ["code"]
    (project.root / "data" / "mnist" / "code.yaml").unlink()
    assert stale(project) == [], "as after a clone"
    edit(project, f"{source}stages/evaluate.py", "dpi=130", "dpi=120")
    assert stale(project) == ["evaluate"]
    assert ran(project) == ["code", "evaluate"]
    assert stale(project) == []
    edit(project, f"{source}stages/evaluate.py", "dpi=120", "dpi=125")
    said = project.run("penstock", "run", "mnist").stdout
    assert "train mnist: up to date" in said
    assert "> penstock evaluate mnist" in said
    assert ran(project) == []


INPUTS = """
from pathlib import Path
from penstock.project import Workspace
from penstock.steps import fingerprint, plan
(step,) = [it for it in plan(Workspace.open("mnist")) if it.stage == "train"]
print(fingerprint(Path.cwd(), step))
"""


def inputs(project):
    done = subprocess.run(
        [sys.executable, "-c", INPUTS],
        cwd=project.root,
        env=project.environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.pipeline
def test_what_failed_is_tried_again_when_its_code_is_mended(project):
    """By code as it is, also before `code` has run: no schedule runs it while nothing is stale."""
    before = inputs(project)
    edit(project, "src/penstock/stages/evaluate.py", "dpi=130", "dpi=120")
    assert inputs(project) == before
    edit(project, "src/penstock/stages/train.py", "psutil.virtual_memory()", "psutil.swap_memory()")
    assert inputs(project) != before
