"""Digests of the code that each stage runs: what DVC compares in place of lists of files.

A digest covers all modules that a stage imports, directly or not, without what runs nothing, and
the pinned versions of the libraries that these modules import themselves. DVC sees only files, so
the pins in constraints.txt count, not what is installed: they are the same on every machine.
"""

import ast
import hashlib
import json
import re
import sys
from functools import cache, lru_cache
from importlib.metadata import packages_distributions, version
from pathlib import Path

import grimp

from ..messages.errors import PenstockError
from ..project.imports import PACKAGE, import_graph

SOURCE = Path(__file__).parent.parent
CONSTRAINTS = "constraints.txt"
SETTINGS = ("params.py", "sections.py")  # modules whose fields are settings

# The modules a stage starts from: its own, then those of the pipeline, which it loads by name, so
# that no import shows them. For register also what it packages, and what serves and proves that.
STAGE_MODULES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "sample": (("sources.sample",), ("sample",)),
    "ingest": (("stages.ingest",), ("params", "ingest")),
    "validate": (("stages.validate",), ("params", "expectations")),
    "train": (("stages.train",), ("params", "network", "train")),
    "evaluate": (("stages.evaluate",), ("params", "network", "evaluate")),
    "register": (
        ("stages.register", "learning.trained", "tracking.served", "tracking.fresh"),
        ("params", "network", "predict"),
    ),
}

# Modules that change no output of a stage, nor do those that only they import.
NOT_COUNTED = {
    "learning.slots": "when a training may start",
    "messages.errors": "says what went wrong",
    "messages.metrics": "metrics on the terminal",
    "messages.terminal": "tables on the terminal",
    "project.login": "who may use the servers",
    "project.processes": "how processes end",
    "project.warm": "how they start",
    "project.workspace": "where files lie",
    "settings.explanation": "explains settings",
    "settings.file": "reads params.yaml, whose values DVC compares",
    "stages.advice": "says what failed, and what to do",
    "stages.report": "report.html is no output",
}
# Packages and modules that change outputs of some stages only.
COUNTED_FOR = {
    "tracking": ("register",),  # train and evaluate only log to it
    "pipeline": ("validate", "evaluate", "register"),  # the others only load modules by it
}


def stage_digests(name: str, root: Path) -> dict[str, str]:
    """The digest of the code that each stage of pipeline `name` runs, as the files are now.

    Raises:
        PenstockError: a module is missing or is not Python.
    """
    try:
        graph = import_graph()
    except grimp.exceptions.SourceSyntaxError as error:
        raise PenstockError(
            f"{error.filename}:{error.lineno}: not valid Python: {(error.text or '').strip()}"
        ) from None
    pins = _pinned(root / CONSTRAINTS)
    digests = {}
    for stage, (own, loaded) in STAGE_MODULES.items():
        starts = [*own, *(f"pipelines.{name}.{module}" for module in loaded)]
        modules, libraries = _closure(graph, stage, starts)
        parts = {it: _digest_module(file := _file(it), file.stat().st_mtime_ns) for it in modules}
        content = json.dumps([parts, _versions(libraries, pins)], sort_keys=True)
        digests[stage] = hashlib.sha256(content.encode()).hexdigest()[:16]
    return digests


def _closure(graph: grimp.ImportGraph, stage: str, starts: list[str]) -> tuple[set[str], set[str]]:
    """All modules that some modules import and that count, with the packages they lie in.

    Returns:
        Modules of this package, without its name in front, and the libraries they import.
    """
    modules: set[str] = set()
    libraries: set[str] = set()
    waiting = list(starts)
    while waiting:
        module = waiting.pop()
        if module in modules or not _counts(module, stage):
            continue
        if f"{PACKAGE}.{module}".strip(".") not in graph.modules:
            raise PenstockError(f"{_file(module)}: not there, or no __init__.py beside it; add it")
        modules.add(module)
        waiting.append(module.rpartition(".")[0])
        for it in graph.find_modules_directly_imported_by(f"{PACKAGE}.{module}".strip(".")):
            first, _, rest = it.partition(".")
            if first == PACKAGE:
                waiting.append(rest)
            else:
                libraries.add(first)
    return modules, libraries


def _counts(module: str, stage: str) -> bool:
    if module in NOT_COUNTED:
        return False
    return stage in COUNTED_FOR.get(module.partition(".")[0], (stage,))


def _file(module: str) -> Path:
    path = SOURCE.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@lru_cache(maxsize=1000)
def _digest_module(file: Path, modified: int) -> str:
    """The digest of a module; `modified` tells one state of the file from the next."""
    return digest_source(file.read_bytes(), settings=file.name in SETTINGS)


def digest_source(source: bytes, settings: bool = False) -> str:
    """A digest of what a module runs.

    Left out are comments, docstrings (strings after a field among them), protocols, and in a module
    of settings the fields: DVC compares their values.
    """
    outline = _outline(ast.parse(source), settings)
    return hashlib.sha256(repr(outline).encode()).hexdigest()


def _outline(node: object, settings: bool) -> object:
    """A syntax tree as plain data.

    Without attributes that are empty: which of them there are depends on the version of Python.
    """
    if isinstance(node, list):
        return [_outline(it, settings) for it in node if not _runs_nothing(it)]
    if isinstance(node, ast.Constant):
        return type(node.value).__name__, repr(node.value)
    if not isinstance(node, ast.AST):
        return node
    attributes = {name: value for name, value in ast.iter_fields(node) if value not in (None, [])}
    if settings and isinstance(node, ast.ClassDef):
        attributes["body"] = [it for it in node.body if not isinstance(it, ast.AnnAssign)]
    return type(node).__name__, [(it, _outline(attributes[it], settings)) for it in attributes]


def _runs_nothing(node: object) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    if isinstance(node, ast.ClassDef):
        return any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases)
    return False


def _pinned(file: Path) -> dict[str, str]:
    """Library, its name normalised, and the version in constraints.txt."""
    lines = re.findall(r"^([\w.-]+)==([^\s;+]+)", file.read_text(), re.MULTILINE)
    return {_normalised(library): number for library, number in lines}


def _versions(libraries: set[str], pins: dict[str, str]) -> dict[str, str]:
    """The version of each library that is imported; the installed one where none is pinned."""
    distributions = _distributions()
    found = {it for name in libraries for it in distributions.get(name, ())}
    return {it: pins.get(it) or version(it).partition("+")[0] for it in found}


@cache
def _distributions() -> dict[str, list[str]]:
    """What is installed: name of an import -> normalised names of the libraries that have it."""
    return {
        name: [_normalised(it) for it in found]
        for name, found in packages_distributions().items()
        if name not in sys.stdlib_module_names
    }


def _normalised(library: str) -> str:
    return re.sub(r"[-_.]+", "-", library).lower()
