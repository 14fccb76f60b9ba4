"""The IDX format of MNIST, read suspiciously.

A file is: two zero bytes, a type byte (8 is uint8), the number of dimensions, the size of each as
a big-endian 32-bit number, then the values. Often gzipped, with or without `.gz` in the name.
"""

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from ...messages.errors import PenstockError, raise_if_temporary

UINT8 = 8
GZIP_MAGIC = b"\x1f\x8b"
DEFLATE_LIMIT = 1032  # deflate cannot shrink more than this many bytes into one
MAX_BYTES = 16 * 2**30
CHUNK = 2**24


def find_idx(folder: Path, stem: str) -> Path:
    """Find an IDX file by its stem, `train-images-idx3-ubyte` say.

    Raises:
        PenstockError: it is not there under any of its usual names.
    """
    if not folder.is_dir():
        found = "a file" if folder.exists() else "nothing there"
        raise PenstockError(
            f"{folder}: {found}; expected a folder with the four IDX files of MNIST; "
            "set `source` in params.yaml to it"
        )
    dotted = stem.replace("-idx", ".idx")
    candidates = [folder / name for name in (f"{stem}.gz", stem, f"{dotted}.gz", dotted)]
    for path in candidates:
        if path.exists():
            return path
    raise PenstockError(
        f"{folder / stem}[.gz]: not found; expected the four IDX files of MNIST in this folder; "
        "add the file or set `source` in params.yaml to the folder that has it"
    )


def read_idx(path: Path, dimensions: int) -> np.ndarray:
    """Read a uint8 IDX file of a known number of dimensions, gzipped or not.

    Returns:
        A uint8 array of the shape the header gives.

    Raises:
        PenstockError: unreadable, not IDX, not uint8, another number of dimensions, or longer or
            shorter than its header says. Nothing is allocated for a header that cannot be true.
    """
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            zipped = file.read(2) == GZIP_MAGIC
            file.seek(0)
            if not zipped:
                return _parse(path, file, dimensions, size)
            with gzip.GzipFile(fileobj=file) as stream:
                return _parse(path, stream, dimensions, size * DEFLATE_LIMIT)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise PenstockError(
            f"{path}: damaged gzip file ({error}); expected a whole one; fetch it again"
        ) from None
    except OSError as error:
        raise_if_temporary(error, path)
        raise PenstockError(
            f"{path}: cannot be read ({error.strerror}); expected a readable IDX file; "
            "check the path and its permissions"
        ) from None


def _parse(path: Path, file: IO[bytes] | gzip.GzipFile, dimensions: int, limit: int) -> np.ndarray:
    header = file.read(4 + 4 * dimensions)
    expected = bytes([0, 0, UINT8, dimensions])
    if header[:4] != expected:
        raise PenstockError(
            f"{path}: starts with {header[:4].hex(' ') or 'nothing'}; expected the magic number "
            f"{expected.hex(' ')} of a {dimensions}-dimensional uint8 IDX file; "
            "is it another file under this name?"
        )
    if len(header) < 4 + 4 * dimensions:
        raise PenstockError(f"{path}: ends inside its header; fetch it again")
    shape = struct.unpack(f">{dimensions}I", header[4:])
    size = math.prod(shape)
    if size > min(limit, MAX_BYTES):
        promised = " x ".join(map(str, shape))
        raise PenstockError(
            f"{path}: the header promises {promised} values, more than the file can hold or than "
            f"the limit of {MAX_BYTES} bytes; the header is damaged, fetch the file again"
        )
    values = _read_exactly(file, size)
    if len(values) < size or file.read(1):
        found = f"only {len(values)}" if len(values) < size else f"more than {size}"
        raise PenstockError(
            f"{path}: holds {found} values; expected {size}, as its header says; fetch it again"
        )
    return np.frombuffer(values, np.uint8).reshape(shape)


def _read_exactly(file: IO[bytes] | gzip.GzipFile, size: int) -> bytearray:
    """Read up to `size` bytes in pieces, so that a lie costs no more memory than there is data."""
    values = bytearray()
    while len(values) < size and (piece := file.read(min(CHUNK, size - len(values)))):
        values += piece
    return values


def write_idx(path: Path, array: np.ndarray) -> None:
    """Write a uint8 array as a gzipped IDX file, the same bytes each time."""
    header = bytes([0, 0, UINT8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    with (
        path.open("wb") as file,
        gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as stream,
    ):
        stream.write(header + array.astype(np.uint8).tobytes())
