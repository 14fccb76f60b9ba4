"""Packaging: a folder that MLflow loads anywhere, with weights, code, signature and example."""

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import warnings
from importlib.metadata import packages_distributions, version
from pathlib import Path

import mlflow.pyfunc
import pandas as pd
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema
from mlflow.types.schema import Array

from ..datasets.digest import digest_files
from ..learning.weights import DESCRIPTION, LEARNED, WEIGHTS
from ..messages.errors import PenstockError
from ..pipeline import Interface
from ..project import warm
from ..project.imports import PACKAGE, import_graph

SOURCE = Path(__file__).parent.parent
ALWAYS = ("mlflow", "numpy", "pandas")
OPTION_TYPES = {bool: "boolean", int: "long", float: "double", str: "string"}


def package_model(
    name: str, model: Path, interface: Interface, example: pd.DataFrame, folder: Path
) -> str:
    """Write the model of pipeline `name` as an MLflow model into a new folder.

    Returns:
        SHA-256 of what it is: weights, description, what it learned from, code, requirements.
    """
    with tempfile.TemporaryDirectory() as temporary:
        bundle = Path(temporary) / "bundle"
        bundle.mkdir()
        for file in (WEIGHTS, DESCRIPTION, LEARNED):
            shutil.copy(model / file, bundle)
        modules, libraries = import_closure(name)
        copy_code(modules, bundle / "code")
        served = Path(__file__).parent / "served.py"
        requirements = [f"{lib}=={version(lib).split('+')[0]}" for lib in libraries]
        warnings.filterwarnings("ignore", module="mlflow.pyfunc.utils.data_validation")
        mlflow.pyfunc.save_model(
            folder,
            python_model=str(served),
            artifacts={"bundle": str(bundle)},
            signature=signature(interface),
            input_example=example,
            pip_requirements=requirements,
        )
        return digest_files(bundle, served.read_text(), *requirements)


def import_closure(name: str) -> tuple[list[str], list[str]]:
    """What the served part of a pipeline imports.

    Returns:
        Modules of this package, without its name in front, and the libraries they import.
    """
    graph = import_graph()
    roots = [f"pipelines.{name}.{part}" for part in ("params", "network", "predict")]
    found: set[str] = set()
    for root in ("learning.trained", *roots):
        found |= {f"{PACKAGE}.{root}"} | graph.find_upstream_modules(f"{PACKAGE}.{root}")
    inside = {module for module in found if module.split(".")[0] == PACKAGE}
    parents = {
        module.rsplit(".", depth)[0] for module in inside for depth in range(module.count("."))
    }
    distributions = packages_distributions()
    libraries = {distributions[module][0] for module in found - inside if module in distributions}
    modules = sorted(
        module.removeprefix(PACKAGE).removeprefix(".") for module in inside | parents | {PACKAGE}
    )
    return modules, sorted(libraries | set(ALWAYS), key=str.lower)


def copy_code(modules: list[str], code: Path) -> None:
    """Copy modules into a package under `code` that is named after their content.

    Every import inside Penstock is relative, so the modules work under another name.
    """
    files = {}
    for module in modules:
        path = SOURCE / module.replace(".", "/") if module else SOURCE
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        files[file.relative_to(SOURCE)] = file.read_bytes()
    digest = hashlib.sha256(json.dumps({str(k): v.decode() for k, v in files.items()}).encode())
    for relative, content in files.items():
        target = code / f"{PACKAGE}_{digest.hexdigest()[:16]}" / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)


def signature(interface: Interface) -> ModelSignature:
    """An interface in MLflow's terms."""

    def column(name: str, kind: str) -> ColSpec:
        required = not kind.startswith("optional ")
        kind = kind.removeprefix("optional ")
        arrays = {"array": Array("double"), "strings": Array("string")}
        return ColSpec(type=arrays.get(kind, kind), name=name, required=required)

    def schema(columns: dict[str, str]) -> Schema:
        return Schema([column(name, kind) for name, kind in columns.items()])

    options = [
        ParamSpec(name, OPTION_TYPES[type(default)], default)
        for name, default in interface.options.items()
    ]
    return ModelSignature(
        inputs=schema(interface.inputs),
        outputs=schema(interface.outputs),
        params=ParamSchema(options) if options else None,  # type: ignore[arg-type]
    )


def predict_fresh(model: Path | str, inputs: pd.DataFrame) -> pd.DataFrame:
    """Load a packaged model in a fresh process, without this repository, and predict.

    Raises:
        PenstockError: it does not load or predict there; with the last line of its error.
    """
    with tempfile.TemporaryDirectory() as temporary:
        source, target = Path(temporary) / "inputs.parquet", Path(temporary) / "predictions.parquet"
        inputs.to_parquet(source, index=False)
        script = Path(__file__).parent / "fresh.py"
        paths = [str(it) for it in (warm.__file__, script, model, source, target)]
        command = [sys.executable, "-I", *paths]
        done = subprocess.run(command, cwd=temporary, capture_output=True, text=True, check=False)
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["no output"])[-1]
            raise PenstockError(f"{model}: does not predict in a fresh process: {last}")
        return pd.read_parquet(target)
