"""What a benchmark ran on: printed beside its numbers."""

import os
import platform
from pathlib import Path

import torch


def describe_hardware() -> str:
    """Name processor, cores, GPU and the versions that matter."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    model = next((line.split(":")[1].strip() for line in lines if "model name" in line), "")
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return (
        f"{model or platform.processor()}, {os.cpu_count()} cores, {gpu}; "
        f"Python {platform.python_version()}, PyTorch {torch.__version__}"
    )
