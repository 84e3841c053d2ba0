"""Agents that are not shipped play in a process of their own: `docs/foreign_agents.md` says how, and what it costs.

The evaluation asks a `proxy.Supervised`, an agent like any other. It speaks over a `wire` with the `child` process in
which the agent lives. The `keeper` process stands between them: it starts agents, watches them and ends them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmwave_gym.agents.loading import load_agent
from mmwave_gym.agents.registry import is_shipped
from mmwave_gym.agents.supervised.limits import USUAL, Limits
from mmwave_gym.agents.supervised.proxy import Supervised, runs_of

__all__ = ["USUAL", "Limits", "Supervised", "playing", "runs_of"]


@contextlib.contextmanager
def playing(
    agent: Any, scenario: str | None = None, task: Any = None, *, trusted: bool = False, limits: Limits = USUAL
) -> Iterator[Any]:
    """The agent to play with, as long as the block runs: supervised where it is named and not shipped.

    agent: as for `load_agent`. An object plays in this process, as shipped agents and `trusted` ones do. Raises
    AgentError.
    """
    if trusted or not isinstance(agent, str | Path) or is_shipped(str(agent), scenario):
        yield load_agent(agent, scenario, task)
        return
    with Supervised(agent, scenario, task, limits) as supervised:
        yield supervised
