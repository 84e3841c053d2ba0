"""Gymnasium and PettingZoo environments for mobility and resource control in mmWave cellular networks.

Importing this package registers the environments with Gymnasium:

    import gymnasium as gym, mmwave_gym
    env = gym.make("MmwaveHandover-v0", beta=25.0)

`tasks()`, `agents()` and `evaluate()` are the benchmark; they load on first use.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

from mmwave_gym.core.errors import error_text
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
    if not name.startswith("_") and name in _modules():
        try:
            return importlib.import_module(f"mmwave_gym.{name}")
        except ImportError as error:  # `inspect` asks for every name, and goes on after AttributeError only
            raise AttributeError(f"mmwave_gym.{name} cannot be imported here: {error_text(error)}") from error
    raise AttributeError(f"module 'mmwave_gym' has no attribute {name!r}")


def _modules() -> set[str]:
    """Public modules: PettingZoo's of every environment (`street_v1`), and those for other libraries (`sb3`)."""
    return {found.name for found in pkgutil.iter_modules(__path__) if not found.ispkg} - {"version"}


def __dir__() -> list[str]:
    return sorted({*__all__, *_modules(), *(name for name in globals() if name.startswith("__"))})


register()
