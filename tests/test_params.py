"""Settings: what is refused, how it is said, and that params.yaml, schema and code agree."""

import json
import subprocess
import sys
from copy import deepcopy
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from penstock import pipeline
from penstock.messages.errors import PenstockError
from penstock.settings.explanation import default_params, describe, schema, write_yaml
from penstock.settings.file import load_params, parse_section

ROOT = Path(__file__).parent.parent


@pytest.fixture
def section() -> dict:
    return deepcopy(YAML(typ="safe").load(ROOT / "params.yaml")["pipelines"]["mnist"])


@pytest.mark.parametrize("name", pipeline.names())
def test_shipped_params_are_valid_and_complete(name):
    params = load_params(name, ROOT / "params.yaml")
    assert params.source


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("train.max_epoch", 3, "train.max_epoch: unknown key; did you mean max_epochs?"),
        ("train.max_epochs", 0, "train.max_epochs: 0: should be greater than or equal to 1"),
        ("train.max_epochs", "3", 'train.max_epochs: "3": should be a valid integer'),
        ("train.seed", True, "train.seed: true: should be a valid integer"),
        ("train.optimizer", "lion", "\"lion\": should be 'adamw', 'adam' or 'sgd'"),
        ("model.kind", "rnn", "model.kind: 'rnn': allowed are 'cnn', 'mlp'"),
        ("model.hidden", [3], "model.hidden: unknown key; known are: batch_norm, channels"),
        ("model.channels", [32, 0], "model.channels.1: 0: should be greater than or equal to 1"),
        ("trian", {}, "trian: unknown key; did you mean train?"),
        ("source", 3, "source: 3: should be a valid string"),
        (
            "register.minimum",
            {"test/accuracy": 0.9, "test/f1": 0.5},
            'for minimum, write `limits: {"test/accuracy": [0.9, null], "test/f1": [0.5, null]}`',
        ),
        ("register.limits", {"a": [0.9, 0.1]}, "a: [0.9, 0.1]: expected [least, most]"),
        ("register.limits", {"a": [float("nan"), None]}, "a.0: NaN: should be a finite number"),
        ("register.limits", {"a": 0.9}, "a: 0.9: should be a valid tuple"),
    ],
)
def test_a_mistake_is_named_with_file_key_value_and_remedy(section, path, value, message):
    *parents, last = path.split(".")
    place = section
    for parent in parents:
        place = place[parent]
    place[last] = value
    with pytest.raises(PenstockError) as error:
        parse_section("mnist", section, Path("params.yaml"))
    assert "params.yaml: pipelines.mnist." in str(error.value)
    assert message in str(error.value)


def test_every_mistake_has_a_line_of_its_own(section):
    section["train"] |= {"seed": -1, "threads": 0}
    with pytest.raises(PenstockError) as error:
        parse_section("mnist", section, Path("params.yaml"))
    assert len(str(error.value).splitlines()) == 2


def test_a_missing_setting_is_refused_with_the_line_to_add(section):
    del section["train"]["seed"]
    with pytest.raises(PenstockError, match=r"train\.seed: missing; add `seed: 0`"):
        parse_section("mnist", section, Path("params.yaml"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("pipelines: [", "not valid YAML"),
        ("pipelines:\n  mnist:\n    a: 1\n    a: 2", "not valid YAML"),
        ("pipelines: {}", "no such section"),
        ("[]", "no such section"),
    ],
)
def test_a_broken_file_is_named(tmp_path, content, message):
    file = tmp_path / "params.yaml"
    file.write_text(content)
    with pytest.raises(PenstockError, match=message):
        load_params("mnist", file)


def test_an_unknown_pipeline_gets_the_nearest_name():
    with pytest.raises(PenstockError, match="did you mean mnist"):
        load_params("mnits", ROOT / "params.yaml")


def test_the_schema_for_editors_is_up_to_date():
    shipped = json.loads((ROOT / "docs" / "params.schema.json").read_text())
    assert shipped == schema(), "run `make format`"
    head = (ROOT / "params.yaml").read_text().splitlines()[0]
    assert "docs/params.schema.json" in head


@pytest.mark.parametrize("name", pipeline.names())
def test_defaults_print_as_yaml_that_loads(name, tmp_path):
    file = tmp_path / "params.yaml"
    file.write_text("pipelines:\n" + write_yaml(name, default_params(name)))
    assert load_params(name, file) == default_params(name)


@pytest.mark.parametrize("name", pipeline.names())
def test_every_setting_has_a_meaning(name):
    for key, _, meaning in describe(default_params(name)):
        assert len(meaning) > 10, key


HEAVY = {"torch", "pytorch_lightning", "mlflow", "great_expectations", "pandas", "numpy", "prefect"}


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["params", "mnist"]])
def test_help_and_params_import_nothing_heavy(arguments):
    assert not _imported(arguments, ROOT) & HEAVY


def test_a_bad_setting_is_refused_before_anything_heavy_is_imported(fresh):
    fresh.set(train={"max_epochs": 0})
    assert not _imported(["train", "mnist"], fresh.root) & HEAVY
    done = fresh.run("penstock", "train", "mnist", check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "params.yaml: pipelines.mnist.train.max_epochs: 0" in done.stderr


def _imported(arguments: list[str], folder: Path) -> set[str]:
    script = (
        "import sys; sys.argv = ['penstock', *sys.argv[1:]]\n"
        "from penstock.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print('MODULES', *{name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("MODULES"))
    return set(line.split())
