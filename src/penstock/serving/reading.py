"""From the body of a request to a question: JSON as MLflow has it, or a form with files."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import File, FormParser, parse_options_header

from ..messages.errors import PenstockError
from ..messages.printable import printable
from ..tracking.champion import Champion, read_options
from ..tracking.invocations import check_columns, read_invocation
from .answering import Question
from .limits import Limits
from .refusals import Refusal

FILE = "file"  # the field of a form whose files are read as `penstock predict` reads them
MOST_PARTS = 1000
NUMBERS = ("double", "float", "long", "integer")


def read_question(body: bytes, content_type: str, champion: Champion, limits: Limits) -> Question:
    """Read what a request asks.

    Raises:
        Refusal: it cannot be read, or asks for too much.
    """
    kind = content_type.partition(";")[0].strip().lower()
    try:
        if kind == "application/json":
            rows, given = read_invocation(_read_json(body), champion)
            question = Question(rows, options=check_options(champion, given))
        elif kind == "multipart/form-data":
            question = _read_form(split_form(body, content_type), champion)
        else:
            raise Refusal(415, "expected application/json or multipart/form-data")
    except PenstockError as error:
        raise Refusal(400, str(error)) from None
    if not question.size:
        raise Refusal(400, "no rows; expected at least one to predict")
    if question.size > limits.rows:
        raise Refusal(413, f"{question.size:,} rows; at most {limits.rows:,} in one request")
    return question


def _read_json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise PenstockError("not JSON, or too deep") from None


def check_options(champion: Champion, given: dict[str, Any]) -> dict[str, Any]:
    """Options of their types.

    Raises:
        PenstockError: no such option, or not of its type.
    """
    known, options = champion.interface.options, {}
    for name, value in given.items():
        if name not in known:
            there = ", ".join(known) or "none"
            raise PenstockError(f"{name}: no such option; {champion.title} has {there}")
        if type(value) is int and type(known[name]) is float:
            value = float(value)
        if type(value) is not type(known[name]):
            kind = type(known[name]).__name__
            raise PenstockError(f"{name}: expected a {kind}, {json.dumps(known[name])} say")
        options[name] = value
    return options


@dataclass(frozen=True)
class Part:
    """A field of a form.

    Attributes:
        name: of the field.
        file: the name of its file; None if it is none.
        content: of the field.
    """

    name: str
    file: str | None
    content: bytes


def split_form(body: bytes, content_type: str) -> list[Part]:
    """The fields of a form (RFC 7578).

    Raises:
        PenstockError: it is no form, is cut off, or has too many fields.
    """
    parts: list[Part] = []
    ends: list[bool] = []
    kind, options = parse_options_header(content_type)

    def add(name: bytes | None, file: bytes | None, content: bytes) -> None:
        if len(parts) == MOST_PARTS:
            raise PenstockError(f"multipart/form-data: more than {MOST_PARTS:,} fields")
        given = None if file is None else file.decode(errors="replace")
        parts.append(Part((name or b"").decode(errors="replace"), given, content))

    try:
        parser = FormParser(
            kind.decode("latin-1"),
            on_field=lambda it: add(it.field_name, None, it.value or b""),
            on_file=lambda it: add(it.field_name, it.file_name, _content(it)),
            on_end=lambda: ends.append(True),
            boundary=options.get(b"boundary"),
            config={"MAX_MEMORY_FILE_SIZE": len(body) + 1},
        )
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise PenstockError(f"multipart/form-data: {printable(str(error))[:200]}") from None
    if not ends or not parts:
        raise PenstockError("multipart/form-data: cut off, or no field in it")
    return parts


def _content(file: File) -> bytes:
    file.file_object.seek(0)
    content: bytes = file.file_object.read()
    return content


def _read_form(parts: list[Part], champion: Champion) -> Question:
    """Files as `penstock predict` reads them, or a row of columns; and options."""
    interface = champion.interface
    settings, values, files = [], {}, []
    for part in parts:
        if part.name == FILE:
            files.append(part)
        elif part.name in interface.inputs:
            values[part.name] = _read_value(part, interface.inputs[part.name])
        elif part.file is None:
            settings.append(f"{part.name}={part.content.decode(errors='replace')}")
        else:
            raise PenstockError(
                f"{part.name}: no such field; expected {FILE}, or {', '.join(interface.inputs)}"
            )
    options = read_options(champion.title, interface.options, settings)
    if files and values:
        raise PenstockError(f"{FILE} stands for all columns; send it, or columns")
    if not files:
        check_columns([values], champion)
        return Question([values], options=options)
    frames = [_read_file(it, champion) for it in files]
    return Question(files=pd.concat(frames, ignore_index=True), options=options)


def _read_value(part: Part, kind: str) -> Any:
    if kind.endswith("binary"):
        return part.content
    text = part.content.decode(errors="replace")
    if kind.split()[-1] not in NUMBERS:
        return text
    try:
        return None if not text else (float(text) if "." in text or "e" in text else int(text))
    except ValueError:
        raise PenstockError(f"{part.name}: {text[:40]!r} is no number") from None


def _read_file(part: Part, champion: Champion) -> pd.DataFrame:
    """What the model's reader makes of a file; of its name only the end is used, never a path."""
    given = PurePosixPath((part.file or "").replace("\\", "/")).name
    stem = "".join(it for it in given if it.isalnum() or it in "._- ").strip(". ")[-100:]
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / (stem or "input")
        file.write_bytes(part.content)
        try:
            return champion.read_file(file)
        except PenstockError as error:
            raise PenstockError(str(error).replace(f"{folder}/", "")) from None
