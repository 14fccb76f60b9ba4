"""What can be read off a statement of Python: a digest of what it runs, the names in it."""

import ast
import hashlib
from collections.abc import Iterator, Sequence

Function = ast.FunctionDef | ast.AsyncFunctionDef
Import = ast.Import | ast.ImportFrom


def digest_code(statements: list[ast.stmt], settings: bool = False) -> str:
    """A digest of what statements run.

    Left out are comments, docstrings (strings after a field among them), protocols, and in a module
    of settings the fields: DVC compares their values.
    """
    outline = _outline(statements, settings)
    return hashlib.sha256(repr(outline).encode()).hexdigest()


def _outline(node: object, settings: bool) -> object:
    """A syntax tree as plain data.

    Without attributes that are empty: which of them there are depends on the version of Python. Nor
    does it say whether a name is read or set: its place does.
    """
    if isinstance(node, list):
        return [_outline(it, settings) for it in node if not runs_nothing(it)]
    if isinstance(node, ast.Constant):
        return type(node.value).__name__, repr(node.value)
    if not isinstance(node, ast.AST):
        return node
    found: list[object] = [type(node).__name__]
    for name in node._fields:
        value = getattr(node, name, None)
        if value is None or value == [] or isinstance(value, ast.expr_context):
            continue
        if settings and name == "body" and isinstance(node, ast.ClassDef):
            value = [it for it in node.body if not isinstance(it, ast.AnnAssign)]
        found += name, _outline(value, settings)
    return found


def runs_nothing(node: object) -> bool:
    """Whether a statement is a docstring, or a protocol."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    if isinstance(node, ast.ClassDef):
        return any(isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases)
    return False


def dotted(node: ast.AST) -> str:
    """The name `a.b.c` where a node is no more than that, or nothing."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (before := dotted(node.value)):
        return f"{before}.{node.attr}"
    return ""


def bound_by(statement: ast.stmt) -> list[str]:
    """The names that a statement binds, imports apart; none if it sets more than names."""
    if isinstance(statement, Function | ast.ClassDef):
        return [statement.name]
    parts: list[ast.AST] = [statement]
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        parts = [it.target for it in ast.walk(statement) if isinstance(it, ast.NamedExpr)]
        parts += statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    inner = [it for part in parts for it in ast.walk(part)]
    stored = [it for it in inner if isinstance(getattr(it, "ctx", None), ast.Store)]
    if any(isinstance(it, ast.Attribute | ast.Subscript) for it in stored):
        return []
    return [it.id for it in stored if isinstance(it, ast.Name)]


def called_by(node: ast.AST) -> Iterator[ast.expr]:
    """What is called when a statement runs: decorators too, but nothing inside functions."""
    for it in getattr(node, "decorator_list", []):
        yield it.func if isinstance(it, ast.Call) else it
    if isinstance(node, ast.Call):
        yield node.func
    inner = ast.iter_child_nodes(node)
    for part in _defaults(node) if isinstance(node, Function | ast.Lambda) else inner:
        yield from called_by(part)


def names_in(statement: ast.stmt) -> Iterator[str | Import]:
    """Yield every name, with its attributes, and every import inside a statement.

    But not a function's own parameters, nor its annotations: nobody reads those but a decorator.
    """
    if isinstance(statement, Function) and not statement.decorator_list:
        own = {it.arg for it in ast.iter_child_nodes(statement.args) if isinstance(it, ast.arg)}
        yield from _names(_defaults(statement))
        for it in _names(statement.body):
            if isinstance(it, Import) or it.partition(".")[0] not in own:
                yield it
    else:
        yield from _names([statement])


def _names(nodes: Sequence[ast.AST]) -> Iterator[str | Import]:
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if name := dotted(node):
            yield name
        elif isinstance(node, Import):
            yield node
        else:
            waiting += ast.iter_child_nodes(node)


def _defaults(function: Function | ast.Lambda) -> list[ast.expr]:
    return [*function.args.defaults, *(it for it in function.args.kw_defaults if it)]
