"""The architecture keeps its shape: import rules, relative imports, the contract."""

import ast
import inspect
from pathlib import Path

import pytest

from penstock import pipeline
from penstock.project.imports import import_graph

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "penstock"
CONTRACT = {
    "sample": pipeline.SampleModule,
    "ingest": pipeline.IngestModule,
    "expectations": pipeline.ExpectationsModule,
    "network": pipeline.NetworkModule,
    "train": pipeline.TrainModule,
    "evaluate": pipeline.EvaluateModule,
    "predict": pipeline.PredictModule,
}


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


def test_what_only_one_pipeline_uses_lies_in_its_folder():
    graph = import_graph()
    for module in sorted(graph.modules):
        room, _, name = module.removeprefix("penstock.").partition(".")
        if room not in ("datasets", "learning", "evaluation") or not name:
            continue
        direct = graph.find_modules_that_directly_import(module)
        users = {it.split(".")[2] for it in direct if it.startswith("penstock.pipelines.")}
        others = [it for it in direct if not it.startswith("penstock.pipelines.")]
        assert others or len(users) > 1, f"{module}: only {users} uses it"


def test_no_stage_names_a_pipeline():
    names = set(pipeline.names())
    for file in (SOURCE / "stages").glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom):
                assert not names & set((node.module or "").split(".")), file
            elif isinstance(node, ast.Compare):
                told = {it.value for it in ast.walk(node) if isinstance(it, ast.Constant)}
                assert not names & told, file
            elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "load":
                assert not isinstance(node.args[0], ast.Constant), file


def test_models_are_loaded_by_one_door():
    """What is loaded runs code: it is loaded from a checked copy, here or in a fresh process."""
    loaders = {
        file.relative_to(SOURCE).as_posix()
        for file in (*SOURCE.rglob("*.py"), *(ROOT / "flows").glob("*.py"))
        for node in ast.walk(ast.parse(file.read_text()))
        if "load_model" in (getattr(node, "attr", None), getattr(node, "name", None))
    }
    assert loaders == {"tracking/trust.py", "tracking/fresh.py"}
