"""The model as MLflow loads it: this file is copied into every registered model.

A registered model runs the code it was registered with, not what is installed where it is loaded:
its modules travel with it, in a package named after their content. So two versions with different
code live in one process, each with its own modules, and neither needs Penstock to be installed.
"""

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pandas as pd
from mlflow.models import set_model
from mlflow.pyfunc.model import PythonModel


class ServedModel(PythonModel):
    """Raw inputs -> predictions, by the packaged pipeline."""

    def load_context(self, context):  # type: ignore[no-untyped-def]
        """Import the packaged code and rebuild the network."""
        bundle = Path(context.artifacts["bundle"])
        package = import_packaged(bundle / "code")
        trained = importlib.import_module(f"{package.__name__}.learning.trained")
        self.network, self.description = trained.load_trained(bundle)
        name = self.description["pipeline"]
        self.module = importlib.import_module(f"{package.__name__}.pipelines.{name}.predict")
        model = self.description["params"]["model"]
        self.interface = self.module.interface(self.description["dataset"], model)

    def predict(self, context, model_input: pd.DataFrame, params=None):  # type: ignore[no-untyped-def]
        """Predict, a row per input; `params` may give values for the interface's options."""
        options = {**self.interface.options, **(params or {})}
        return self.module.predict(self.network, model_input, self.description["dataset"], options)


def import_packaged(code: Path) -> ModuleType:
    """Import the one package in a folder under its own name, without touching sys.path."""
    folder = next(path for path in code.iterdir() if path.is_dir())
    if folder.name in sys.modules:  # named after its content: the same code
        return sys.modules[folder.name]
    spec = importlib.util.spec_from_file_location(
        folder.name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        raise ImportError(f"{folder}: not a package")
    package = importlib.util.module_from_spec(spec)
    sys.modules[folder.name] = package
    spec.loader.exec_module(package)
    return package


set_model(ServedModel())
