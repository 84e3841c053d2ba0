"""Data sets: `export("a3", task, 64, "mmwave/mine-v0")`, `task_of(data)`; needs `pip install 'mmwave-gym[minari]'`."""

from mmwave_gym.core.errors import needs

try:
    from mmwave_gym.benchmark.datasets import export, sets, task_of, told_of
except ImportError as error:
    raise needs(__name__, "minari", error) from error

__all__ = ["export", "sets", "task_of", "told_of"]
