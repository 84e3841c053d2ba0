"""`mmwave-gym train`: train an agent with an installed algorithm.

An algorithm is an entry point of the group `mmwave_gym.algorithms`: its name, and a function of the words behind it.

    [project.entry-points."mmwave_gym.algorithms"]
    reinforce = "their_package.reinforce:run"
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import EntryPoint
from typing import Any

import typer

from mmwave_gym.core import rooms
from mmwave_gym.core.checks import unknown
from mmwave_gym.core.errors import extra_of

GROUP = "mmwave_gym.algorithms"
FORWARD = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
"""Every word behind the algorithm is the algorithm's, `--help` too."""


def train(context: typer.Context) -> None:
    """Train an agent: mmwave-gym train ppo --task TASK; every algorithm has its own --help."""
    words = context.args
    if not words or words[0] in ("--help", "-h"):
        known = ", ".join(sorted(rooms.points(GROUP, "algorithm")))
        print(f"usage: mmwave-gym train ALGORITHM …\n\nalgorithms: {known}")
        return
    run_algorithm(words[0], words[1:])


def run_algorithm(name: str, words: Sequence[str]) -> None:
    """Run an algorithm, loaded only now, with the words behind its name.

    Raises ValueError for an unknown name and for one that cannot be loaded, ImportError that names the extras where
    an optional library is missing.
    """
    known = rooms.points(GROUP, "algorithm")
    plain = name.replace("-", "_")
    found = known.get(name) or known.get(plain)
    if found is None:
        raise ValueError(unknown("algorithm", name, sorted(known)))
    try:
        _function(found)(list(words))
    except ImportError as error:
        if (extra := extra_of(error)) is None:
            raise
        extras = ",".join(dict.fromkeys(("train", extra)))
        raise ImportError(
            f"training needs {error.name}: pip install 'mmwave-gym[{extras}]'.", name=error.name
        ) from error


def _function(found: EntryPoint) -> Callable[[list[str]], Any]:
    try:
        loaded = found.load()
        if not callable(loaded):
            raise TypeError(f"a function of words is needed, got {type(loaded).__name__}")
    except ImportError:
        raise
    except rooms.BROKEN as error:
        raise ValueError(
            f"the algorithm {found.name!r} ({found.value}) cannot be loaded: {rooms.why(error)}."
        ) from error
    return loaded
