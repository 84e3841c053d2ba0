"""Agents: what one is, how it is found, loaded and played. Called, it lists their names:

mmwave_gym.agents("relay")     # names of the agents found: ["random", "strongest", …]
mmwave_gym.agents.check_agent(MyAgent(), "relay/four")
"""

from __future__ import annotations

import sys
from types import ModuleType

from mmwave_gym.agents.contract import check_agent, checks
from mmwave_gym.agents.loading import load_agent
from mmwave_gym.agents.protocol import Agent, AgentError, NotApplicable, RowRng
from mmwave_gym.agents.registry import agents
from mmwave_gym.agents.rule import Rule, Seen
from mmwave_gym.core.batch import View

__all__ = [
    "Agent",
    "AgentError",
    "NotApplicable",
    "RowRng",
    "Rule",
    "Seen",
    "View",
    "agents",
    "check_agent",
    "checks",
    "load_agent",
]


class _Agents(ModuleType):
    """Callable, because `mmwave_gym.agents` is both this package and the function that lists agents."""

    def __call__(self, scenario: str | None = None) -> list[str]:
        return agents(scenario)


sys.modules[__name__].__class__ = _Agents
