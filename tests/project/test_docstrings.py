"""Every public function with arrays says their shapes; a method may leave that to the one that it overrides."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import mmwave_baselines
import mmwave_gym

ARRAYS = re.compile(r"NDArray|\b(?:Float|Float64|Float32|Int|Int64|Index|Bool)Array\b|ArrayLike")
SHAPE = re.compile(
    r"\(\s*[\w…*+\-/^ ]+,(?:\s*[\w…*+\-/^ ]+,?)*\s*\)|\(…\)|\bshape|element.?wise|\bscalar", re.IGNORECASE
)
NOT_OURS = ("reset", "step", "step_async", "step_wait", "render")  # documented by the API that asks for them


def test_public_functions_say_the_shapes_of_their_arrays() -> None:
    silent = [name for name, function in sorted(functions()) if takes_arrays(function) and not says(function)]
    assert silent == []


def test_a_silent_function_is_found() -> None:
    def silent(x: FloatArray) -> FloatArray:  # noqa: F821  (never called)
        """Twice x."""

    def said(x: FloatArray) -> FloatArray:  # noqa: F821
        """Twice x, (rows, columns)."""

    assert takes_arrays(silent)
    assert not says(silent)
    assert says(said)


def functions() -> Iterator[tuple[str, Any]]:
    """Public functions, methods and properties that are written in our packages, by their full name."""
    for package in (mmwave_gym, mmwave_baselines):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if found.name.rpartition(".")[2].startswith("__"):
                continue
            module = importlib.import_module(found.name)
            for name, value in vars(module).items():
                if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
                    continue
                if inspect.isfunction(value):
                    yield f"{module.__name__}.{name}", value
                elif inspect.isclass(value):
                    yield from methods(f"{module.__name__}.{name}", value)


def methods(prefix: str, kind: type) -> Iterator[tuple[str, Any]]:
    for name, value in vars(kind).items():
        if name.startswith("_") or name in NOT_OURS:
            continue
        function = getattr(value, "fget", None) or getattr(value, "func", None) or getattr(value, "__func__", value)
        if inspect.isfunction(function):
            # getdoc of the attribute follows overridden methods, which that of the function cannot.
            function.inherited_doc = inspect.getdoc(getattr(kind, name, value)) or ""
            yield f"{prefix}.{name}", function


def takes_arrays(function: Any) -> bool:
    return any(ARRAYS.search(str(annotation)) for annotation in getattr(function, "__annotations__", {}).values())


def says(function: Any) -> bool:
    return bool(SHAPE.search(getattr(function, "inherited_doc", "") or inspect.getdoc(function) or ""))
