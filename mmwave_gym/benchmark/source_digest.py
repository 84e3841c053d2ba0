"""What code means, as a digest: it tells whether the code behind a row is still the code that made it.

Comments, docstrings and layout do not count, names and numbers do. The digest is the same for every version of Python
that parses the code to the same tree.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any


@lru_cache(maxsize=1024)
def digest(modules: frozenset[str]) -> str | None:
    """A digest of what these modules' code means, whatever they are called.

    None where the source of one cannot be read.
    """
    try:
        texts = sorted(_meaning(name) for name in modules)
    except (OSError, SyntaxError, ValueError, ImportError):
        return None
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]


@lru_cache(maxsize=1024)
def closure(modules: frozenset[str]) -> frozenset[str]:
    """The modules and all that they import, directly or not, from their own packages and from this one.

    A module whose source cannot be read counts, but not what it imports.
    """
    tops = {name.partition(".")[0] for name in (*modules, __name__)}
    found: set[str] = set()
    waiting = set(modules)
    while waiting:
        found |= waiting
        waiting = {
            name for module in waiting for name in _imports(module) if name.partition(".")[0] in tops
        } - found  # fmt: skip
    return frozenset(found)


@lru_cache(maxsize=1024)
def _path(name: str) -> Path | None:
    """Where a module's source is; None where there is no such module. OSError where it has no source."""
    loaded = sys.modules.get(name)
    origin = getattr(loaded, "__file__", None)
    if loaded is None:
        try:
            spec = importlib.util.find_spec(name)
        except ModuleNotFoundError:
            return None
        if spec is None:
            return None
        origin = spec.origin
    if origin is None or not origin.endswith(".py"):
        raise OSError(f"{name} has no source")
    return Path(origin)


@lru_cache(maxsize=1024)
def _tree(name: str) -> ast.Module:
    path = _path(name)
    if path is None:
        raise OSError(f"there is no module {name}")
    return ast.parse(path.read_bytes())


@lru_cache(maxsize=1024)
def _imports(name: str) -> frozenset[str]:
    """The modules that a module names in its imports, those inside functions too."""
    try:
        path, tree = _path(name), _tree(name)
    except (OSError, SyntaxError, ValueError):
        return frozenset()
    package = name if path and path.name == "__init__.py" else name.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.rsplit(".", node.level - 1)[0] if node.level else ""
            source = ".".join(part for part in (above, node.module or "") if part)
            found |= {source, *(inner for a in node.names if (inner := f"{source}.{a.name}") and _is_module(inner))}
    return frozenset(found)


def _is_module(name: str) -> bool:
    if name in sys.modules:
        return True
    above = name.rpartition(".")[0]
    loaded = sys.modules.get(above)
    folders = getattr(loaded, "__path__", ()) if loaded else ()
    stem = name.rpartition(".")[2]
    return any((Path(f) / f"{stem}.py").is_file() or (Path(f) / stem / "__init__.py").is_file() for f in folders)


@lru_cache(maxsize=1024)
def _meaning(name: str) -> str:
    return hashlib.sha256("".join(_tokens(_tree(name))).encode()).hexdigest()


def _tokens(node: Any) -> Iterator[str]:
    """The tree as text, less positions, docstrings, annotations and what is empty."""
    if isinstance(node, list):
        yield "["
        for part in node:
            yield from _tokens(part)
        yield "]"
    elif isinstance(node, ast.AST):
        yield f"({type(node).__name__}"
        for field, value in ast.iter_fields(node):
            if field in ("annotation", "returns", "type_comment", "ctx", "kind") or value is None or value == []:
                continue
            if field == "body" and isinstance(value, list):
                value = [part for part in value if not _only_said(part)]
            yield f" {field}="
            yield from _tokens(value)
        yield ")"
    else:
        yield repr(node)


def _only_said(node: ast.AST) -> bool:
    """A string that stands alone: a docstring, or one below a field."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
