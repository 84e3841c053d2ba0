"""Rows that nobody played: headers, values and a small suite of agents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mmwave_gym.benchmark.leaderboard import Ceiling, Leaderboard, RowWriter, Run, row_path
from mmwave_gym.benchmark.leaderboard.site import pages
from mmwave_gym.benchmark.statistics import Sample

METRICS = {"reward": "1/slot", "handovers_per_s": "1/s"}


def header(agent: str = "a3", seed: int | None = None, task: str = "handover/a1", **changes: Any) -> dict[str, Any]:
    """A header; keys of the task or of the agent can be changed by name."""
    task_part = {
        "name": task, "version": 1, "hash": "abc", "description": "One UE among small cells.",
        "env_id": "MmwaveHandover-v0", "kwargs": {"beta": 25.0}, "warmup_steps": 10, "scored_steps": 20,
        "episodes": 8, "primary": "reward", "higher_is_better": True, "floor": "random", "ceiling": "oracle",
        "reference": "a3",
    }  # fmt: skip
    access = "hindsight" if agent == "oracle" else "local"
    agent_part = {
        "name": agent, "training_seed": seed, "access": access, "label": agent.upper(),
        "kind": "rule" if seed is None else "learned", "config": {"hysteresis_db": 2.0}, "weights_sha256": None,
    }  # fmt: skip
    result = {
        "format": 1, "task": task_part, "package_version": "0.1.0", "agent": agent_part, "metrics": METRICS,
        "command": f"mmwave-gym evaluate {agent} --task {task}", "created": "2026-11-22T02:30:00Z",
    }  # fmt: skip
    for key, value in changes.items():
        part = task_part if key in task_part else agent_part if key in agent_part else result
        part[key] = value
    return result


def rows(values: Any, start: int = 0) -> list[dict[str, Any]]:
    fixed = {"interactions": 30, "scored_steps": 20, "warmup_reward": 0.0, "handovers_per_s": 0.5}
    return [{"episode": e, **fixed, "reward": v} for e, v in enumerate(map(float, values), start)]


def run(agent: str, values: Any, seed: int | None = None, **changes: Any) -> Run:
    return Run(header(agent, seed, **changes), tuple(rows(values)))


def ceiling(values: Any, **changes: Any) -> Ceiling:
    """A stored ceiling of the task of `header`: by default the oracle's, exact in every episode."""
    about = {
        "task": "handover/a1", "name": "oracle", "level": "hindsight", "kind": "hindsight-exact", "per_episode": True,
        "agents": ("oracle",), "command": "mmwave-gym bound handover/a1", "created": "2026-11-22T02:30:00Z",
        "made_for": {"task": "abc", "version": 1, "physics": {}},
    }  # fmt: skip
    return Ceiling(**{**about, **changes}, sample=Sample.of([dict(enumerate(map(float, values)))]))


def save(directory: Path, agent: str, values: Any, seed: int | None = None, **changes: Any) -> Path:
    head = header(agent, seed, **changes)
    path = row_path(directory, head["task"]["name"], agent, seed)
    with RowWriter.open(path, head) as writer:
        writer.append(rows(values))
    return path


def suite(rng: np.random.Generator, episodes: int = 40) -> list[Run]:
    """Floor, reference, a better agent and the ceiling on worlds that differ a lot and are shared."""
    world = rng.normal(20, 5, episodes)
    noise = rng.normal(0, 0.2, (3, episodes))
    return [
        run("random", world - 10 + noise[0]),
        run("a3", world + noise[1]),
        run("ucb", world + 0.5 + noise[2]),
        run("oracle", world + 3),
    ]


def page_html(board: Leaderboard) -> str:
    """All pages of a board, one after the other."""
    return "\n".join(text for name, text in pages(board).items() if name.endswith(".html"))
