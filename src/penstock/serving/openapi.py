"""OpenAPI: a path for each model, with what it takes and the example that was packaged with it."""

from typing import Any

from .models import Held, Models

REASONS = {
    "400": "What was sent cannot be read or answered",
    "404": "No such model",
    "413": "More than one request may send",
    "429": "Too many requests wait; ask again later",
    "503": "There is no champion that may be loaded",
    "504": "No answer in time",
}
TYPES = {"double": "number", "long": "integer", "boolean": "boolean", "array": "array"}
OPTION = {bool: "boolean", int: "integer", float: "number", str: "string"}


def describe(models: Models) -> dict[str, Any]:
    """The document, as models are now."""
    paths: dict[str, Any] = {
        "/health": {"get": _get("Whether the server lives")},
        "/models": {"get": _get("Every model: name, version and score")},
    }
    for name, model in models.known.items():
        paths[f"/{name}"] = {"get": _get("Model, version, aliases, metrics, signature")}
        if model.held:
            paths[f"/{name}/predict"] = {"post": _predict(name, model.held)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Penstock", "version": "1"},
        "paths": paths,
    }


def _get(summary: str) -> dict[str, Any]:
    return {"summary": summary, "responses": {"200": {"description": "Told"}}}


def _predict(name: str, held: Held) -> dict[str, Any]:
    interface = held.champion.interface
    row = {
        "type": "object",
        "properties": {it: _column(kind) for it, kind in interface.inputs.items()},
        "required": [
            it for it, kind in interface.inputs.items() if not kind.startswith("optional ")
        ],
    }
    options = {
        option: {"type": OPTION[type(default)], "default": default}
        for option, default in interface.options.items()
    }
    asked: dict[str, Any] = {
        "schema": {
            "type": "object",
            "properties": {
                "dataframe_records": {"type": "array", "items": row},
                "params": {"type": "object", "properties": options},
            },
        }
    }
    if held.example:
        asked["example"] = held.example
    form = {"file": {"type": "string", "format": "binary"}, **options}
    answer = {it: _column(kind) for it, kind in interface.outputs.items()}
    rows = {"type": "array", "items": {"type": "object", "properties": answer}}
    predictions = {"type": "object", "properties": {"predictions": rows}}
    return {
        "summary": f"Ask {name}, version {held.about['version']}",
        "requestBody": {
            "content": {
                "application/json": asked,
                "multipart/form-data": {"schema": {"type": "object", "properties": form}},
            }
        },
        "responses": {
            "200": {
                "description": "A prediction for each row",
                "content": {"application/json": {"schema": predictions}},
            },
            **{status: {"description": reason} for status, reason in REASONS.items()},
        },
    }


def _column(kind: str) -> dict[str, Any]:
    plain = kind.split()[-1]
    if plain == "binary":
        return {"type": "string", "contentEncoding": "base64"}
    if plain == "strings":
        return {"type": "array", "items": {"type": "string"}}
    return {"type": TYPES.get(plain, "string")}
