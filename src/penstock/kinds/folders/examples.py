"""One file as an example: decoded, or the reason why not."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...messages.errors import raise_if_temporary


@dataclass(frozen=True)
class Example:
    """What a file became, with its columns of the index: `sha256` of the values, and others."""

    values: np.ndarray
    columns: dict[str, Any]


Decode = Callable[[bytes], tuple[np.ndarray, dict[str, Any]]]  # values, further columns
Read = Callable[[Path], Example | str]


def read_example(path: Path, decode: Decode, largest: int) -> Example | str:
    """Read and decode one file, or say in words why it cannot be taken.

    Args:
        path: of the file.
        decode: its content -> values and columns; raises ValueError with the reason.
        largest: bytes a file may have.

    Raises:
        TemporaryError: network or disk failed, of which the file is no cause.
    """
    try:
        if (size := path.stat().st_size) > largest:
            return f"too large a file: {size:,} bytes; at most {largest:,}"
        content = path.read_bytes()
    except OSError as error:
        raise_if_temporary(error, path)
        return f"cannot be read: {error.strerror}"
    try:
        values, columns = decode(content)
    except ValueError as error:
        return str(error)
    return Example(values, {"sha256": hashlib.sha256(values.tobytes()).hexdigest(), **columns})
