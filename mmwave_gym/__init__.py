"""Gymnasium and PettingZoo environments for mobility and resource control in mmWave cellular networks.

Importing this package registers the environments with Gymnasium:

    import gymnasium as gym, mmwave_gym
    env = gym.make("MmwaveHandover-v0", beta=25.0)

`tasks()`, `agents()` and `evaluate()` are the benchmark; they load on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from mmwave_gym.core.registration import register
from mmwave_gym.version import __version__

if TYPE_CHECKING:
    from mmwave_gym.agents.registry import agents
    from mmwave_gym.benchmark.evaluation import evaluate
    from mmwave_gym.benchmark.suite import tasks
    from mmwave_gym.benchmark.task import Task

__all__ = ["Task", "__version__", "agents", "evaluate", "register", "tasks"]

_LAZY = {
    "Task": "mmwave_gym.benchmark.task",
    "tasks": "mmwave_gym.benchmark.suite",
    "agents": "mmwave_gym.agents.registry",
    "evaluate": "mmwave_gym.benchmark.evaluation",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'mmwave_gym' has no attribute {name!r}")


register()
