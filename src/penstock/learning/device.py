"""Where to compute, with how many threads, and with which memory."""

import ctypes
import sys
from typing import Literal

import torch

from ..messages.errors import PenstockError


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


def compute_exactly() -> None:
    """Have convolutions on a GPU keep all 24 bits of a float32, where cuDNN may drop 13 (TF32).

    What is measured so differs from what a model predicts on a CPU by rounding only.
    """
    torch.backends.cudnn.allow_tf32 = False


def keep_freed_memory() -> None:
    """Have glibc keep the memory of a batch for the next one.

    By default it hands blocks of megabytes back to the kernel as soon as they are free, and each
    step pays for their pages again. Blocks above 32 MB are handed back as before. Linux only.
    """
    if sys.platform != "linux" or not hasattr(libc := ctypes.CDLL(None), "mallopt"):
        return
    mmap_threshold, trim_threshold = -3, -1  # malloc.h
    libc.mallopt(mmap_threshold, 2**25)
    libc.mallopt(trim_threshold, 2**30)
