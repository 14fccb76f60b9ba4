"""Arrays, sparse matrices and adjacency lists from Python 2 pickles, of which nothing is called.

A pickle is a program: it names functions and asks for them to be called. Here what it names is
never looked up: whatever it asks to be built becomes a record of the request, and arrays are made
from the bytes in such records, once their type and size have been checked.
"""

import io
import math
import operator
import pickle
import pickletools
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np
from scipy.sparse import csr_array

MOST_BYTES = 2**28  # of a file
# What may be named: as Python 2, NumPy and SciPy of that time wrote it.
KINDS = {
    ("numpy.core.multiarray", "_reconstruct"): "array",
    ("numpy", "ndarray"): "type",
    ("numpy", "dtype"): "dtype",
    ("scipy.sparse.csr", "csr_matrix"): "matrix",
    ("collections", "defaultdict"): "mapping",
    ("__builtin__", "list"): "type",
    ("__builtin__", "dict"): "mapping",
}
# What such files are made of; others look up extensions, call by other ways, or read elsewhere.
OPCODES = {
    *("PROTO", "STOP", "MARK", "GLOBAL", "REDUCE", "NEWOBJ", "BUILD"),
    *("EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_LIST", "APPEND", "APPENDS"),
    *("EMPTY_DICT", "SETITEM", "SETITEMS", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET"),
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "NONE", "NEWTRUE", "NEWFALSE"),
    *("BINSTRING", "SHORT_BINSTRING", "BINUNICODE"),
}


class _Request(dict[Any, Any]):
    """What a pickle asks to be built, as it asks: a dictionary, for it may be filled like one."""

    kind: str
    arguments: tuple[Any, ...]
    state: Any

    def __new__(cls, *arguments: Any) -> "_Request":
        request = super().__new__(cls)
        request.arguments, request.state = arguments, None
        return request

    def __init__(self, *_: Any) -> None:
        super().__init__()

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Reader(pickle.Unpickler):
    """Unpickles to requests, lists, tuples, texts and numbers."""

    def find_class(self, module: str, name: str) -> type[_Request]:
        """A new class of requests for what may be named, and for nothing else."""
        return type(name, (_Request,), {"kind": KINDS[module, name]})

    def persistent_load(self, _: Any) -> NoReturn:
        """Refuse what would lie elsewhere."""
        raise ValueError("it refers to what lies elsewhere")


def read_pickle(content: bytes) -> Any:
    """Read an array, a sparse matrix (as `csr_array`) or a dictionary of lists.

    Raises:
        ValueError: it has or asks for anything else, or is damaged; with the reason.
    """
    if len(content) > MOST_BYTES:
        raise ValueError(f"{len(content):,} bytes; expected {MOST_BYTES:,} at most")
    _check(content)
    try:
        # Of what it names nothing is looked up, and _check has let no other way through.
        found = _Reader(io.BytesIO(content), encoding="latin1").load()
    except Exception as error:  # whatever a damaged one makes the reader stumble over
        raise ValueError(f"damaged: {error}") from None
    return _build(found)


def _check(content: bytes) -> None:
    """Look at each opcode before any is followed: what it is, what it names, how much it claims."""
    steps = 0
    try:
        for steps, (code, argument, _) in enumerate(pickletools.genops(content), 1):
            if code.name not in OPCODES:
                raise ValueError(f"it has {code.name}, which arrays do without")
            if code.name == "GLOBAL" and tuple(str(argument).split(" ", 1)) not in KINDS:
                raise ValueError(f"it asks for {argument}, which is no array")
            # Each step remembers one thing at most, so a larger number only claims memory.
            if code.name == "LONG_BINPUT" and int(argument or 0) > steps:
                raise ValueError(f"it numbers what it remembers {argument:,}, at step {steps:,}")
    except ValueError as error:
        raise ValueError(str(error)) from None
    except Exception as error:
        raise ValueError(f"no pickle: {error}") from None


def _build(found: Any) -> Any:
    if isinstance(found, _Request) and found.kind == "array":
        return _array(found)
    if isinstance(found, _Request) and found.kind == "matrix":
        return _matrix(found)
    if isinstance(found, dict) and getattr(found, "kind", "mapping") == "mapping":
        return dict(found)
    raise ValueError(f"it holds a {getattr(found, 'kind', type(found).__name__)}")


def _array(request: Any) -> np.ndarray:
    """An array of numbers from what its pickle asks to be restored: the shape, type and bytes."""
    if not isinstance(request, _Request) or request.kind != "array":
        raise ValueError("it has something else in the place of an array")
    try:
        _, lengths, kind, by_columns, text = request.state
        shape = tuple(map(operator.index, lengths))
        dtype = np.dtype(str(kind.state[1]) + str(kind.arguments[0]))
        content = text.encode("latin1")
    except (TypeError, ValueError, AttributeError, IndexError) as error:
        raise ValueError(f"an array is damaged: {error}") from None
    if dtype.kind not in "biuf":
        raise ValueError(f"an array of {dtype}; expected numbers")
    size = math.prod((dtype.itemsize, *shape))
    if min(shape, default=0) < 0 or size != len(content):
        raise ValueError(f"an array of shape {shape} has {len(content):,} bytes; expected {size:,}")
    array = np.frombuffer(content, dtype).reshape(shape, order="F" if by_columns else "C")
    return array.astype(dtype.newbyteorder("="))


def _matrix(request: _Request) -> csr_array:
    """A sparse matrix whose parts fit together."""
    state = request.state
    if not isinstance(state, Mapping):
        raise ValueError("a matrix is damaged")
    shape = state.get("_shape", state.get("shape"))
    values, columns, starts = (_array(state.get(it)) for it in ("data", "indices", "indptr"))
    try:
        matrix = csr_array((values, columns, starts), shape)
        matrix.check_format(full_check=True)
    except (TypeError, ValueError, IndexError) as error:
        raise ValueError(f"a matrix is damaged: {error}") from None
    return matrix
