"""Reading params.yaml: every key checked, every mistake named with its remedy.

The file names **every** setting. DVC compares the values in that file, so a setting left to a
default in the code would be one that DVC cannot see change.
"""

import difflib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from .. import pipeline
from ..messages.errors import PenstockError
from .sections import PipelineParams

PARAMS_FILE = "params.yaml"


def params_class(name: str) -> type[PipelineParams]:
    """The class of a pipeline's section."""
    cls: type[PipelineParams] = pipeline.load(name, "params").Params
    return cls


def load_params(name: str, file: Path) -> PipelineParams:
    """Load and check one pipeline's section of params.yaml.

    Raises:
        PenstockError: a line for each key that is unknown, missing, of a wrong type or out of
            range, with file, key, value and what is allowed.
    """
    return parse_section(name, read_section(name, file), file)


def read_section(name: str, file: Path) -> dict[str, Any]:
    """Read one pipeline's section as it stands in the file.

    Raises:
        PenstockError: the file or the section is missing, or the file is not YAML.
    """
    pipeline.check_name(name)
    sections = _read_sections(file)
    if not isinstance(sections.get(name), dict):
        raise PenstockError(
            f"{file.name}: pipelines.{name}: no such section; "
            f"`penstock params {name} --defaults` prints one to paste"
        )
    section: dict[str, Any] = sections[name]
    return section


def list_pipelines(file: Path) -> list[str]:
    """List the pipelines that have a section in the file.

    Raises:
        PenstockError: the file is missing, or is not YAML.
    """
    return sorted(_read_sections(file))


def _read_sections(file: Path) -> dict[str, Any]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError

    try:
        content = YAML(typ="safe").load(file)
    except FileNotFoundError:
        raise PenstockError(f"{file}: not found; it holds the settings of every pipeline") from None
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise PenstockError(f"{file}:{line}: not valid YAML: {error.problem}") from None
    sections = content.get("pipelines") if isinstance(content, dict) else None
    return sections if isinstance(sections, dict) else {}


def parse_section(name: str, section: dict[str, Any], file: Path) -> PipelineParams:
    """Check a section against the pipeline's parameters.

    Raises:
        PenstockError: as `load_params`.
    """
    cls = params_class(name)
    try:
        params = cls.model_validate(section)
    except ValidationError as error:
        problems = [_explain(problem, cls, section) for problem in error.errors()]
    else:
        problems = [f"{key}: missing; add `{line}`" for key, line in _missing(params, section)]
    if problems:
        raise PenstockError(*(f"{file.name}: pipelines.{name}.{it}" for it in problems))
    return params


def _explain(problem: Any, cls: type[BaseModel], section: dict[str, Any]) -> str:
    """Say in one line what is wrong with a key: its value and what is allowed."""
    path = _path_in(section, problem["loc"])
    key = ".".join(str(part) for part in path)
    context = problem.get("ctx", {})
    if problem["type"] == "extra_forbidden":
        known = sorted(_keys_beside(cls, path[:-1], section))
        near = difflib.get_close_matches(str(path[-1]), known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known are: {', '.join(known)}"
        return f"{key}: unknown key; {hint}"
    if problem["type"] in ("missing", "union_tag_not_found"):
        missing = key if problem["type"] == "missing" else f"{key}.{context['discriminator']}"
        return f"{missing.replace(chr(39), '')}: missing; copy it from `penstock params --defaults`"
    if problem["type"] == "union_tag_invalid":
        tag = context["discriminator"].strip("'")
        return f"{key}.{tag}: {context['tag']!r}: allowed are {context['expected_tags']}"
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
    given = "" if isinstance(problem["input"], dict) else f"{as_yaml(problem['input'])}: "
    return f"{key}: {given}{message}" if key else message


def _path_in(section: Any, loc: tuple[Any, ...]) -> list[Any]:
    """Drop from an error's location what is not a key: the tag of a union's member."""
    path: list[Any] = []
    for position, part in enumerate(loc):
        if isinstance(section, dict) and part not in section and position < len(loc) - 1:
            continue
        path.append(part)
        if isinstance(section, dict):
            section = section.get(part)
        elif isinstance(section, list) and isinstance(part, int) and part < len(section):
            section = section[part]
    return path


def _keys_beside(cls: type[BaseModel], path: list[Any], section: dict[str, Any]) -> set[str]:
    """The keys allowed in the section a path leads to."""
    classes = [cls]
    for part in path:
        section = section[part]
        fields = [c.model_fields[part] for c in classes if part in c.model_fields]
        classes = [m for f in fields for m in models_in(f.annotation)]
    kind = section.get("kind") if isinstance(section, dict) else None
    chosen = [c for c in classes if _kind_of(c) == kind] or classes
    return {name for c in chosen for name in c.model_fields}


def _kind_of(cls: type[BaseModel]) -> Any:
    return cls.model_fields["kind"].default if "kind" in cls.model_fields else None


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models a type is made of: one, or the members of a union."""
    if isinstance(annotation, type) and get_origin(annotation) is None:
        if issubclass(annotation, BaseModel):
            yield annotation
    else:
        for argument in get_args(annotation):
            yield from models_in(argument)


def _missing(
    params: BaseModel, section: dict[str, Any], prefix: str = ""
) -> Iterator[tuple[str, str]]:
    """Yield the settings left to a default: DVC would not see that default change."""
    for name in type(params).model_fields:
        value = getattr(params, name)
        if name not in section:
            default = value.model_dump() if isinstance(value, BaseModel) else value
            yield prefix + name, f"{name}: {as_yaml(default)}"
        elif isinstance(value, BaseModel):
            yield from _missing(value, section[name], f"{prefix}{name}.")


def as_yaml(value: Any) -> str:
    """Write a value on one line, as YAML reads it."""
    return json.dumps(value, ensure_ascii=False, default=_as_plain)


def _as_plain(value: Any) -> Any:
    return value.model_dump(mode="json") if isinstance(value, BaseModel) else str(value)
