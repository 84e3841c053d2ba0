"""Which modules the reference has: all public ones of both packages, a page for each subpackage."""

from __future__ import annotations

import inspect
import pkgutil
import sys
from collections.abc import Iterator

import mmwave_baselines
import mmwave_gym

PACKAGES = (mmwave_gym, mmwave_baselines)
GROUPS = {
    "mmwave_gym": "The package itself, and names of environments for PettingZoo.",
    "mmwave_gym.agents": "What an agent is, how it is found and loaded, rules and policies.",
    "mmwave_gym.api": "Gymnasium, PettingZoo, Stable-Baselines3, and the checks of every scenario.",
    "mmwave_gym.benchmark": "Tasks, evaluation, statistics, rows, the board, reproductions.",
    "mmwave_gym.cli": "One module a command.",
    "mmwave_gym.core": "What a scenario and a room are, the batch, ranges of keywords, errors.",
    "mmwave_gym.links": "Link matrices and their files.",
    "mmwave_gym.radio": "Propagation, noise, units.",
    "mmwave_gym.rendering": "Drawing.",
    "mmwave_gym.scenarios": "The physics of the six scenarios.",
    "mmwave_gym.sources": "Readers of other people's data.",
    "mmwave_baselines": "Pictures, forecasts and weights that all scenarios share.",
    "mmwave_baselines.association": "Agents, bounds and reproduction of association.",
    "mmwave_baselines.cell_selection": "Agents, bounds and reproduction of cell selection.",
    "mmwave_baselines.handover": "Agents, bounds and reproduction of handover.",
    "mmwave_baselines.power_allocation": "Agents, bounds and reproduction of power allocation.",
    "mmwave_baselines.shared_street": "Agents and bounds of streets whose cells many UEs share.",
    "mmwave_baselines.street": "Agents and bounds of streets.",
    "mmwave_baselines.reproduction": "What reproductions share.",
    "mmwave_baselines.training": "The algorithms of `mmwave-gym train`.",
}
"""Prefix of modules -> what they are."""


def names() -> Iterator[str]:
    """The full names of all modules but private ones."""
    for package in PACKAGES:
        yield package.__name__
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not any(part.startswith("_") for part in found.name.split(".")) and ".templates" not in found.name:
                yield found.name


def public_names() -> Iterator[str]:
    """The full names of all public classes and functions that modules define."""
    for module_name in names():
        module = sys.modules.get(module_name)
        if module is None:  # not imported by autodoc: it lacks its library
            continue
        told = getattr(module, "__all__", None) or vars(module)
        for name, value in vars(module).items():
            ours = name in told and not name.startswith("_") and getattr(value, "__module__", None) == module_name
            if ours and (inspect.isclass(value) or inspect.isfunction(value)):
                yield f"{module_name}.{name}"


def group_of(module: str) -> str:
    """The longest prefix among the groups."""
    return max((g for g in GROUPS if module == g or module.startswith(f"{g}.")), key=len)


def pages() -> dict[str, str]:
    """File stem -> text, of every group that has modules."""
    by_group: dict[str, list[str]] = {}
    for name in names():
        by_group.setdefault(group_of(name), []).append(name)
    return {group: _page(group, found) for group, found in by_group.items()}


def _page(group: str, modules: list[str]) -> str:
    parts = [f"# {group}", GROUPS[group]]
    for module in modules:
        parts.append(f"## {module}\n\n```{{eval-rst}}\n.. automodule:: {module}\n```")
    return "\n\n".join(parts) + "\n"
