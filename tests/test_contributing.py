"""CONTRIBUTING.md, followed to the letter: its files, its section, its commands."""

import json
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.pipeline
def test_adding_a_pipeline_is_one_folder_and_one_section(fresh):
    text = (ROOT / "CONTRIBUTING.md").read_text()
    modules = re.findall(r"```python\n# (\S+)\n(.*?)```", text, re.DOTALL)
    assert len(modules) == 10
    for path, code in modules:
        file = fresh.root / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(code)
    (commands,) = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    done = subprocess.run(
        ["bash", "-euc", commands],
        cwd=fresh.root,
        env={**fresh.environment(), **fresh.warm},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    receipt = json.loads((fresh.root / "data" / "wine" / "receipt.json").read_text())
    assert receipt["decision"] == "champion"
    assert receipt["metrics"]["test/accuracy"] > 0.9
    assert done.stdout.count("wine v1") == 178
    again = fresh.run("dvc", "repro", "register@wine").stdout
    assert "Running stage" not in again
