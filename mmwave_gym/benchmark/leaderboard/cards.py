"""A model card: what is told of an agent on its page beside its rows.

Rows do not know it, so whoever has the agent fills it in: `mmwave_gym.benchmark.describing`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mmwave_gym.benchmark.leaderboard.curves import Curves


@dataclass(frozen=True)
class Card:
    """One agent of a scenario.

    about: paragraphs, from the docstring of its class. source: where its code is, "module:Class". networks: a line for
    each network that it plays with, and where. trained_by: (task, command)
    of the first seed of each. learned: (task, learning curves of all its seeds).
    """

    about: tuple[str, ...] = ()
    source: str = ""
    networks: tuple[str, ...] = ()
    trained_by: tuple[tuple[str, str], ...] = ()
    learned: tuple[tuple[str, Curves], ...] = ()


Cards = Mapping[tuple[str, str], Card]
"""By scenario and agent."""
