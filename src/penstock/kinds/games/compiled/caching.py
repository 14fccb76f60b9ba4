"""Compiled code on disk: found again by what it was compiled from, wherever the files lie.

numba keeps machine code beside the source or by the source's path, and by the name of its module.
A registered model is loaded from a fresh folder under a name of its own, and would be compiled
anew each time. So the code here goes by a digest of this folder, under a module name made of it:
equal sources share what one of them compiled.
"""

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from numba import njit
from numba.core.caching import CompileResultCacheImpl, FunctionCache, _CacheLocator

HERE = Path(__file__).parent


def _digest() -> str:
    content = hashlib.sha256()
    for file in sorted(HERE.glob("*.py")):
        content.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return content.hexdigest()[:16]


DIGEST = _digest()
NAME = f"penstock_compiled_{DIGEST}"
# numba imports the module that a function in its cache is of, for the globals of Python code that
# it may call; nothing here calls any.
sys.modules.setdefault(NAME, ModuleType(NAME))


def folder() -> Path:
    """Where machine code is kept: in the user's own cache."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "penstock" / "compiled" / DIGEST


def is_kept(function: str) -> bool:
    """Whether a function, `search.search` say, was compiled before from these sources."""
    try:
        return any(folder().glob(f"{function}-*.nbc"))
    except OSError:
        return False


class _Locator(_CacheLocator):
    """Says where one function's machine code is kept."""

    def __init__(self, function: Callable[..., Any], file: str) -> None:
        self._py_file = file
        self._line = function.__code__.co_firstlineno

    def get_cache_path(self) -> str:
        return str(folder())

    def get_source_stamp(self) -> str:
        return DIGEST

    def get_disambiguator(self) -> str:
        return str(self._line)

    @classmethod
    def from_function(cls, function: Callable[..., Any], file: str) -> "_Locator | None":
        """A locator; None where nothing can be written."""
        try:
            folder().mkdir(parents=True, exist_ok=True, mode=0o700)
        except (OSError, RuntimeError):
            return None
        return cls(function, file) if os.access(folder(), os.W_OK) else None


class _Implementation(CompileResultCacheImpl):
    _locator_classes = [_Locator]


class _Cache(FunctionCache):
    _impl_class = _Implementation


def compiled(function: Callable[..., Any]) -> Any:
    """Compile a function when it is first called, or take what was compiled before.

    It runs without Python's lock. Where the cache cannot be written, each process compiles.
    """
    function.__module__ = NAME
    dispatcher: Any = njit(nogil=True, error_model="numpy")(function)
    try:
        dispatcher._cache = _Cache(function)
    except RuntimeError:  # numba's answer where nothing can be written
        return dispatcher
    return dispatcher
