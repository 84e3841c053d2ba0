"""Public functions say the shapes and units of their arrays; a method may leave that to the one that it overrides."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
from array_law import arrays_of, complaints

import mmwave_baselines
import mmwave_gym
import train

GYMNASIUM, SB3 = (
    ("reset", "step", "step_async", "step_wait", "render"),
    ("forward", "evaluate_actions", "get_distribution"),
)
NOT_OURS = GYMNASIUM + SB3  # documented by the libraries that ask for them
NDArray = Float64Array = Int64Array = "the annotations of the samples are texts"


def test_public_functions_say_the_shapes_and_units_of_their_arrays() -> None:
    found = {name: complaints(*parts) for name, parts in sorted(functions().items())}
    assert sum(bool(arrays_of(function)) for function, _, _ in functions().values()) > 500, "the walk sees functions"
    assert {name: missed for name, missed in found.items() if missed} == {}


@pytest.mark.parametrize(
    ("text", "missed"),
    [
        ("Loss (links,) in dB at distances (links,).", []),
        ("Loss in dB at a distance, element-wise.", []),
        ("Loss in dB. Both arrays are (links,). Returns (links,).", []),
        ("Loss in dB (links,) far away.", ["distance_m: shape"]),
        ("Loss in dB at distances (links,), and another sentence. It is large.", []),
        ("Loss in dB at a distance.", ["distance_m: shape", "return: shape"]),
        ("Loss (links,) at distances (links,).", ["return: unit"]),
        ("Loss (in short) in dB at distances (in metres).", ["distance_m: shape", "return: shape"]),
        ("", ["distance_m: shape", "return: shape", "return: unit"]),
    ],
)
def test_what_a_text_misses_is_found(text: str, missed: list[str]) -> None:
    def loss(distance_m: Float64Array, exponent: float) -> Float64Array: ...

    assert complaints(loss, text or " ") == missed


@pytest.mark.parametrize(
    ("text", "missed"),
    [
        ("Best cells (ue,) by level (ue, cell) in dBm.", []),
        ("Best cells (ue,) by level (ue, cell).", ["level: unit"]),
        ("Best cells (ue,). Levels are in dBm.", ["level: shape"]),
        ("Best cells by level (ue, cell) in dBm; `sinr_db` says more.", ["sinr_db: shape"]),
    ],
)
def test_parameters_without_a_unit_in_their_name_need_a_word(text: str, missed: list[str]) -> None:
    def best(level: NDArray[Any]) -> Int64Array: ...

    def any_best(level: NDArray[Any], sinr_db: Any, other: Any) -> Int64Array: ...

    function = any_best if "sinr_db" in text else best
    assert complaints(function, text) == missed


def test_the_text_of_the_class_may_name_a_parameter() -> None:
    def best(level: NDArray[Any]) -> Int64Array: ...

    assert complaints(best, "The best cells (ue,).", "level (ue, cell): of every cell, in dBm.") == []
    assert complaints(best, "The best cells (ue,).", "Rules.") == ["level: shape", "level: unit"]


OF_OTHER_LIBRARIES = {f"mmwave_gym.{place}{name}" for place in ("", "api.") for name in ("rllib", "benchmarl")}
"""Need what only environments of `make clients` have."""


def functions() -> dict[str, tuple[Any, str, str]]:
    """Public functions, methods and properties of our packages by their full name, with their text and their class's.

    Public methods of private classes count. So do functions that numba compiles.
    """
    found = {}
    for package in (mmwave_gym, mmwave_baselines, train):
        for at in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if at.name.rpartition(".")[2].startswith("__"):
                continue
            try:
                module = importlib.import_module(at.name)
            except ModuleNotFoundError:
                if at.name not in OF_OTHER_LIBRARIES:
                    raise
                continue
            for name, value in vars(module).items():
                function = getattr(value, "py_func", value)
                if getattr(function, "__module__", None) != module.__name__:
                    continue
                if inspect.isclass(value):
                    found.update(methods(f"{module.__name__}.{name}", value))
                elif inspect.isfunction(function) and not name.startswith("_"):
                    found[f"{module.__name__}.{name}"] = (function, inspect.getdoc(function) or " ", "")
    return found


def methods(prefix: str, kind: type) -> Iterator[tuple[str, tuple[Any, str, str]]]:
    about = inspect.getdoc(kind) or ""
    for name, value in vars(kind).items():
        if name.startswith("_") or name in NOT_OURS:
            continue
        function = getattr(value, "fget", None) or getattr(value, "func", None) or getattr(value, "__func__", value)
        if inspect.isfunction(function):
            # getdoc of the attribute follows overridden methods, which that of the function cannot.
            yield f"{prefix}.{name}", (function, inspect.getdoc(getattr(kind, name, value)) or " ", about)
