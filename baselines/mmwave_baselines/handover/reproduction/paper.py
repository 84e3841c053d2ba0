"""The reproduction of arXiv 1801.02077: what is computed for Table I, Figs. 8 to 10 and every claim.

    mmwave-gym reproduce handover --out runs/handover [--quick]

Learning is the exact simulation of `a3c`. A world is three rooms with cells and maps of their own; the paper's 100
runs are 100 worlds, its 500 test runs are five UEs that arrive in each of them. All methods meet the same UEs. The
paper's values stand in `claims.json` beside this file; its figures' values are in no text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from mmwave_baselines.handover.reproduction import clusters, runs
from mmwave_baselines.handover.reproduction.claims import judge
from mmwave_baselines.handover.reproduction.page import page
from mmwave_baselines.handover.reproduction.plan import TRADEOFF_WORLDS, chunks
from mmwave_gym.benchmark.reproduction import Claim, Results, Table
from mmwave_gym.benchmark.runs import Job


class HandoverReproduction:
    """What `mmwave_gym.benchmark.reproduction.Reproduction` asks for."""

    title = (
        "Z. Wang, L. Li, Y. Xu, H. Tian, S. Cui, Handover control in wireless systems via asynchronous multi-user "
        "deep reinforcement learning"
    )
    budget_s = 720.0

    def jobs(self, quick: bool) -> list[Job]:
        """None: a run trains networks and tests them on new UEs of the same rooms, in compiled code."""
        return []

    def analyses(self, quick: bool) -> Mapping[str, Callable[[], Table]]:
        """All tables. Quick: four worlds, few runs of Table I, three numbers of UEs."""
        plan: dict[str, Callable[[], Table]] = {
            f"clusters-{name}": partial(clusters.index_table, name, quick) for name in clusters.CONVENTIONS
        }
        plan |= {
            name: partial(runs.worlds_table, worlds, TRADEOFF_WORLDS[quick]) for name, worlds in chunks(quick).items()
        }
        plan |= {f"speed-{name}": partial(runs.speed_table, name, quick) for name in runs.SPEEDS}
        return plan

    def claims(self, results: Results) -> list[Claim]:
        return judge(results)

    def figures(self, results: Results, directory: Path) -> None:
        from mmwave_baselines.handover.reproduction.figures import draw  # matplotlib is in an extra

        draw(results, directory)

    def page(self, results: Results, claims: Sequence[Claim], figures: str) -> str:
        return page(results, claims, figures)
