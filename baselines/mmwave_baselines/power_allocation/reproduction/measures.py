"""What the reproduction of arXiv 1804.05757 measures from tables.

Intervals are over runs. A run is one order of the sixteen positions, with links of its own. Differences are paired.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from mmwave_baselines.power_allocation.reproduction.learning import RADII_M, sizes
from mmwave_baselines.power_allocation.reproduction.plan import SETTINGS, VARIANT_SIZES
from mmwave_baselines.reproduction.measures import mean
from mmwave_baselines.reproduction.verdicts import PaperClaims
from mmwave_gym.benchmark.reproduction import Results
from mmwave_gym.benchmark.statistics import LEVEL, Interval, difference_interval
from mmwave_gym.core.types import Float64Array

CLAIMS = PaperClaims.of(__package__)
QOS_SINR = 2.83
LINES = {"log2 q": float(np.log2(QOS_SINR)), "log2(1 + q)": float(np.log2(1.0 + QOS_SINR))}
"""The line of the paper's figures, and the capacity that meets the required SINR, bit/s/Hz."""
NAMES = {
    "cdp": "CDP-Q",
    "exp": "EXP-Q",
    "full": "full power",
    "random": "random power",
    "optimum": "optimum",
    "cdp-code": "CDP-Q, tables of the ring",
    "exp-code": "EXP-Q, tables of the ring",
    "cdp-eq6": "CDP-Q, all tables",
    "exp-eq6": "EXP-Q, all tables",
    "minimum": "minimum power",
    "foschini-miljanic": "least powers for q",
    "max-min": "max-min SINR",
    "wmmse": "WMMSE",
    "levels": "32 levels, best known",
    "cdp-gamma0": "CDP-Q, gamma 0",
    "exp-gamma0": "EXP-Q, gamma 0",
}
TITLES = {"authors": "the authors' code", "repaired": "the same worlds, repaired", "text": "as the text says"}
BOUNDED = ("jain", "satisfied", "all", "rests", "steady_satisfied")


def jain(capacity: Float64Array) -> Float64Array:
    """Jain's index (…) of capacities (…, members) in bit/s/Hz, along the last axis."""
    return np.asarray(capacity.sum(axis=-1) ** 2 / (capacity.shape[-1] * (capacity**2).sum(axis=-1)))


class Measured:
    """Means and differences from the tables. Sizes are those that were played."""

    def __init__(self, results: Results):
        self.results = results
        self.sizes = sizes(results.quick)
        tables = {(s, n): f"cluster-{s}-{n}" for s in SETTINGS for n in self.sizes}
        tables |= {(f"radius-{r:g}", self.sizes[-1]): f"radius-{r:g}" for r in RADII_M}
        self._rows: dict[tuple[str, int, str], list[dict[str, Any]]] = {}
        for (setting, n), table in tables.items():
            self._add(setting, n, table)
        for n in VARIANT_SIZES:
            self._add("repaired", n, f"variants-{n}")

    def _add(self, setting: str, num_bs: int, table: str) -> None:
        for row in self.results.tables[table]:
            self._rows.setdefault((setting, num_bs, row["method"]), []).append(row)

    def has(self, setting: str, num_bs: int, method: str) -> bool:
        return (setting, num_bs, method) in self._rows

    def rows(self, setting: str, num_bs: int, method: str) -> list[dict[str, Any]]:
        """A row for each run, in their order."""
        return self._rows[setting, num_bs, method]

    def capacity(self, setting: str, num_bs: int, method: str) -> Float64Array:
        """(run, member) in bit/s/Hz."""
        return np.array([row["capacity_bps_hz"] for row in self.rows(setting, num_bs, method)], np.float64)

    def values(self, setting: str, num_bs: int, method: str, metric: str) -> Float64Array:
        """(run,): "sum" of capacities, "jain", "satisfied" share of members, "all" satisfied, or what rows hold."""
        rows = self.rows(setting, num_bs, method)
        if metric in ("sum", "jain"):
            capacity = self.capacity(setting, num_bs, method)
            return capacity.sum(axis=1) if metric == "sum" else jain(capacity)
        if metric in ("satisfied", "all"):
            share = np.array([row["satisfied"] for row in rows]) / num_bs
            return share if metric == "satisfied" else (share == 1.0).astype(float)
        return np.array([row[metric] for row in rows], np.float64)

    def mean(self, setting: str, num_bs: int, method: str, metric: str = "sum") -> Interval:
        """Over runs; the interval of a share or an index ends at 0 and 1."""
        found = mean(self.values(setting, num_bs, method, metric))
        if metric not in BOUNDED or found.low is None or found.high is None:
            return found
        return Interval(found.mean, max(found.low, 0.0), min(found.high, 1.0))

    def difference(self, setting: str, num_bs: int, one: str, other: str, metric: str = "sum") -> Interval:
        """Paired by run, over the runs that both have."""
        a, b = (self.values(setting, num_bs, method, metric) for method in (one, other))
        runs = min(len(a), len(b))
        return difference_interval(a[None, :runs], b[None, :runs])

    def share(self, setting: str, num_bs: int, one: str, other: str) -> Interval:
        """One's sum of capacities in % of another's: the ratio of means, with a jackknife interval."""
        a, b = (self.values(setting, num_bs, method, "sum") for method in (one, other))
        runs = min(len(a), len(b))
        return jackknife(np.stack((a[:runs], b[:runs]), axis=1), lambda mean: 100.0 * float(mean[0] / mean[1]))

    def jain_of_means(self, setting: str, num_bs: int, method: str) -> Interval:
        """The authors' way: the index of the members' mean capacities, places shuffled from run to run."""
        found = jackknife(self.capacity(setting, num_bs, method), lambda mean: float(jain(mean)))
        return Interval(found.mean, found.low, None if found.high is None else min(found.high, 1.0))

    def members(self, setting: str, num_bs: int, method: str) -> list[Interval]:
        """The mean capacity of each member over runs: a column of points of Figs. 4 and 5."""
        return [mean(values) for values in self.capacity(setting, num_bs, method).T]

    def of_settings(self, method: str = "cdp") -> list[str]:
        """Settings in which a method was played."""
        return [s for s in SETTINGS if self.has(s, self.sizes[-1], method)]

    # ------------------------------------------------------------------ networks

    def network(self, density: int, scope: str, method: str, metric: str) -> Float64Array:
        """(draw,): a number of whole networks."""
        rows = self.results.tables[f"network-{density}"]
        return np.array([r[metric] for r in rows if (r["interference"], r["method"]) == (scope, method)], np.float64)

    def network_methods(self, density: int) -> list[str]:
        return list(dict.fromkeys(row["method"] for row in self.results.tables[f"network-{density}"]))

    def lost(self, density: int, method: str) -> Interval:
        """What the other clusters' interference takes from a base station, in % of its capacity without."""
        within_it, whole = (self.network(density, s, method, "capacity_bps_hz") for s in ("cluster", "network"))
        pairs = np.stack((within_it, whole), axis=1)
        return jackknife(pairs, lambda mean: 100.0 * float(1.0 - mean[1] / mean[0]))

    # ------------------------------------------------------------------ clusters

    def cluster_sizes(self, density: int) -> np.ndarray:
        """Sizes of all clusters of all draws."""
        return np.concatenate([row["sizes"] for row in self.results.tables[f"floc-{density}"]])

    def floc(self, density: int, what: str) -> np.ndarray:
        """(draw,): a number of FLOC's."""
        return np.array([row[what] for row in self.results.tables[f"floc-{density}"]], float)


def jackknife(values: Float64Array, of_mean: Any) -> Interval:
    """A function of the mean of values (run, any), with Student's interval from leaving out one run at a time."""
    runs, total = len(values), values.sum(axis=0)
    whole = of_mean(total / runs)
    if runs < 2:
        return Interval(whole, None, None)
    without = np.array([of_mean((total - value) / (runs - 1)) for value in values])
    error = np.sqrt((runs - 1) / runs * ((without - without.mean()) ** 2).sum())
    half = float(stats.t.isf((1.0 - LEVEL) / 2.0, runs - 1) * error)
    return Interval(whole, whole - half, whole + half)
