"""The reproduction of arXiv 2201.05983: what is played and computed for Table I, Fig. 2 and every claim.

    mmwave-gym reproduce association --out runs/association [--quick]

Played are the product's agents in `MmwaveAssociation-v0`, all in the same worlds; the first 20 s are not scored. The
paper's values stand in `claims.json` beside this file, its lost formulas and numbers are rebuilt as the environment's
and the agents' texts say. SQA's work grows with the square of the number of UEs and with time, so the denser a network,
the fewer seconds and worlds are played.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mmwave_baselines.association import reproduce_search as search
from mmwave_gym.benchmark import Job
from mmwave_gym.reproduction import Claim, Results, Table
from mmwave_gym.suite import Task

NUM_UES = (512, 1024, 1536, 2048)
QUICK_UES = (512, 1024)
FIVE = ("sbh", "rbh", "lbh", "smart", "sqa")
BESIDE = ("rbh-network", "sqa-best", "msr", "rollout", "price", "cover")
SETTLE_S = search.SETTLE_S
_EPOCHS_PER_UE_S = 2.0 / 14.4  # in the paper's geometry a UE has two epochs on a road, which takes it 14.4 s
_LENGTH = {512: (50.0, 4), 1024: (40.0, 3), 1536: (30.0, 3), 2048: (30.0, 3)}  # seconds, worlds
_QUICK_LENGTH = (30.0, 2)

_OTHERS = "mmwave_baselines.association.reproduce_agents"
READINGS: Mapping[str, tuple[str, ...]] = {
    "sbh": ("sbh",),
    "rbh": ("rbh", "rbh-network"),
    "lbh": ("lbh", f"{_OTHERS}:Lbh20"),
    "smart": ("smart",),
    "sqa": ("sqa", "sqa-best"),
}
"""What may stand for each column of Table I in the search."""


@dataclass(frozen=True)
class Setting:
    """A density of Table I."""

    num_ues: int

    def task(self, quick: bool) -> Task:
        """The task that measures it."""
        seconds, worlds = _QUICK_LENGTH if quick else _LENGTH[self.num_ues]
        return Task(
            env_id="MmwaveAssociation-v0",
            name=f"association/table1-{self.num_ues}-{seconds:g}s",
            kwargs={"num_ues": self.num_ues, "duration_s": seconds, "settle_s": SETTLE_S},
            episodes=worlds,
            warmup_steps=round(SETTLE_S * _EPOCHS_PER_UE_S * self.num_ues),
            primary="network_rate_mbps",
        )


def densities(quick: bool) -> tuple[int, ...]:
    """Numbers of UEs that are played."""
    return QUICK_UES if quick else NUM_UES


def search_task(world: search.World, quick: bool) -> Task:
    """The task that measures a world of the search."""
    _, begin, scored = search.calibrated(world)
    scored = scored // 2 if quick else scored
    return Task(
        env_id="MmwaveAssociation-v0",
        name=f"association/search-{world.name}-{scored}",
        kwargs=world.keywords(),
        episodes=1,
        warmup_steps=begin,
        scored_steps=scored,
        primary="network_rate_mbps",
    )


class AssociationReproduction:
    """What `mmwave_gym.reproduction.Reproduction` asks for."""

    title = "W. Ning et al., Sequence Q-Learning Algorithm for Optimal Mobility-Aware User Association"
    budget_s = 900.0

    def jobs(self, quick: bool) -> list[Job]:
        """Every run once, the longest first. Quick: two densities, short, and two worlds of the search."""
        tasks = [Setting(n).task(quick) for n in densities(quick)]
        planners = [(task, agent) for agent in ("sqa", "sqa-best") for task in reversed(tasks)]
        plan = planners + [(task, a) for a in (*FIVE, *BESIDE) for task in tasks if (task, a) not in planners]
        worlds = search.QUICK_WORLDS if quick else search.WORLDS
        for world in worlds:
            readings = [a for column, some in READINGS.items() if column != "sqa" for a in some] + ["msr"]
            if world in search.WITH_SQA:
                readings += READINGS["sqa"][:1] if quick else READINGS["sqa"]
            plan += [(search_task(world, quick), agent) for agent in readings]
        return [Job(task, agent, None, task.episodes) for task, agent in plan]

    def analyses(self, quick: bool) -> Mapping[str, Callable[[], Table]]:
        """Tables that are no scores of whole episodes."""
        from mmwave_baselines.association import reproduce_series as series  # needs numba

        second_by_second = {f"figure2-{n}": partial(series.figure2_table, n, quick) for n in densities(quick)}
        return {**second_by_second, "cost": partial(series.cost_table, quick)}

    def claims(self, results: Results) -> list[Claim]:
        from mmwave_baselines.association.reproduce_claims import judge

        return judge(results)

    def figures(self, results: Results, directory: Path) -> None:
        from mmwave_baselines.association.reproduce_figures import draw  # matplotlib is in an extra

        draw(results, directory)

    def page(self, results: Results, claims: Sequence[Claim], figures: str) -> str:
        from mmwave_baselines.association.reproduce_page import page

        return page(results, claims, figures)
