"""What a scenario's room says of training: an entry point of the group `mmwave_gym.training`, named like the room.

    [project.entry-points."mmwave_gym.training"]
    relay = "their_package.training:RECIPE"

A scenario without one trains with the defaults of the scripts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mmwave_gym.core import rooms

GROUP = "mmwave_gym.training"

Presets = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""Script -> task, or "" for every task of the scenario -> arguments. What a task says comes before what all say."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How a scenario is trained in."""

    presets: Presets = field(default_factory=dict)
    potential: Callable[[Any], Any] | None = None
    """`f(ScenarioVecEnv) -> Potential or None`: how drawn episodes are solved in hindsight, see `training.shaping`."""
    credit: str | None = None
    """Turn-based scenarios: the metric of a step that says what the same agent's decision before it was worth."""
    a3c: str | None = None
    """"module:Class" of the `a3c.Worlds` in which A3C learns; it is imported when A3C is trained."""
    tuning_episodes: Mapping[str, int] = field(default_factory=dict)
    """Task -> training episodes for each setting of a rule, where one takes a hundredth of a second or more."""


def recipe(scenario: str) -> Recipe:
    """The recipe of a scenario, an empty one where nobody wrote any. Raises ValueError where it cannot be loaded."""
    point = rooms.points(GROUP, "recipe").get(scenario)
    if point is None:
        return Recipe()
    try:
        found = point.load()
        if not isinstance(found, Recipe):
            raise TypeError(f"a Recipe is needed, got {type(found).__name__}")
    except rooms.BROKEN as error:
        raise ValueError(f"the recipe of {scenario} ({point.value}) cannot be loaded: {rooms.why(error)}.") from error
    return found


def preset(script: str, scenario: str, task: str) -> dict[str, Any]:
    """The arguments that a script begins with for a task of a scenario; both may be unknown or empty."""
    found = recipe(scenario).presets.get(script, {})
    return {**found.get("", {}), **(found.get(task, {}) if task else {})}


def credit_metric(scenario: Any) -> str | None:
    """The metric by which decisions of a turn-based scenario can be credited agent by agent, or None."""
    name = recipe(scenario.name).credit
    return name if scenario.turn_based and any(m.name == name for m in scenario.metrics) else None
