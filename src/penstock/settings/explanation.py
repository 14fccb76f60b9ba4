"""Parameters for people and editors: effective values with their meaning, YAML, JSON schema."""

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, ConfigDict, create_model

from .. import pipeline
from .file import as_yaml, models_in, params_class
from .sections import PipelineParams


def describe(params: BaseModel, prefix: str = "") -> Iterator[tuple[str, str, str]]:
    """Yield (key, value, meaning) of every effective setting, sections flattened by dots."""
    for name, info in type(params).model_fields.items():
        value = getattr(params, name)
        if isinstance(value, BaseModel):
            yield from describe(value, f"{prefix}{name}.")
        else:
            text = value if isinstance(value, str) else as_yaml(value)
            yield prefix + name, text, " ".join((info.description or "").split())


def default_params(name: str) -> PipelineParams:
    """A pipeline's section with every setting at its default and the sample as source."""
    cls = params_class(name)
    parts: dict[str, Any] = {
        key: next(models_in(info.annotation))()
        for key, info in cls.model_fields.items()
        if key != "source"
    }
    return cls(source=f"data/samples/{name}", **parts)


def write_yaml(name: str, params: PipelineParams) -> str:
    """Write a pipeline's section as YAML, each setting under its meaning."""
    lines = [f"  {name}:"]

    def write(section: BaseModel, indent: str) -> None:
        for key, info in type(section).model_fields.items():
            value = getattr(section, key)
            if isinstance(value, BaseModel):
                lines.append(f"{indent}{key}:{'' if type(value).model_fields else ' {}'}")
                write(value, indent + "  ")
            else:
                meaning = " ".join((info.description or "").split())
                lines.extend([f"{indent}# {meaning}", f"{indent}{key}: {as_yaml(value)}"])

    write(params, "    ")
    return "\n".join(lines)


def schema() -> dict[str, Any]:
    """The JSON schema of params.yaml, for editors: made from the classes of every pipeline."""
    sections: dict[str, Any] = {name: (params_class(name), ...) for name in pipeline.names()}
    strict = ConfigDict(extra="forbid")
    pipelines = create_model("Pipelines", __config__=strict, **sections)
    file = create_model("Params", __config__=strict, pipelines=(pipelines, ...))
    return file.model_json_schema()
