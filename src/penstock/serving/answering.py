"""Answers of a champion to questions that arrived together, each as if it had been asked alone."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ..messages.errors import PenstockError
from ..tracking.champion import Champion
from ..tracking.invocations import Rows, as_frame, check_columns
from .refusals import Refusal

Record = dict[str, Any]


@dataclass(frozen=True)
class Question:
    """What one request asks of a model.

    Attributes:
        rows: raw inputs from JSON or a form.
        files: raw inputs that the model's own reader read from files.
        options: what is asked beyond the prediction.
    """

    rows: Rows = field(default_factory=list)
    files: pd.DataFrame | None = None
    options: Record = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many rows it has."""
        return len(self.rows) if self.files is None else len(self.files)

    @property
    def form(self) -> tuple[Any, ...]:
        """What must be the same of questions that are answered in one call."""
        options = tuple(sorted(self.options.items()))
        if self.files is not None:
            return "files", tuple(self.files.columns), options
        # Rows of one request that differ in their columns stay a request of their own.
        columns = {tuple(row) for row in self.rows}
        return "rows", columns.pop() if len(columns) == 1 else id(self), options


@dataclass(frozen=True)
class Answer:
    """What a question is answered with.

    Attributes:
        version: of the model.
        predictions: a record per row.
        batch: how many rows were computed together.
    """

    version: str
    predictions: list[Record]
    batch: int


def answer_together(champion: Champion, questions: list[Question]) -> list[Answer | BaseException]:
    """Answer questions; one that the model cannot answer takes no other with it."""
    groups: dict[Any, list[int]] = {}
    for place, question in enumerate(questions):
        groups.setdefault(question.form, []).append(place)
    answers: list[Answer | BaseException] = [Refusal(500, "no answer")] * len(questions)
    for places in groups.values():
        asked = [questions[it] for it in places]
        try:
            found: Iterable[Answer | BaseException] = _answer(champion, asked)
        except Exception as error:
            alone = len(asked) == 1
            found = [_refusal(champion, error)] if alone else _one_by_one(champion, asked)
        for place, it in zip(places, found, strict=True):
            answers[place] = it
    return answers


def _one_by_one(champion: Champion, asked: list[Question]) -> Iterable[Answer | BaseException]:
    for question in asked:
        yield answer_together(champion, [question])[0]


def _answer(champion: Champion, asked: list[Question]) -> list[Answer]:
    """Answer questions of one form in one call."""
    files = [it.files for it in asked if it.files is not None]
    if files:
        frame = files[0] if len(files) == 1 else pd.concat(files)
        frame = frame.reset_index(drop=True)
    else:
        rows = [row for it in asked for row in it.rows]
        check_columns(rows, champion)
        frame = as_frame(rows, champion)
    answers = champion.answer(frame, asked[0].options)
    records = as_records(answers)
    version, parts, start = str(champion.version.version), [], 0
    for question in asked:
        part = records[start : start + question.size]
        parts.append(Answer(version, part, len(records)))
        start += question.size
    return parts


def _refusal(champion: Champion, error: Exception) -> Refusal:
    """What a person is told of a question that the model cannot answer: a line, no traceback."""
    if isinstance(error, Refusal):
        return error
    reason = str(error).strip().split("\n")[0][:300]
    said = reason if isinstance(error, PenstockError) else f"{type(error).__name__}: {reason}"
    return Refusal(400, f"{champion.title}: cannot answer that: {said}")


def as_records(answers: pd.DataFrame) -> list[Record]:
    """A record per row, of what JSON has; bytes stay bytes, what is missing is None."""
    columns = {str(name): [_plain(it) for it in answers[name]] for name in answers}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _plain(value: Any) -> Any:
    """A value of plain Python; of numbers that are none, None: JSON has no NaN."""
    if isinstance(value, str | bytes | bool) or value is None:
        return value
    if isinstance(value, np.ndarray):
        value = value.tolist()
    elif isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list | tuple):
        return [_plain(it) for it in value]
    return None if value is pd.NaT or value is pd.NA else value
