"""Penstock: raw files to registered models, with one contract for many kinds of data."""

import os

# No library under Penstock reports usage to anyone, or asks the network for a newer version; and
# threads that wait for others sleep (OMP), since on a busy machine they would hold up those.
for _switch, _value in {
    "DO_NOT_TRACK": "1",
    "DVC_NO_ANALYTICS": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "OMP_WAIT_POLICY": "PASSIVE",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
}.items():
    os.environ.setdefault(_switch, _value)
