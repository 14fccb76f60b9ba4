"""A module taken apart: what its top level defines, and what each definition names.

Names are followed as they are written. What code finds otherwise, by a name that is computed or
among the subclasses of a class, is not seen: a test holds that it does so only where a table says
what is found.
"""

import ast
import builtins
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from ..messages.errors import PenstockError
from .syntax import (
    Function,
    Import,
    bound_by,
    called_by,
    digest_code,
    dotted,
    names_in,
    runs_nothing,
)

PACKAGE = __name__.partition(".")[0]
SOURCE = Path(__file__).parent.parent
SETTINGS = ("params.py", "sections.py")  # modules whose fields are settings
IMPORTED = ""  # in place of a name: what runs when the module is imported
WHOLE = "*"  # all that the module defines
SEES_ALL = {"eval", "exec", "globals", "locals", "vars"}

# Called in a definition at the top level, functions of these libraries, as those of Python itself,
# make a value and do no more. Any other may, so that such a definition counts once it is imported.
QUIET = {
    *("contextlib", "dataclasses", "functools", "numpy", "pathlib", "pydantic", "re", "struct"),
    *("threading", "typing"),
}


class Reference(NamedTuple):
    """What code names.

    Attributes:
        module: of this package or of a library, in full.
        name: `fit`, `figures.curves` where a module has a module, IMPORTED or WHOLE.
    """

    module: str
    name: str

    @property
    def package(self) -> str:
        """This package, or the library."""
        return self.module.partition(".")[0]

    def attribute(self, names: str) -> "Reference":
        """What `figures.curves` stands for, where this is what `figures` does."""
        parts = [it for it in (self.name, names) if it and it != WHOLE]
        return Reference(self.module, ".".join(parts) or WHOLE)


class Definition(NamedTuple):
    """A digest of what runs, and what that names."""

    digest: str
    references: set[Reference]


def read_module(name: str) -> "Module":
    """Read a module of this package, as its file is now.

    Raises:
        PenstockError: it is missing or is not Python.
    """
    file = _file_of(name)
    try:
        return _read(name, file, file.stat().st_mtime_ns)
    except FileNotFoundError:
        raise PenstockError(f"{file}: not there, or no __init__.py beside it; add it") from None
    except SyntaxError as error:
        said = (error.text or "").strip()
        raise PenstockError(f"{file}:{error.lineno}: not valid Python: {said}") from None


@lru_cache(maxsize=1000)
def _read(name: str, file: Path, modified: int) -> "Module":
    """`modified` tells one state of the file from the next."""
    return Module(name, file, file.read_bytes())


def _file_of(module: str) -> Path:
    """Where a module lies, or would."""
    path = SOURCE.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


class Module:
    """A module of this package.

    A statement of its top level defines names and does no more, or it has effects: then it counts
    wherever the module is imported, and so do the names it binds.

    Attributes:
        name: in full.
        libraries: what it imports when it is imported.
    """

    def __init__(self, name: str, file: Path, source: bytes) -> None:
        self.name = name
        self._package = name if file.stem == "__init__" else name.rpartition(".")[0]
        self._settings = file.name in SETTINGS
        self._found: dict[str, Definition] = {}
        body = [it for statement in ast.parse(source).body for it in _running(statement)]
        self._imports = [it for node in body if isinstance(node, Import) for it in self._bind(node)]
        self._targets = dict(self._imports)
        self.libraries = {it.package for it in self._targets.values()} - {PACKAGE}
        body = [it for it in body if not isinstance(it, Import)]
        self._bound = Counter([*self._targets, *(name for it in body for name in bound_by(it))])
        quiet = [it for it in body if self._is_quiet(it)]
        self._defined = {name: it for it in quiet for name in bound_by(it)}
        self._effects = [it for it in body if it not in quiet and not runs_nothing(it)]
        self._named = {it: set(self._references(it)) for it in body}

    def defines(self, name: str) -> bool:
        """Whether the top level gives something this name."""
        return name in self._bound

    def find(self, name: str) -> Definition:
        """What a name stands for; importing the module belongs to it."""
        if name not in self._found:
            self._found[name] = self._importing() if name == IMPORTED else self._find(name)
        return self._found[name]

    def _find(self, name: str) -> Definition:
        first, _, rest = name.partition(".")
        importing = Reference(self.name, IMPORTED)
        if target := self._targets.get(first):
            return Definition(".".join(target), {importing, target.attribute(rest)})
        if rest and self.defines(first):
            return Definition("", {Reference(self.name, first)})
        if first in self._defined:
            return self._define([self._defined[first]], {importing})
        if self.defines(first):
            return Definition("", {importing})
        if _file_of(inner := f"{self.name}.{first}").exists():
            return Definition("", {importing, Reference(inner, rest or WHOLE)})
        # WHOLE, or made in a way that is not seen
        return Definition("", {importing, *(Reference(self.name, it) for it in self._bound)})

    def _importing(self) -> Definition:
        """What runs when the module is imported, but for what only defines names."""
        modules = {self.name.rpartition(".")[0]} - {""}
        references: set[Reference] = set()
        for name, target in self._imports:
            if name == WHOLE:
                references.add(target)
            if target.package == PACKAGE:
                inner = ".".join(target)
                modules |= {target.module, inner} if _file_of(inner).exists() else {target.module}
        references |= {Reference(it, IMPORTED) for it in modules}
        return self._define(self._effects, references)

    def _define(self, statements: list[ast.stmt], references: set[Reference]) -> Definition:
        digest = digest_code(statements, self._settings)
        return Definition(digest, references.union(*(self._named[it] for it in statements)))

    def _references(self, statement: ast.stmt) -> Iterator[Reference]:
        """What a statement of the top level names, imports inside it too."""
        for it in names_in(statement):
            if isinstance(it, Import):
                yield from (target for _, target in self._bind(it))
                continue
            first = it.partition(".")[0]
            if target := self._targets.get(first):
                yield Reference(self.name, it if target.package == PACKAGE else first)
            elif self.defines(first):
                yield Reference(self.name, first)
            elif first in SEES_ALL:
                yield Reference(self.name, WHOLE)

    def _bind(self, statement: Import) -> Iterator[tuple[str, Reference]]:
        """Yield each name that an import binds, and what it stands for."""
        for it in statement.names:
            if isinstance(statement, ast.Import):
                module = it.name if it.asname else it.name.partition(".")[0]
                yield it.asname or module, Reference(module, WHOLE)
            else:
                above = self._package.rsplit(".", statement.level - 1)[0] if statement.level else ""
                module = f"{above}.{statement.module or ''}".strip(".")
                yield it.asname or it.name, Reference(module, it.name)

    def _is_quiet(self, statement: ast.stmt) -> bool:
        """Whether a statement defines names that no other binds, and does no more."""
        if not isinstance(statement, Function | ast.ClassDef | ast.Assign | ast.AnnAssign):
            return False
        if runs_nothing(statement) or getattr(statement, "keywords", []):  # a metaclass
            return False
        names = bound_by(statement)
        if not names or any(self._bound[it] > 1 for it in names):
            return False
        return all(self._makes_a_value(dotted(it)) for it in called_by(statement))

    def _makes_a_value(self, called: str) -> bool:
        first = called.partition(".")[0]
        if target := self._targets.get(first):
            return target.package in QUIET
        return hasattr(builtins, first) and not self.defines(first)


def _running(statement: ast.stmt) -> list[ast.stmt]:
    """What of a statement runs: not what is for type checkers."""
    if isinstance(statement, ast.If) and dotted(statement.test).endswith("TYPE_CHECKING"):
        return statement.orelse
    return [statement]
