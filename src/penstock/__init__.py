"""Penstock: raw files to registered models, with one contract for many kinds of data."""

import os

# No library under Penstock reports usage to anyone, or asks the network for a newer version.
# Threads of PyTorch (GOMP) that wait for others soon sleep, since on a busy machine they hold up
# those: after 5,000 turns, by default 300,000; benchmarks/waiting.py shows what that gives.
for _switch, _value in {
    "DO_NOT_TRACK": "1",
    "DVC_NO_ANALYTICS": "1",
    "GOMP_SPINCOUNT": "5000",
    "GX_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
}.items():
    os.environ.setdefault(_switch, _value)
