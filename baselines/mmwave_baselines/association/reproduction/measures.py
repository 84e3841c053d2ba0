"""What the reproduction of arXiv 2201.05983 measures from rows and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mmwave_baselines.association.reproduction import search
from mmwave_baselines.association.reproduction.plan import READINGS, SETTLE_S, Setting, densities, search_task
from mmwave_baselines.reproduction.measures import gain
from mmwave_baselines.reproduction.verdicts import PaperClaims
from mmwave_gym.benchmark.reproduction import Results
from mmwave_gym.benchmark.statistics import Interval, difference_interval, mean_interval
from mmwave_gym.core.types import Float64Array

CLAIMS = PaperClaims.of(__package__)
RATE, HANDOVERS, P5, JAIN = "network_rate_mbps", "handovers_per_ue_s", "p5_rate_mbps", "jain_index"
UNIT_MBPS = 10.0
"""Of Table I."""
NAMES = {
    "sbh": "SBH",
    "rbh": "RBH",
    "lbh": "LBH",
    "smart": "SMART",
    "sqa": "SQA",
    "rbh-network": "RBH, network's rate",
    "sqa-best": "SQA, best setting",
    "msr": "MSR",
    "rollout": "rollout of MSR",
    "price": "PRICE",
    "cover": "COVER",
}


def printed(what: str, num_ues: int, agent: str) -> float:
    """A cell of Table I: what is "rate" (10 Mbit/s) or "time" (s)."""
    return CLAIMS.printed(f"{what}-{num_ues}-{agent}")


def inverse(interval: Interval) -> Interval:
    """Of one over a positive quantity: its mean is that of the totals, not of the quotients."""
    low, high = (None if end is None or end <= 0.0 else 1.0 / end for end in (interval.high, interval.low))
    return Interval(1.0 / interval.mean, low, high) if interval.mean > 0.0 else Interval(np.inf, low, high)


class Measured:
    """Means, gains and distances from the rows. Densities are those that were played."""

    def __init__(self, results: Results):
        self.results = results
        self.densities = densities(results.quick)

    def _values(self, num_ues: int, agent: str, metric: str) -> Float64Array:
        scale = UNIT_MBPS if metric == RATE else 1.0
        return self.results.values(Setting(num_ues).task(self.results.quick).name, agent, metric) / scale

    def mean(self, num_ues: int, agent: str, metric: str = RATE) -> Interval:
        """A metric's mean; rates of the network in 10 Mbit/s."""
        return mean_interval(self._values(num_ues, agent, metric))

    def time(self, num_ues: int, agent: str) -> Interval:
        """Time between two handovers of a UE in s."""
        return inverse(self.mean(num_ues, agent, HANDOVERS))

    def rates(self, num_ues: int, agents: Sequence[str]) -> dict[str, float]:
        """Mean rates in 10 Mbit/s."""
        return {agent: self.mean(num_ues, agent).mean for agent in agents}

    def gain(self, num_ues: int, agent: str, over: str = "sbh") -> Interval:
        """Gain of the network's rate in %, paired by world."""
        return gain(self._values(num_ues, agent, RATE), self._values(num_ues, over, RATE))

    def difference(self, num_ues: int, agent: str, other: str, metric: str = RATE) -> Interval:
        """Of means, paired by world."""
        return difference_interval(self._values(num_ues, agent, metric), self._values(num_ues, other, metric))

    def worlds(self, num_ues: int) -> int:
        """How many were played."""
        return self._values(num_ues, "sbh", RATE).shape[1]

    # ------------------------------------------------------------------ Fig. 2

    def series(self, num_ues: int) -> dict[str, np.ndarray]:
        """The network's rate in each second by agent, 10 Mbit/s."""
        rows = self.results.tables[f"figure2-{num_ues}"]
        return {r["agent"]: np.array(r["rate_10mbps"]) for r in rows}

    def leads(self, num_ues: int, agent: str, others: Sequence[str]) -> float:
        """Share of seconds after the first 20 in which an agent has the highest rate."""
        series = self.series(num_ues)
        best = np.max([series[other] for other in others], axis=0)
        return float((series[agent] > best)[int(SETTLE_S) :].mean())

    # ------------------------------------------------------------------ the search

    def found(self) -> list[SearchResult]:
        """Every world of the search, those nearest to the paper first."""
        worlds = search.QUICK_WORLDS if self.results.quick else search.WORLDS
        return sorted((self._searched(world) for world in worlds), key=lambda r: ("sqa" not in r.columns, r.rms))

    def _searched(self, world: search.World) -> SearchResult:
        task = search_task(world, self.results.quick).name
        base = mean_interval(self.results.values(task, "sbh", RATE)).mean

        def cell(agent: str) -> tuple[float, float]:
            rate = mean_interval(self.results.values(task, agent, RATE)).mean
            return rate / base, inverse(mean_interval(self.results.values(task, agent, HANDOVERS))).mean

        columns = {}
        for column, readings in READINGS.items():
            wanted = printed("rate", search.NUM_UES, column), printed("time", search.NUM_UES, column)
            tried = []
            for agent in readings:
                if self.results.has(task, agent):
                    share, time_s = cell(agent)
                    rate = share * printed("rate", search.NUM_UES, "sbh")
                    off = 100.0 * (rate / wanted[0] - 1.0), 100.0 * (time_s / wanted[1] - 1.0)
                    tried.append(Column(agent, rate, time_s, off))
            if tried:
                columns[column] = min(tried, key=lambda c: float(np.hypot(*c.off_percent)))
        return SearchResult(world, columns, base / UNIT_MBPS, cell("msr"))


class Column(NamedTuple):
    """A column of Table I as a world of the search has it, by the reading that comes nearest."""

    agent: str
    rate: float  # 10 Mbit/s, SBH's set to what is printed
    time_s: float
    off_percent: tuple[float, float]  # of rate and time, from what is printed


@dataclass(frozen=True)
class SearchResult:
    """A world of the search."""

    world: search.World
    columns: dict[str, Column]
    sbh_rate: float  # as measured, 10 Mbit/s
    msr: tuple[float, float]  # its rate over SBH's, and its time between handovers in s

    @property
    def rms(self) -> float:
        """Root mean square distance in % over rates and times."""
        return float(np.sqrt(np.mean([off**2 for c in self.columns.values() for off in c.off_percent])))

    @property
    def worst(self) -> float:
        """The largest distance of a number in %."""
        return max(abs(off) for c in self.columns.values() for off in c.off_percent)
