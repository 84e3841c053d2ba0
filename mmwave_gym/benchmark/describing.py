"""What agents are, for their pages on the board: text, source, networks, training commands and learning curves."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from mmwave_gym.agents.loading import load_agent
from mmwave_gym.agents.protocol import AgentError
from mmwave_gym.agents.registry import is_shipped, module_of, named
from mmwave_gym.benchmark import suite
from mmwave_gym.benchmark.leaderboard.cards import Card, Cards
from mmwave_gym.benchmark.leaderboard.curves import Curves, curves
from mmwave_gym.benchmark.leaderboard.entries import Entry, Leaderboard


def cards(board: Leaderboard) -> Cards:
    """A card for each agent of the board that this distribution ships; others are not loaded to be described."""
    found: dict[tuple[str, str], list[tuple[str, Entry]]] = defaultdict(list)
    for task in board.tasks:
        for entry in task.entries:
            found[task.scenario, entry.agent].append((task.name, entry))
    made = {}
    for (scenario, agent), entries in found.items():
        if is_shipped(agent, scenario):
            try:
                made[scenario, agent] = _card(scenario, agent, entries)
            except AgentError:  # rows of an agent that is no longer there, or that cannot be loaded here
                continue
    return made


def _card(scenario: str, agent: str, entries: Iterable[tuple[str, Entry]]) -> Card:
    found = named(agent, scenario)
    networks: dict[str, list[str]] = {}
    commands: list[tuple[str, str]] = []
    learned: list[tuple[str, Curves]] = []
    for task, entry in entries:
        seeds = [run.agent["training_seed"] for run in entry.runs if run.agent["training_seed"] is not None]
        each = [_metadata(f"{agent}@{seed}", scenario, task) for seed in sorted(seeds)]
        metadata = each[0] if each else None
        if (of := curves([one or {} for one in each])) is not None:
            learned.append((task, of))
        if metadata is not None:
            networks.setdefault(_network(metadata), []).append(task.partition("/")[2])
            commands += [(task, str(metadata["command"]))] if metadata.get("command") else []
    lines = (f"{what} ({', '.join(where)})" for what, where in networks.items() if what)
    kind = found if isinstance(found, type) else type(found)
    text = found.__doc__ if found.__doc__ != kind.__doc__ or isinstance(found, type) else ""
    return Card(
        tuple(" ".join(part.split()) for part in inspect.cleandoc(text or "").split("\n\n") if part.strip()),
        ", ".join(sorted(module_of(agent, scenario))) + (f":{kind.__name__}" if isinstance(found, type) else ""),
        tuple(lines),
        tuple(commands),
        tuple(learned),
    )


def _metadata(spec: str, scenario: str, task: str) -> Any:
    """The metadata of the network that an agent plays a task with, None where it has none."""
    try:
        return getattr(load_agent(spec, scenario, suite.task(task)), "metadata", None)
    except (AgentError, ValueError):
        return None


def _network(metadata: Any) -> str:
    """A network in one line."""
    network = metadata.get("network") or {}
    if "sizes" in network:
        shape = f"layers of {'-'.join(map(str, network['sizes']))}, {network.get('activation')}"
        shape += ", and a linear path beside them" if network.get("skip") else ""
    elif network.get("over") == "choices":
        hidden = "-".join(map(str, network.get("hidden", ())))
        shape = f"one network that rates every choice, hidden layers of {hidden}, {network.get('activation')}"
    elif "recurrent" in network:
        shape = (
            f"{str(network['recurrent']).upper()}, encoder of {network.get('encoder')}, {network.get('units')} units"
        )
    else:
        return ""
    frames = metadata.get("frame_stack") or 1
    seen = f", reads the last {frames} observations" if frames > 1 else ""
    return f"{metadata.get('algorithm', 'network')}: {shape}{seen}"
