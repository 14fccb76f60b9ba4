"""Predict with a packaged model in a process of its own, where Penstock cannot be imported.

Run as a file: `python -I warm.py fresh.py MODEL INPUTS.parquet PREDICTIONS.parquet`.
"""

import ctypes
import logging
import signal
import sys
import warnings


def main(model: str, inputs: str, predictions: str) -> None:
    """Load the model as any user would; predict every row of a parquet file."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: end with who started this
    sys.modules["penstock"] = None  # type: ignore[assignment]  # the model must bring its own code
    sys.dont_write_bytecode = True  # into the model's folder
    warnings.filterwarnings("ignore")
    import mlflow.pyfunc
    import pandas as pd

    logging.getLogger("mlflow").setLevel(logging.ERROR)
    loaded = mlflow.pyfunc.load_model(model)
    loaded.predict(pd.read_parquet(inputs)).to_parquet(predictions, index=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
