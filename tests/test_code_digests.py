"""What makes a stage stale of the code: each kind of edit, and exactly the stages that run it."""

import ast
import inspect
import json
import re
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from penstock import pipeline
from penstock.running.code_digests import NOT_COUNTED, OPTIONAL, STARTS
from penstock.running.definitions import WHOLE, read_module
from penstock.running.syntax import digest_code, dotted
from penstock.settings.file import models_in
from projects import QUICK, Project

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "penstock"
# Some pipelines, for which it is said here who runs what. More of them change nothing in that.
ALL = {"generation", "mnist", "pathology", "ratings", "speech", "tabular"}
EACH = tuple(STARTS)
MODEL = ("train", "evaluate", "register")
DRAWN = ["generation"]  # learns classifiers where others only learn models
DIGESTS = """
import json, sys
from pathlib import Path
from penstock.running import code_digests

names, edits = json.load(sys.stdin)

def digests():
    return {it: code_digests.stage_digests(it, Path()) for it in names}

found = {"": digests()}
for kind, (file, old, new) in edits.items():
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


NOTHING = set()
PROTOCOL = "class SampleModule(Protocol):\n"
EDITS = {
    "a comment": Edit("stages/train.py", "import json\n", "import json  # why\n", NOTHING),
    "a docstring": Edit("learning/training.py", '"""', '"""Reworded. ', NOTHING),
    "a new function": Edit(
        "learning/training.py", "def fit(", "def more():\n    return 1\n\n\ndef fit(", NOTHING
    ),
    "a function that no stage runs": Edit(
        "learning/sources.py", "torch.arange(length)", "torch.arange(length + 1)", NOTHING
    ),
    "what explains a setting": Edit(
        "settings/sections.py", '    """Seed of', '    """The seed of', NOTHING
    ),
    "a limit of a setting": Edit(
        "settings/sections.py", "Field(ge=0, le=2**31)", "Field(ge=1)", NOTHING
    ),
    "the report": Edit("stages/report.py", ".head(20)", ".head(21)", NOTHING),
    "the command line": Edit("cli.py", "no_args_is_help=True", "no_args_is_help=False", NOTHING),
    "services": Edit("supervision/status.py", "LAST = 10", "LAST = 11", NOTHING),
    "asking DVC": Edit("running/steps.py", "_wait_for_lock=True", "_wait_for_lock=False", NOTHING),
    "finding modules": Edit("pipeline.py", "known, n=1)", "known, n=2)", NOTHING),
    "a protocol": Edit("pipeline.py", PROTOCOL, f"{PROTOCOL}    more: int\n", NOTHING),
    # A function, with others beside it that other stages run
    "writing weights": Edit(
        "learning/weights.py",
        "folder / WEIGHTS)\n    return",
        "WEIGHTS)\n    return",
        of(ALL, "train"),
    ),
    "reading weights": Edit(
        "learning/weights.py",
        "load_file(folder / WEIGHTS)",
        "load_file(WEIGHTS)",
        of(ALL, "evaluate", "register"),
    ),
    "a digest of weights": Edit(
        "learning/weights.py", 'file, "sha256"', 'file, "sha1"', of(ALL, "train", "register")
    ),
    "what two pipelines decode by": Edit(
        "kinds/images/decode.py",
        'on_white(image).convert("RGB")',
        'image.convert("RGB")',
        of(["generation", "pathology"], "ingest", "register"),
    ),
    "layers of one pipeline": Edit(
        "learning/convolution.py", "nn.BatchNorm1d(outputs)", "nn.Identity()", of(["mnist"], *MODEL)
    ),
    "layers of several": Edit(
        "learning/convolution.py",
        "nn.MaxPool2d(2)",
        "nn.MaxPool2d(3)",
        of(["mnist", "pathology", "speech", *DRAWN], *MODEL) | of(DRAWN, "ingest"),
    ),
    "a sample": Edit(
        "pipelines/mnist/sample.py",
        "write_digits(folder)",
        "write_digits(folder / '.')",
        of(["mnist"], "sample"),
    ),
    "what two samples are made by": Edit(
        "kinds/images/digits.py",
        "TEST_SHARE = 0.2",
        "TEST_SHARE = 0.3",
        of(["mnist", *DRAWN], "sample"),
    ),
    "reading": Edit(
        "pipelines/mnist/ingest.py", "LARGEST = 2**28", "LARGEST = 2**29", of(["mnist"], "ingest")
    ),
    "decoding": Edit(
        "pipelines/mnist/decode.py",
        "FAINT = 0.15",
        "FAINT = 0.2",
        of(["mnist"], "ingest", "register"),
    ),
    "what only users ask": Edit(
        "pipelines/tabular/predict.py", "names[:20]", "names[:21]", of(["tabular"], "register")
    ),
    "a learner": Edit(
        "pipelines/ratings/train.py",
        'means["loss"].sqrt()',
        'means["loss"]',
        of(["ratings"], "train"),
    ),
    "the front end of sound": Edit(
        "pipelines/speech/audio.py", "np.log(6.4)", "np.log(6.5)", of(["speech"], *MODEL)
    ),
    "the trainer": Edit(
        "learning/training.py",
        "8 * params.batch_size",
        "4 * params.batch_size",
        of(ALL, "train") | of(DRAWN, "ingest", "evaluate"),
    ),
    "a figure of all": Edit(
        "evaluation/figures.py", "figsize=(4.2 *", "figsize=(4.3 *", of(ALL, "evaluate")
    ),
    "a figure of some": Edit(
        "evaluation/figures.py",
        "0.42 * len",
        "0.43 * len",
        of(ALL - {"ratings", *DRAWN}, "evaluate"),
    ),
    "checking": Edit("stages/validate.py", "FEW = 5", "FEW = 6", of(ALL, "validate")),
    "proving": Edit(
        "tracking/fresh.py",
        'filterwarnings("ignore")',
        'filterwarnings("error")',
        of(ALL, "register"),
    ),
    "tracking": Edit(
        "tracking/runs.py", "0, len(points), 1000", "0, len(points), 100", of(ALL, "register")
    ),
    "tracking that evaluate asks for": Edit("tracking/runs.py", ".result()", ".result(9)", NOTHING),
    # What is no function
    "a constant": Edit(
        "evaluation/metrics.py",
        "CONFIDENCE = 0.95",
        "CONFIDENCE = 0.9",
        of(ALL, "evaluate", "register"),
    ),
    "a constant beside it": Edit(
        "evaluation/metrics.py", "BINS = 15", "BINS = 16", of(ALL - {"ratings", *DRAWN}, "evaluate")
    ),
    "a constant beside settings": Edit(
        "pipelines/speech/params.py", "RATE = 16_000", "RATE = 8_000", of(["speech"], *EACH)
    ),
    "a decorator": Edit("learning/checkpoints.py", "@contextmanager\n", "", of(ALL, "train")),
    "a decorator that may do more": Edit(  # wherever the module is imported
        "learning/checkpoints.py",
        "@contextmanager\n",
        "@register\n",
        of(ALL, "train") | of(DRAWN, "ingest", "evaluate"),
    ),
    "a class": Edit(
        "learning/sources.py",
        "return len(self.rows)",
        "return len(self.rows) - 1",
        of(ALL, "train") | of(DRAWN, "ingest", "evaluate"),
    ),
    "what models are compared by": Edit(
        "pipeline.py",
        "span: float = 1.0",
        "span: float = 2.0",
        of(ALL, "register") | of(ALL - {"ratings"}, "evaluate"),
    ),
    "what importing does": Edit(
        "evaluation/figures.py",
        '"text.parse_math"] = False',
        '"text.parse_math"] = True',
        of(ALL, "evaluate"),
    ),
    "more that importing does": Edit(
        "learning/device.py",
        "\n\ndef set_threads(",
        "\n\ntorch.set_flush_denormal(True)\n\n\ndef set_threads(",
        of(ALL, "train", "evaluate") | of(DRAWN, "ingest"),
    ),
    "a re-export": Edit(
        "pipelines/mnist/expectations.py",
        "import tables as tables",
        "import count_splits as tables",
        of(["mnist"], "validate"),
    ),
}
PINS = {
    "prefect": NOTHING,
    "torch": of(ALL, *MODEL) | of(DRAWN, "ingest"),
    "pytorch-lightning": of(ALL, "train") | of(DRAWN, "ingest", "evaluate"),
    "great_expectations": of(ALL, "validate"),
    "mlflow": of(ALL, "register"),
    "soundfile": of(["speech"], "sample", "ingest", "evaluate", "register"),
    "soxr": of(["speech"], "ingest", "register"),
    "monai": of(["pathology"], *MODEL),
    # A model requires all that its modules import, even where what it runs does not use it.
    "scikit-learn": of(ALL, "register")
    | of(ALL - {"ratings"}, "evaluate")
    | of(["tabular"], "train")
    | of(["mnist", "tabular", *DRAWN], "sample"),
}
BUILD = "a build for the CPU, of the same version"


@pytest.fixture(scope="module")
def touched(tmp_path_factory, fresh_project):
    """Kind of edit -> whose digests it changes; each is made, looked at and taken back."""
    project = fresh_project.copy(tmp_path_factory.mktemp("edited") / "project")
    edits = {kind: (f"src/penstock/{it.file}", it.old, it.new) for kind, it in EDITS.items()}
    edits |= {it: ("constraints.txt", f"\n{it}==", f"\n{it}==9") for it in PINS}
    edits[BUILD] = ("constraints.txt", "torch==2.13.0", "torch==2.13.0+cpu")
    found = json.loads(project.python(DIGESTS, json.dumps([sorted(ALL), edits])))
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


def digest(source):
    return digest_code(ast.parse(source).body)


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0\r")), st.integers(0, 3))
def test_no_docstring_or_comment_counts(text, place):
    strings = ["", "", "", ""]
    strings[place] = repr(text)
    comment = "".join(it for it in text if it.isprintable())
    source = "{}\nclass A:\n {}\n x: int = 1\n {}\n def f(self):\n  {}\n  return 'x'  # {}\n"
    plain = source.format("", "", "", "", "")
    told = source.format(*strings, comment)
    assert digest(told) == digest(plain)


@given(st.integers() | st.text() | st.booleans() | st.none(), st.integers() | st.text() | st.none())
def test_every_value_counts(one, other):
    same = repr(one) == repr(other)
    sources = (f"def f(x={value!r}):\n return [x, {value!r}]\n" for value in (one, other))
    assert (len({digest(it) for it in sources}) == 1) == same


# The table, held to the code


@pytest.mark.parametrize("stage", STARTS)
def test_the_table_names_what_a_stage_loads_by_name(stage):
    starts = {it: names.split() for it, names in STARTS[stage].items()}
    own = [it for it in starts if not it.startswith("NAME.")]
    own += ["learning.trained"] * (stage == "evaluate")
    calls = [
        node
        for module in own
        for node in ast.walk(ast.parse(file_of(module).read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pipeline.load"
    ]
    assert calls
    for module in (ast.literal_eval(it.args[1]) for it in calls):
        asked = getattr(pipeline, f"{module.title()}Module", None)  # none of settings
        questions = [it for it in vars(asked) if not it.startswith("_")] if asked else ["Params"]
        assert set(questions) <= set(starts[f"NAME.{module}"])


def test_the_tables_name_what_is_there():
    starts = {it: names.split() for stage in STARTS.values() for it, names in stage.items()}
    assert set(OPTIONAL) <= {*starts["NAME.ingest"], *starts["NAME.predict"]}
    for module, names in starts.items():
        for it in (module.replace("NAME", f"pipelines.{name}") for name in pipeline.names()):
            found = read_module(f"penstock.{it}")
            assert all(found.defines(name) for name in names if name not in (*OPTIONAL, WHOLE))
    for it in NOT_COUNTED:
        module, _, name = it.rpartition(".")
        assert file_of(it).is_file() or read_module(f"penstock.{module}").defines(name)


def file_of(module):
    return SOURCE.joinpath(*module.split(".")).with_suffix(".py")


WAYS = {
    *("import_module", "__import__", "sys.modules", "pkgutil", "metaclass", "get_type_hints"),
    *("__subclasses__", "__init_subclass__", "__getattr__", "getmembers", "entry_points"),
}


def test_code_is_found_by_its_name():
    """Or in few places, for which the tables say what is found there."""
    found = {
        (file.relative_to(SOURCE).as_posix(), name)
        for file in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        for name in WAYS
        & {dotted(node), *(getattr(node, it, None) for it in ("attr", "name", "arg"))}
    }
    assert found == {
        ("kinds/games/compiled/caching.py", "sys.modules"),  # an empty one
        ("pipeline.py", "import_module"),
        ("project/warm.py", "import_module"),
        ("project/warm.py", "sys.modules"),
        ("tracking/served.py", "import_module"),
        ("tracking/served.py", "sys.modules"),
        ("tracking/fresh.py", "sys.modules"),
    }


def test_no_library_is_imported_for_what_that_does():
    """Ruff holds that what is imported is named; libraries count by the code that names them."""
    assert not [file for file in SOURCE.rglob("*.py") if "F401" in file.read_text()]


@pytest.mark.parametrize("name", pipeline.names())
def test_types_of_settings_are_no_strings(name):
    """Pydantic would look up the names in them."""
    waiting, seen = [pipeline.load(name, "params").Params], set()
    while waiting:
        model = waiting.pop()
        seen.add(model)
        assert not any(isinstance(it, str) for it in inspect.get_annotations(model).values())
        waiting += {
            it for field in model.model_fields.values() for it in models_in(field.annotation)
        } - seen


# The stages as they run


CALLS = """
import json, sys, threading
from inspect import CO_OPTIMIZED
from pathlib import Path
from penstock.datasets.dataset import Dataset
from penstock.learning.trained import load_trained
from penstock.pipeline import load
from penstock.project.workspace import Workspace
from penstock.running.code_digests import counts, reach
from penstock.running.definitions import IMPORTED, SOURCE, Reference
from penstock.sources.sample import make_sample
from penstock.stages import evaluate, ingest, register, train, validate

name = sys.stdin.read()
workspace = Workspace.open(name)
places = {}

def place(code):
    if code not in places:
        file, places[code] = Path(code.co_filename), None
        runs = code.co_flags & CO_OPTIMIZED or code.co_name == "<module>"  # not the body of a class
        if runs and file.is_relative_to(SOURCE):
            parts = file.relative_to(SOURCE.parent).with_suffix("").parts
            module = ".".join(parts).removesuffix(".__init__")
            first = code.co_qualname.partition(".")[0]
            defined = IMPORTED if first.startswith("<") else first
            places[code] = Reference(module, defined)
    return places[code]

def watching(stage, run):
    reached, _ = reach(name, stage)
    called, missed = set(), set()

    def watch(frame, *_):
        it = place(frame.f_code)
        if it in called:
            return
        if it in reached:
            called.add(it)
        elif it:
            above = []
            while frame:
                above.append(place(frame.f_code))
                frame = frame.f_back
            if all(counts(it, stage) for it in above if it):
                missed.add(it)

    threading.settrace(watch)
    sys.settrace(watch)
    try:
        run(workspace)
    finally:
        sys.settrace(None)
        threading.settrace(None)
    return [len(called), sorted(map(".".join, missed))]

def serve(workspace):
    register.register(workspace)
    network, said = load_trained(workspace.model)
    module = load(name, "predict")
    interface = module.interface(said["dataset"], said["params"]["model"])
    inputs = module.exam(Dataset(workspace.dataset), "test")[list(interface.inputs)]
    module.predict(network, inputs, said["dataset"], interface.options)

stages = {
    "sample": lambda it: make_sample(name, it.root),
    "ingest": ingest.ingest,
    "validate": validate.validate,
    "train": train.train,
    "evaluate": evaluate.evaluate,
    "register": serve,
}
print(json.dumps({stage: watching(stage, run) for stage, run in stages.items()}))
"""


@pytest.mark.pipeline
@pytest.mark.parametrize("name", ["mnist", "tabular"])
def test_all_that_a_stage_calls_counts(name, tmp_path):
    """But for what is called by code that does not."""
    project = Project.create(tmp_path / "project")
    project.set(**QUICK)
    *_, found = project.python(CALLS, name).splitlines()
    for stage, (called, missed) in json.loads(found).items():
        assert called >= (10 if stage != "sample" else 1)
        assert not missed, stage


def test_every_stage_depends_on_its_entry():
    for file, folder in (("dvc.yaml", "data/"), ("data/dvc.yaml", "")):
        stages = YAML(typ="safe").load(ROOT / file)["stages"]
        for stage in STARTS.keys() & stages.keys():
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
