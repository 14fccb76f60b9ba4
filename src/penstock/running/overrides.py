"""Trying other settings: the plain stages in a scratch folder, with a run of their own.

params.yaml, dvc.lock and the outputs of the pipeline stay as they are, and so does the registry
unless it is asked for.
"""

from pathlib import Path
from typing import Any

from ..messages.errors import PenstockError
from ..project.workspace import Workspace
from ..settings.file import PARAMS_FILE, parse_section, read_section
from ..settings.sections import PipelineParams

SCRATCH = ".scratch"


def run_overridden(name: str, root: Path, settings: list[str], register: bool) -> None:
    """Run ingest to evaluate, and register if asked, with some settings changed.

    Args:
        name: the pipeline.
        root: the project.
        settings: `section.key=value`, the value as params.yaml would have it.
        register: whether the model goes to the registry.

    Raises:
        PenstockError: a setting is not as params.yaml would allow it, or a stage failed.
    """
    params = overridden(name, root, settings)
    workspace = Workspace(root, name, params, root / "data" / name / SCRATCH, run_tags(settings))
    # Imported when the settings are known to be good: these take seconds.
    from ..stages.evaluate import evaluate
    from ..stages.ingest import ingest
    from ..stages.train import train
    from ..stages.validate import validate
    from .repro import make_source

    make_source(workspace)
    with workspace.exclusive():
        ingest(workspace)
        validate(workspace)
        train(workspace)
        evaluate(workspace)
        if register:
            from ..stages.register import register as stage

            stage(workspace)
    print(f"report: {workspace.report}")


def overridden(name: str, root: Path, settings: list[str]) -> PipelineParams:
    """A pipeline's parameters with some settings changed.

    Raises:
        PenstockError: a setting is not as params.yaml would allow it.
    """
    section = read_section(name, root / PARAMS_FILE)
    for setting in settings:
        override(section, setting)
    return parse_section(name, section, Path(f"{PARAMS_FILE} with -S" if settings else PARAMS_FILE))


def run_tags(settings: list[str]) -> tuple[tuple[str, str], ...]:
    """What tells a run with other settings from those of params.yaml."""
    return (("penstock.overrides", " ".join(settings)),) if settings else ()


def override(section: dict[str, Any], setting: str) -> None:
    """Change one setting of a section in place.

    Raises:
        PenstockError: not of the form `section.key=value`, or the value is not YAML.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    path, equals, text = setting.partition("=")
    *parents, key = path.strip().split(".")
    if not equals or not key:
        raise PenstockError(f"-S {setting}: expected section.key=value, train.max_epochs=3 say")
    for parent in parents:
        if not isinstance(section.get(parent), dict):
            raise PenstockError(
                f"-S {setting}: {parent} is not a section; `penstock params` lists them"
            )
        section = section[parent]
    try:
        section[key] = YAML(typ="safe").load(text)
    except YAMLError as error:
        problem = " ".join(str(error).split())
        raise PenstockError(f"-S {setting}: the value is not YAML: {problem}") from None
