"""The tasks of shared streets: what the suite measures, from which floor up."""

from __future__ import annotations

from mmwave_gym.benchmark.task import Task

TASKS: tuple[Task, ...] = ()
