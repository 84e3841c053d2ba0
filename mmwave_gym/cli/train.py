"""`mmwave-gym train`: train an agent with an installed algorithm."""

from __future__ import annotations

import difflib
from importlib.metadata import entry_points

import typer

GROUP = "mmwave_gym.algorithms"
FORWARD = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
"""Every word behind the algorithm is the algorithm's, `--help` too."""


def train(context: typer.Context) -> None:
    """Train an agent: mmwave-gym train ppo --task handover/a1-beta25; every algorithm has its own --help."""
    known = {e.name: e for e in entry_points(group=GROUP)}
    words = context.args
    if not words or words[0] in ("--help", "-h"):
        print("usage: mmwave-gym train ALGORITHM …\n\nalgorithms: " + ", ".join(sorted(known)))
        return
    name = words[0].replace("-", "_")
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"unknown algorithm {words[0]!r}.{hint} Known are {', '.join(sorted(known))}.")
    known[name].load()(words[1:])
