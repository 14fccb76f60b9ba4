"""Validate: is this data fit to learn from? Great Expectations answers."""

import json
import logging
from copy import deepcopy
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

import great_expectations as gx
import numpy as np
import pandas as pd

from .. import pipeline
from ..datasets.dataset import Dataset
from ..messages.errors import PenstockError
from ..messages.printable import printable
from ..messages.terminal import add_row, make_table, show
from ..pipeline import Expectation
from ..project.workspace import Workspace
from .advice import advise, count_rows, explain, why_rejected
from .gate import open_gate, shut_gate, write_gate
from .report import write_report

FEW = 5  # offending rows that are shown
ROUNDING = 1e-9  # 1 - 0.98 is a little less than 0.02


def validate(workspace: Workspace, data_docs: Path | None = None) -> list[dict[str, Any]]:
    """Check every expectation; critical ones that fail stop the pipeline, warnings are recorded.

    Args:
        workspace: the pipeline.
        data_docs: a folder to write Great Expectations' own pages to; they need a CDN.

    Returns:
        A result per expectation, also in validation.json.

    Raises:
        PenstockError: critical expectations failed. The report of the failure stays.
    """
    dataset = Dataset(workspace.dataset)
    module: pipeline.ExpectationsModule = pipeline.load(workspace.name, "expectations")
    expectations = list(module.expectations(workspace.params))
    frames = module.tables(dataset)
    results = check(expectations, frames, data_docs)
    _print(workspace.name, results)
    failed = [r for r in results if not r["success"] and r["severity"] == "critical"]
    if failed:
        write_report(workspace, shut_gate(workspace, dataset, results))
        reasons = [
            f"{workspace.name}: {explain(it)}{why_rejected(it, dataset)}"
            f"{advise(it, frames[it['table']], workspace.params)}"
            for it in failed
        ]
        raise PenstockError(*reasons, f"{workspace.name}: the gate is shut: see {workspace.report}")
    content = json.dumps({"passed": True, "results": results}, indent=2) + "\n"
    with workspace.writing(workspace.validation) as folder:
        folder.mkdir()
        (folder / "validation.json").write_text(content)
        write_gate(folder, dataset)
    open_gate(workspace)
    return results


def check(
    expectations: list[Expectation],
    frames: dict[str, pd.DataFrame],
    data_docs: Path | None = None,
) -> list[dict[str, Any]]:
    """Check expectations against the tables they name, in their order."""
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    source = context.data_sources.add_pandas("dataset")
    results: dict[int, dict[str, Any]] = {}
    for table in dict.fromkeys(e.table for e in expectations):
        if table not in frames:
            raise ValueError(f"an expectation names the table {table}; there is {list(frames)}")
        chosen = [(n, e) for n, e in enumerate(expectations) if e.table == table]
        asset = source.add_dataframe_asset(table).add_batch_definition_whole_dataframe(table)
        suite = gx.ExpectationSuite(table)
        for number, expectation in chosen:
            suite.add_expectation(_as_gx(expectation, number))
        frame = frames[table]
        batch = asset.get_batch(batch_parameters={"dataframe": frame})
        outcome = batch.validate(
            suite,
            result_format={"result_format": "SUMMARY", "partial_unexpected_count": FEW},
        )
        if data_docs:
            _write_data_docs(outcome, data_docs / f"{table}.html")
        for item in outcome.results:
            number = item.expectation_config.meta["number"]
            results[number] = _result(expectations[number], item, frame)
    return [results[number] for number in range(len(expectations))]


def _as_gx(expectation: Expectation, number: int) -> Any:
    name = "".join(part.title() for part in expectation.type.split("_"))
    return getattr(gx.expectations, name)(
        **expectation.arguments, severity=expectation.severity, meta={"number": number}
    )


def _result(expectation: Expectation, item: Any, frame: pd.DataFrame) -> dict[str, Any]:
    """Great Expectations' answer in a form that is the same for the same data."""
    answer = item.to_json_dict()
    result = answer["result"]
    observed = result.get("observed_value")
    problem = next(
        (
            info["exception_message"]
            for info in answer["exception_info"].values()
            if isinstance(info, dict) and info.get("raised_exception")
        ),
        "",
    )
    empty = _without_value(expectation, frame)
    found = result.get("partial_unexpected_index_list") or []
    unmet = result.get("unexpected_count", 0) + len(empty)
    least = float(expectation.arguments.get("mostly", 1))
    return {
        **asdict(expectation),
        "success": bool(answer["success"]) and unmet <= (1 - least) * len(frame) + ROUNDING,
        "observed": problem or observed,
        "rows": unmet,
        "empty": len(empty),
        "few": [_show(frame.iloc[row]) for row in [*found, *empty][:FEW]],
    }


def _without_value(expectation: Expectation, frame: pd.DataFrame) -> np.ndarray:
    """The rows that have no value (null, NaN): they do not meet what is expected of values.

    Great Expectations passes over them, so that a column full of NaN would meet anything.
    """
    column = expectation.arguments.get("column")
    if column not in frame or expectation.type.endswith("_be_null"):
        return np.zeros(0, int)
    return np.flatnonzero(frame[column].isna())


def _show(row: pd.Series) -> dict[str, str]:
    """A row as a person reads it: no digests."""
    return {
        str(k): f"{v:.4g}" if isinstance(v, float) else str(v)
        for k, v in row.items()
        if k != "sha256"
    }


def _print(name: str, results: list[dict[str, Any]]) -> None:
    passed = sum(result["success"] for result in results)
    print(f"validate {name}: {passed} of {len(results)} expectations met")
    table = make_table("", "column", "expectation", "limits", "found")
    for result in results:
        arguments = dict(result["arguments"])
        column = f"{result['table']}.{arguments.pop('column', '')}"
        limits = " ".join(f"{key}={value}" for key, value in arguments.items())
        mark = "ok" if result["success"] else result["severity"].upper()
        rows = count_rows(result) if result["rows"] else ""
        observed = result["observed"]
        shown = f"{observed:.4g}" if isinstance(observed, float) else str(observed or "")
        add_row(table, mark, column, result["type"].removeprefix("expect_"), limits, rows or shown)
    show(table)


def _write_data_docs(outcome: Any, file: Path) -> None:
    """Great Expectations' own page of one table's results."""
    from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
    from great_expectations.render.view.view import DefaultJinjaPageView

    file.parent.mkdir(parents=True, exist_ok=True)
    outcome = deepcopy(outcome)
    for item in outcome.results:
        item.result = _as_html(item.result)
    page = DefaultJinjaPageView().render(ValidationResultsPageRenderer().render(outcome))
    file.write_text(page, encoding="utf-8")


def _as_html(value: Any) -> Any:
    """What was found, as text of a page: Great Expectations escapes only what was expected."""
    if isinstance(value, dict):
        return {key: _as_html(it) for key, it in value.items()}
    if isinstance(value, list):
        return [_as_html(it) for it in value]
    return escape(printable(value)) if isinstance(value, str) else value
