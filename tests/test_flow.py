"""The Prefect flow without services; test_scheduling.py has it with them."""

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_flows_know_only_prefect_and_penstock():
    """The other wall, that penstock does not know Prefect, is import-linter's."""
    files = [*(ROOT / "flows").glob("*.py")]
    allowed = sys.stdlib_module_names | {"prefect", "penstock", "pydantic", "ruamel"}
    allowed |= {"starlette", "uvicorn"}  # what Prefect's server is made of
    allowed |= {file.stem for file in files}
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                top = name.split(".")[0]
                assert top in allowed, f"{file}: {name}"


@pytest.mark.pipeline
def test_a_flow_starts_a_server_for_itself_where_there_is_none(project, tmp_path):
    project.set(evaluate={"gallery": 9})
    done = project.run("penstock", "flow", "mnist", PREFECT_HOME=str(tmp_path / "prefect"))
    assert "Task run 'train mnist' - train mnist: up to date" in done.stderr
    assert "Task run 'evaluate mnist' - evaluate mnist: test/accuracy" in done.stderr
    assert "Task run 'register mnist' - register mnist: up to date" in done.stderr
    assert "Running stage" not in project.run("dvc", "repro").stdout


@pytest.mark.pipeline
def test_a_server_that_does_not_start_in_time_is_one_line(project, tmp_path):
    done = project.run(
        "penstock",
        *("flow", "mnist"),
        check=False,
        PREFECT_HOME=str(tmp_path / "prefect"),
        PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS="0",
    )
    assert done.returncode == 1
    (line,) = [it for it in done.stderr.splitlines() if it.startswith("penstock: error")]
    assert "Timed out while attempting to connect to ephemeral Prefect API server" in line
    assert "Traceback" not in done.stderr
    assert project.gone()
