"""`mmwave-gym train`: train an agent with an installed algorithm.

An algorithm is an entry point of the group `mmwave_gym.algorithms`: its name, and a function of the words behind it.

    [project.entry-points."mmwave_gym.algorithms"]
    reinforce = "their_package.reinforce:run"
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import entry_points

import typer

from mmwave_gym.core.checks import unknown

GROUP = "mmwave_gym.algorithms"
FORWARD = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
"""Every word behind the algorithm is the algorithm's, `--help` too."""
EXTRAS = {
    **dict.fromkeys(("torch", "stable_baselines3", "sb3_contrib", "tensorboard"), "train"),
    **dict.fromkeys(("numba", "sklearn"), "train,baselines"),
}
"""Module -> the extras that bring it."""


def train(context: typer.Context) -> None:
    """Train an agent: mmwave-gym train ppo --task handover/a1-beta25; every algorithm has its own --help."""
    words = context.args
    if not words or words[0] in ("--help", "-h"):
        known = ", ".join(sorted(e.name for e in entry_points(group=GROUP)))
        print(f"usage: mmwave-gym train ALGORITHM …\n\nalgorithms: {known}")
        return
    run_algorithm(words[0], words[1:])


def run_algorithm(name: str, words: Sequence[str]) -> None:
    """Run an algorithm, loaded only now, with the words behind its name.

    Raises ValueError for an unknown name, ImportError that names the extra where an optional library is missing.
    """
    known = {e.name: e for e in entry_points(group=GROUP)}
    plain = name.replace("-", "_")
    found = known.get(name) or known.get(plain)
    if found is None:
        raise ValueError(unknown("algorithm", name, sorted(known)))
    try:
        found.load()(list(words))
    except ImportError as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        raise ImportError(
            f"training needs {error.name}: pip install 'mmwave-gym[{extra}]'.", name=error.name
        ) from error
