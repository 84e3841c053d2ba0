"""How agents are found: by name, by `package:Class`, by file, or as an object.

Names come from entry points of the group `mmwave_gym.agents`, called `<scenario>/<agent>`, so another package adds
agents by installing.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from mmwave_gym.agents.formats import format_of
from mmwave_gym.agents.protocol import AgentError, UnknownAgent
from mmwave_gym.core import rooms
from mmwave_gym.core.checks import unknown

GROUP = "mmwave_gym.agents"


@lru_cache(maxsize=1)
def _found() -> dict[str, EntryPoint]:
    found = rooms.points(GROUP, "agent")
    for name, point in found.items():
        if not all(name.partition("/")):
            rooms.leave_out(f"the agent {name}", point, ValueError("its name must be '<scenario>/<agent>'"))
    return {name: point for name, point in sorted(found.items()) if all(name.partition("/"))}


def is_file(agent: str) -> bool:
    """Does this text name the file of a policy, or the folder of a checkpoint?"""
    return format_of(agent) is not None


def agents(scenario: str | None = None) -> list[str]:
    """Names of the agents found: "random", … of a scenario, or "relay/random", … of all. ValueError: unknown one."""
    if scenario is None:
        return list(_found())
    rooms.room(scenario)
    return [name.split("/", 1)[1] for name in _found() if name.split("/", 1)[0] == scenario]


def training_seeds(agent: str, scenario: str, task: Any = None) -> tuple[int | None, ...]:
    """The training seeds that a named agent ships for a task, (None,) for one that is not trained."""
    if ":" in agent or "@" in agent or is_file(agent):
        return (None,)
    seeds = getattr(named(agent, scenario), "training_seeds", None)
    found = seeds(task) if callable(seeds) else seeds
    return tuple(found) if found else (None,)


def is_shipped(agent: str, scenario: str | None = None) -> bool:
    """Does a text name an agent of this distribution, or none at all? Nothing is loaded to find out.

    Files, "package:Class" and the agents of other installed packages are not shipped.
    """
    if ":" in agent or is_file(agent):
        return False
    point = _found().get(_full(agent.partition("@")[0], scenario))
    return point is None or rooms.package_of(point) == rooms.OURS


def module_of(agent: str, scenario: str) -> set[str]:
    """The module that a name or "package:Class" stands in, none for a file."""
    if is_file(agent):
        return set()
    if ":" in agent:
        module = agent.partition(":")[0]
        return {Path(module).stem if module.endswith(".py") else module}
    point = _found().get(_full(agent, scenario))
    return {point.module} if point else set()


def _full(name: str, scenario: str | None) -> str:
    """ "<scenario>/<agent>" of a name; the first scenario that has one where none is given."""
    if "/" not in name and scenario is None:
        return next((full for full in _found() if full.split("/", 1)[1] == name), name)
    return name if "/" in name else f"{scenario}/{name}"


def named(name: str, scenario: str | None) -> Any:
    full, found = _full(name, scenario), _found()
    if full not in found:
        if Path(name).is_dir():
            raise AgentError(f"{name} is a folder, not an agent: name the policy in it, such as {name}/policy.npz.")
        if name.endswith(".py"):
            raise UnknownAgent(f"{name} is a source file: name the class in it too, as in {name}:MyAgent.")
        known = list(found) if scenario is None or "/" in name else agents(scenario)
        what = f"{scenario} agent" if scenario else "agent"
        elsewhere = [place for place, _, agent in (other.partition("/") for other in found) if agent == name]
        plays = f" {name} plays {', '.join(elsewhere)}." if elsewhere else ""
        module, dot, attribute = name.rpartition(".")
        colon = f" For a class of a module write {module}:{attribute}." if dot else ""
        others = f"Others: 'package:Class' or a file.{colon}"
        new = "A new line of a package's pyproject.toml counts once the package is installed again."
        raise AgentError(f"{unknown(what, name, known)}{plays} {others} {new}")
    try:
        return found[full].load()
    except rooms.BROKEN as error:
        reason = rooms.why(error)
        raise AgentError(f"the agent {full!r} ({found[full].value}) cannot be loaded: {reason}.") from error


def policy_class(name: str) -> Any:
    """The class that plays the networks of an installed, shipped agent, "<scenario>/<agent>"."""
    kind = getattr(named(name, None), "kind", None)
    if not isinstance(kind, type):
        raise AgentError(f"the agent {name!r} has no networks.")
    return kind
