"""What is played for Table I and the search of arXiv 2201.05983: densities, worlds, readings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mmwave_baselines.association.reproduction import search
from mmwave_gym.benchmark.task import Task

NUM_UES = (512, 1024, 1536, 2048)
QUICK_UES = (512, 1024)
FIVE = ("sbh", "rbh", "lbh", "smart", "sqa")
BESIDE = ("rbh-network", "sqa-best", "msr", "rollout", "price", "cover")
SETTLE_S = search.SETTLE_S
_EPOCHS_PER_UE_S = 2.0 / 14.4  # in the paper's geometry a UE has two epochs on a road, which takes it 14.4 s
_LENGTH = {512: (50.0, 4), 1024: (40.0, 3), 1536: (30.0, 3), 2048: (30.0, 3)}  # seconds, worlds
_QUICK_LENGTH = (30.0, 2)

_OTHERS = "mmwave_baselines.association.reproduction.agents"
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
