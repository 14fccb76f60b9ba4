"""The house keeps its shape: walls, relative imports, and dvc.yaml naming the code that runs."""

import ast
import inspect
from pathlib import Path

import grimp
import pytest
from ruamel.yaml import YAML

from penstock import pipeline

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "penstock"
STAGES = ("ingest", "validate", "train", "evaluate", "register")
CONTRACT = {
    "sample": pipeline.SampleModule,
    "ingest": pipeline.IngestModule,
    "expectations": pipeline.ExpectationsModule,
    "network": pipeline.NetworkModule,
    "train": pipeline.TrainModule,
    "evaluate": pipeline.EvaluateModule,
    "predict": pipeline.PredictModule,
}
# What a stage imports but its outputs do not depend on: settings are compared by value, the rest
# finds, tells or records. (register's output is what tracking did, so there tracking counts.)
PLUMBING = (
    "penstock",
    "penstock.errors",
    "penstock.login",
    "penstock.params",
    "penstock.params_file",
    "penstock.params_help",
    "penstock.pipeline",
    "penstock.pipelines",
    "penstock.processes",
    "penstock.project",
    "penstock.slots",
    "penstock.stages",
    "penstock.stages.report",
    "penstock.terminal",
    "penstock.tracking",
)


def dynamic_modules(stage: str) -> list[str]:
    """The modules of a pipeline that a stage loads by name."""
    tree = ast.parse((SOURCE / "stages" / f"{stage}.py").read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [
        call.args[1].value
        for call in calls
        if ast.unparse(call.func) == "pipeline.load" and isinstance(call.args[1], ast.Constant)
    ]


@pytest.fixture(scope="module")
def imports():
    return grimp.build_graph("penstock", exclude_type_checking_imports=True, cache_dir=None)


@pytest.fixture(scope="module")
def dvc_stages():
    return YAML(typ="safe").load(ROOT / "dvc.yaml")["stages"]


@pytest.mark.parametrize("name", pipeline.names())
@pytest.mark.parametrize("stage", STAGES)
def test_dvc_knows_all_the_code_a_stage_runs(stage, name, imports, dvc_stages):
    loaded = dynamic_modules(stage)
    assert loaded
    if stage in ("evaluate", "register"):
        loaded.append("network")  # by trained.load_trained, and in what is packaged
    roots = [f"penstock.stages.{stage}", *(f"penstock.pipelines.{name}.{it}" for it in loaded)]
    runs = {module for root in roots for module in imports.find_upstream_modules(root)} | set(roots)
    declared = [
        dep.replace("${key}", name)
        for dep in dvc_stages[stage]["do"]["deps"]
        if dep.startswith("src/")
    ]
    missing = sorted(
        module
        for module in runs
        if not _is_plumbing(module, name, stage)
        and not any(_covers(dep, module) for dep in declared)
    )
    assert not missing, f"dvc.yaml: {stage} runs code it does not name"


@pytest.mark.parametrize("name", pipeline.names())
def test_dvc_knows_all_the_code_a_sample_is_made_by(name, imports):
    stage = YAML(typ="safe").load(ROOT / "data" / "dvc.yaml")["stages"]["sample"]["do"]
    declared = [d.replace("${key}", name).removeprefix("../") for d in stage["deps"]]
    root = f"penstock.pipelines.{name}.sample"
    for module in {root} | imports.find_upstream_modules(root):
        assert _is_plumbing(module, name, "sample") or any(_covers(d, module) for d in declared)


def _is_plumbing(module: str, name: str, stage: str) -> bool:
    if module == "penstock.printable":
        return stage == "sample"  # of what others print, only the names of rejected inputs are kept
    if module.startswith("penstock.tracking"):
        return stage != "register" or module == "penstock.tracking"
    if module.count(".") == 1 and (SOURCE / module.split(".")[1]).is_dir():
        return True  # a package's docstring
    return module in (*PLUMBING, f"penstock.pipelines.{name}", f"penstock.pipelines.{name}.params")


def _covers(dependency: str, module: str) -> bool:
    path = "src/" + module.replace(".", "/")
    return dependency == f"{path}.py" or f"{path}/".startswith(f"{dependency}/")


def test_every_file_that_dvc_names_is_there(dvc_stages):
    for stage in STAGES:
        for dep in dvc_stages[stage]["do"]["deps"]:
            for name in pipeline.names():
                if dep.startswith(("src/", "constraints")):
                    assert (ROOT / dep.replace("${key}", name)).exists(), dep


@pytest.mark.parametrize("name", pipeline.names())
@pytest.mark.parametrize("module", CONTRACT)
def test_a_pipeline_answers_every_question_of_the_contract(name, module):
    answers = pipeline.load(name, module)
    for question, asked in inspect.getmembers(CONTRACT[module], inspect.isfunction):
        if question.startswith("_"):
            continue
        given = list(inspect.signature(getattr(answers, question)).parameters)
        expected = list(inspect.signature(asked).parameters)[1:]
        assert given == expected, f"{name}.{module}.{question}"
    for attribute in CONTRACT[module].__annotations__:
        assert hasattr(answers, attribute), f"{name}.{module}.{attribute}"


def test_imports_inside_penstock_are_relative():
    """What is packaged with a model must work under another name."""
    for file in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            assert not any(n.split(".")[0] == "penstock" for n in names), file


def test_no_stage_names_a_pipeline():
    for file in (SOURCE / "stages").glob("*.py"):
        text = file.read_text()
        for name in pipeline.names():
            assert name not in text, file


def test_models_are_loaded_by_one_door():
    """What is loaded runs code: it is loaded from a checked copy, here or in a fresh process."""
    loaders = {
        file.relative_to(SOURCE).as_posix()
        for file in (*SOURCE.rglob("*.py"), *(ROOT / "flows").glob("*.py"))
        for node in ast.walk(ast.parse(file.read_text()))
        if "load_model" in (getattr(node, "attr", None), getattr(node, "name", None))
    }
    assert loaders == {"tracking/trust.py", "tracking/fresh.py"}
