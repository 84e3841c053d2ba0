"""A3C in the paper's world (arXiv 1801.02077): python -m train.a3c MmwaveHandover-v0 --mode stable

UEs of the paper's areas are observed and clustered by how they move; those of the cluster in which the task's area
is share a parameter server, begin by imitation of event A3, and learn by A3C with an LSTM.

* `--simulate` (default) plays asynchrony in a fixed order: the same command gives the same weights.
* `--async --workers N`: processes that share the parameters and update them without locks (`a3c_workers`).

`training.a3c_server` has the modes, `mmwave_baselines.handover.a3c` the learner.

Where an interruption takes several slots, what follows depends on the actions. There UEs play the environment side by
side (`training.a3c_side_by_side`).
"""

from __future__ import annotations

from typing import Any, ClassVar

from mmwave_baselines.handover.traces import AREAS
from mmwave_baselines.handover.training import a3c_workers
from mmwave_baselines.handover.training.a3c_paper import PaperWorlds, simulate
from mmwave_baselines.training.a3c import A3c, A3cRun, Worlds
from mmwave_baselines.training.a3c_side_by_side import SideBySide
from mmwave_gym.benchmark.task import Task


class Handover:
    """Chooses the worlds of a task."""

    @classmethod
    def of(cls, args: A3c, task: Task) -> Worlds:
        return _kind(task).of(args, task)

    @staticmethod
    def check(args: A3c, task: Task) -> None:
        """ValueError where the worlds of the task refuse it or the arguments."""
        _kind(task).check(args, task)


def _kind(task: Task) -> type[Interrupted] | type[Paper]:
    names = {f.name for f in task.scenario().fields}
    return Interrupted if names == set(Interrupted.seen) else Paper


class Interrupted(SideBySide):
    """A task whose handovers take more than a slot, as the network sees it."""

    seen: ClassVar = {"rsrq_db": (-20.0, 10.0), "serving": (0.0, 1.0), "interruption_left_s": (0.0, 0.1)}
    step = "step_s"


class Paper(PaperWorlds):
    """The worlds of the paper's areas, where UEs may be simulated or run in processes of their own."""

    @classmethod
    def of(cls, args: A3c, task: Task) -> Paper:
        return cls(task, args.seed, args.encoder, args.units)

    @staticmethod
    def check(args: A3c, task: Task) -> None:
        """ValueError where the task shows more than the paper's world, or there are too few UEs to be clustered."""
        scenario = task.scenario()
        if [f.name for f in scenario.fields] != ["rsrq_db", "serving"] or scenario.masked:
            raise ValueError(
                f"train.a3c needs RSRQ and the serving cell alone, as in the paper's world, not {task.name}."
            )
        if args.cluster and args.ues * len(AREAS) < 4:
            raise ValueError(f"--ues must be at least 2 to be clustered, got {args.ues}.")

    def learn(self, run: A3cRun[Any]) -> None:
        """Learn until `--steps`, asynchrony simulated or real."""
        (simulate if run.args.simulate else a3c_workers.learn)(run)
