"""Where to compute, and with how many threads."""

from typing import Literal

import torch

from ..errors import PenstockError


def choose_device(wanted: Literal["auto", "cpu", "gpu", "mps"] = "auto") -> torch.device:
    """Resolve `auto` to a GPU where there is one, to the CPU elsewhere.

    Raises:
        PenstockError: the accelerator asked for is not there.
    """
    available = {
        "gpu": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if wanted == "auto":
        wanted = next(kind for kind in ("gpu", "mps", "cpu") if available[kind])
    elif not available[wanted]:
        raise PenstockError(
            f"train.accelerator: {wanted}: PyTorch finds none on this machine; use auto or cpu"
        )
    return torch.device("cuda" if wanted == "gpu" else wanted)


def set_threads(threads: int) -> None:
    """Compute with this many CPU threads: sums depend on their order, and so does the result."""
    torch.set_num_threads(threads)
