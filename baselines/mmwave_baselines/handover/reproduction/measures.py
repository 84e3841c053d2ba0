"""What the reproduction of arXiv 1801.02077 measures from tables.

Intervals are 95 % over worlds: the five UEs of a world are averaged first, and differences are paired by world.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from mmwave_baselines.handover.reproduction.clusters import AREAS, SIZES
from mmwave_baselines.handover.reproduction.plan import BETAS, TRADEOFF_WORLDS, chunks
from mmwave_baselines.reproduction.measures import difference, mean
from mmwave_baselines.reproduction.verdicts import PaperClaims
from mmwave_gym.benchmark.reproduction import Results
from mmwave_gym.benchmark.statistics import Interval
from mmwave_gym.core.types import Float64Array

CLAIMS = PaperClaims.of(__package__)
ENERGY_J = 0.3  # section V-A, E
METRICS = ("reward", "throughput", "handovers")
A3C_MODES = ("paper", "stable")
NAMES = {
    "oracle": "oracle",
    "a3": "A3, tuned",
    "a3-room": "A3, tuned in each room",
    "stay": "never hand over",
    "imitation": "imitation only",
    "a3c-paper": "A3C, paper",
    "a3c-paper-online": "A3C, paper, online",
    "a3c-paper-alone": "A3C, paper, no clustering",
    "a3c-paper-alone-online": "A3C, paper, no clustering, online",
    "a3c-paper-unsupervised": "A3C, paper, no imitation",
    "a3c-paper-unsupervised-alone": "A3C, paper, no imitation, no clustering",
    "a3c-stable": "A3C, stable",
    "a3c-stable-online": "A3C, stable, online",
    "a3c-stable-alone": "A3C, stable, no clustering",
    "a3c-stable-alone-online": "A3C, stable, no clustering, online",
    "a3c-stable-unsupervised": "A3C, stable, no imitation",
    "a3c-stable-unsupervised-alone": "A3C, stable, no imitation, no clustering",
    "ucb": "UCB, raw reward",
    "ucb-30": "UCB, reward / 30",
}
TESTED = {
    mode: tuple(f"a3c-{mode}{alone}{online}" for alone in ("", "-alone") for online in ("", "-online"))
    for mode in A3C_MODES
}
"""The four A3C of Fig. 10, by mode."""


class Measured:
    """Values by world from the tables, all in the same order of worlds."""

    def __init__(self, results: Results):
        self.results = results
        rows = [row for name in chunks(results.quick) for row in results.tables[name]]
        self.worlds = sorted({row["world"] for row in rows})
        at = {world: i for i, world in enumerate(self.worlds)}
        self._played: dict[tuple[str, float], list[dict[str, Any]]] = {}
        self._curves: dict[str, list[dict[str, Any]]] = {}
        a3: dict[tuple[float, int], list[dict[str, Any]]] = {}
        for row in sorted(rows, key=lambda row: at[row["world"]]):
            if row["kind"] == "played":
                self._played.setdefault((row["method"], row["beta"]), []).append(row)
            elif row["kind"] == "curve":
                self._curves.setdefault(row["method"], []).append(row)
            else:
                a3.setdefault((row["hysteresis_db"], row["wait"]), []).append(row)
        self.pairs = {beta: self._tune(a3, beta) for beta in BETAS}
        """A3's hysteresis in dB and wait in slots by beta: the best on the UEs from which A3C learns, of all worlds."""
        for beta, pair in self.pairs.items():
            windows = ("first", "last", "whole")
            self._played["a3", beta] = [{w: [None, *row[w]] for w in windows} for row in a3[pair]]
            best = [self._tune({p: [rows[i]] for p, rows in a3.items()}, beta) for i in range(len(self.worlds))]
            own = [a3[p][i] for i, p in enumerate(best)]
            self._played["a3-room", beta] = [{w: [None, *row[w]] for w in windows} for row in own]
        for beta in BETAS:  # these know no price
            for method in ("imitation", "stay"):
                self._played.setdefault((method, beta), self._played[method, BETAS[-1]])

    @staticmethod
    def _tune(rows: dict[tuple[float, int], list[dict[str, Any]]], beta: float) -> tuple[float, int]:
        def reward(pair: tuple[float, int]) -> float:
            return float(np.mean([row["tuning"][0] - beta * ENERGY_J * row["tuning"][1] for row in rows[pair]]))

        return max(rows, key=reward)

    def has(self, method: str, beta: float = BETAS[-1]) -> bool:
        return (method, beta) in self._played

    def values(self, method: str, metric: str, window: str = "whole", beta: float = BETAS[-1]) -> Float64Array:
        """(world,): "throughput" in bit/s/Hz, "handovers" a slot, or the "reward" that follows from both."""
        _, rate, handovers = (
            np.array([row[window][i] or 0.0 for row in self._played[method, beta]]) for i in range(len(METRICS))
        )
        reward = rate - beta * ENERGY_J * handovers
        return {"reward": reward, "throughput": rate, "handovers": handovers}[metric]

    def at_beta(self, method: str, metric: str, beta: float) -> Float64Array:
        """(world,): over 121 s, in the worlds in which all betas were played."""
        return self.values(method, metric, beta=beta)[: TRADEOFF_WORLDS[self.results.quick]]

    def mean(self, method: str, metric: str, window: str = "whole", beta: float = BETAS[-1]) -> Interval:
        return mean(self.values(method, metric, window, beta))

    def apart(
        self,
        one: str,
        other: str,
        metric: str,
        window: str = "whole",
        other_window: str | None = None,
        beta: float = BETAS[-1],
    ) -> Interval:
        """One less the other, paired by world."""
        theirs = self.values(other, metric, other_window or window, beta)
        return difference(self.values(one, metric, window, beta), theirs)

    def curve(self, method: str, part: str) -> Float64Array:
        """(world, block): a part of `a3c.Curve`, in its unit."""
        return np.array([row[part] for row in self._curves[method]], np.float64)

    def curve_rows(self, method: str) -> list[dict[str, Any]]:
        return self._curves[method]

    def index(self, convention: str, ues: int, clusters: int) -> Interval:
        """The Calinski-Harabasz index, mean over runs."""
        return mean(self.clusters(convention, ues, f"index{clusters}"))

    def clusters(self, convention: str, ues: int, what: str) -> Float64Array:
        """(run,): the number of clusters."""
        rows = self.results.tables[f"clusters-{convention}"]
        return np.array([row[what] for row in rows if row["ues"] == ues], np.float64)

    def speed(self, name: str) -> list[dict[str, Any]]:
        return self.results.tables[f"speed-{name}"]


def total_ues() -> Iterable[int]:
    """The sizes of Table I."""
    return (len(AREAS) * size for size in SIZES)


def printed(ues: int, clusters: int) -> float:
    """A number of Table I."""
    return CLAIMS.printed(f"table1-{ues}-{clusters}")


def log_error(m: Measured, convention: str) -> float:
    """Root mean square of the logarithms of ours over the paper's, over the six numbers of Table I."""
    ratios = [m.index(convention, n, h).mean / printed(n, h) for n in total_ues() for h in (2, 3)]
    return float(np.sqrt(np.mean(np.log(ratios) ** 2)))


def needed(rows: Iterable[dict[str, Any]], ues: int) -> float:
    """The median of blocks to the target; a run that never got there counts as infinitely long."""
    blocks = [row["blocks_to_target"] for row in rows if row["ues"] == ues]
    return float(np.median([np.inf if n is None else n for n in blocks]))
