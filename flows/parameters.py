"""What may be chosen when a flow is started: by a schedule, or in the form of Prefect's UI.

The form takes its descriptions from the flows' docstrings, and the choices from here.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from penstock.project.workspace import find_root
from penstock.settings.file import PARAMS_FILE, list_pipelines

ROOT = find_root(Path(__file__).parent)
KNOWN = list_pipelines(ROOT / PARAMS_FILE)

# `penstock deploy` takes up a pipeline that was added since.
Name = Annotated[str, Field(json_schema_extra={"enum": [*KNOWN]})]
Stage = Literal["ingest", "validate", "train", "evaluate", "register"]
Timeouts = dict[Stage, Annotated[float, Field(gt=0)]]
AtOnce = Annotated[int, Field(ge=1, le=32)]
