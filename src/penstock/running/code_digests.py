"""Digests of the code that each stage runs: what DVC compares in place of lists of files.

A digest covers every definition that a stage can reach from those it starts with, what runs when
their modules are imported, and the pinned versions of the libraries that all these name. DVC sees
only files, so the pins in constraints.txt count, not what is installed: they are the same on every
machine.
"""

import hashlib
import json
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions, version
from pathlib import Path

from .definitions import PACKAGE, WHOLE, Reference, read_module

CONSTRAINTS = "constraints.txt"

# Module -> what of it a stage starts from. It loads the modules of the pipeline, NAME here: no
# code names what it asks of them. For register also what serves a model, and what proves it.
STARTS = {
    "sample": {"sources.sample": "make_sample", "NAME.sample": "sample"},
    "ingest": {
        "stages.ingest": "ingest",
        "NAME.params": "Params",
        "NAME.ingest": "ingest ingest_feedback",
    },
    "validate": {
        "stages.validate": "validate",
        "NAME.params": "Params",
        "NAME.expectations": "expectations tables",
    },
    "train": {
        "stages.train": "train",
        "NAME.params": "Params",
        "NAME.network": "network",
        "NAME.train": "learner source",
    },
    "evaluate": {
        "stages.evaluate": "evaluate",
        "NAME.params": "Params",
        "NAME.network": "network",
        "NAME.evaluate": "evaluate",
    },
    "register": {
        "stages.register": "register",
        "learning.trained": "load_trained",
        "tracking.served": WHOLE,
        "tracking.fresh": WHOLE,
        "NAME.params": "Params",
        "NAME.network": "network",
        "NAME.predict": "interface predict exam outcome read_input stream converse known_names",
    },
}
# Which a pipeline need not have.
OPTIONAL = ("ingest_feedback", "read_input", "stream", "converse", "known_names")

# Modules and definitions that change no output of a stage, nor does what only they name.
NOT_COUNTED = {
    "learning.slots": "when a training may start",
    "messages.errors": "says what went wrong",
    "messages.metrics": "metrics on the terminal",
    "messages.terminal": "tables on the terminal",
    "pipeline.load": "finds modules of a pipeline",
    "project.login": "who may use the servers",
    "project.processes": "how processes end",
    "project.warm": "how they start",
    "project.workspace": "where files lie",
    "settings.explanation": "explains settings",
    "settings.file": "reads params.yaml, whose values DVC compares",
    "stages.advice": "says what failed, and what to do",
    "stages.report": "report.html is no output",
}


def stage_digests(name: str, root: Path) -> dict[str, str]:
    """The digest of the code that each stage of pipeline `name` runs, as the files are now.

    Raises:
        PenstockError: a module is missing or is not Python.
    """
    pins = _pinned(root / CONSTRAINTS)
    digests = {}
    for stage in STARTS:
        reached, libraries = reach(name, stage)
        parts = {":".join(it): digest for it, digest in reached.items()}
        content = json.dumps([parts, _versions(libraries, pins)], sort_keys=True)
        digests[stage] = hashlib.sha256(content.encode()).hexdigest()[:16]
    return digests


def reach(name: str, stage: str) -> tuple[dict[Reference, str], set[str]]:
    """All that a stage of a pipeline can come to from what it starts with.

    Returns:
        Digests of what this package defines, as far as it counts, and the libraries that it names.
    """
    read = cache(read_module)
    reached: dict[Reference, str] = {}
    libraries: set[str] = set()
    waiting = list(_starts(name, stage))
    while waiting:
        it = waiting.pop()
        if it.package != PACKAGE:
            libraries.add(it.package)
        elif it not in reached and counts(it, stage):
            module = read(it.module)
            reached[it], references = module.find(it.name)
            waiting += references
            if stage == "register":  # a model requires whatever its modules import
                libraries |= module.libraries
    return reached, libraries


def _starts(name: str, stage: str) -> Iterator[Reference]:
    for module, names in STARTS[stage].items():
        path = f"{PACKAGE}.{module}".replace("NAME", f"pipelines.{name}")
        for it in names.split():
            if it not in OPTIONAL or read_module(path).defines(it):
                yield Reference(path, it)


def counts(it: Reference, stage: str) -> bool:
    """Whether code can change an output of a stage."""
    module = it.module.removeprefix(PACKAGE).removeprefix(".")
    if module in NOT_COUNTED or f"{module}.{it.name}" in NOT_COUNTED:
        return False
    return stage == "register" or module.partition(".")[0] != "tracking"  # others only log to it


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
