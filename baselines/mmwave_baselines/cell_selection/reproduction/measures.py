"""What the reproduction of arXiv 1507.00387 measures from rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mmwave_baselines.cell_selection.reproduction.plan import TABLE, TIES, Setting
from mmwave_baselines.reproduction.measures import gain
from mmwave_baselines.reproduction.verdicts import PaperClaims
from mmwave_gym.benchmark.reproduction import Results
from mmwave_gym.benchmark.statistics import Interval, difference_interval, mean_interval

CLAIMS = PaperClaims.of(__package__)
EFFICIENCY, HANDOVERS, IMBALANCE = "spectral_efficiency_bps_hz", "handovers_per_slot", "load_imbalance"
OUTAGE = "outage_fraction"
NAMES = {
    "load": "Load",
    "rate": "Rate",
    "rate-stay": "Rate, ties stay",
    f"{TIES}:RateLowest": "Rate, lowest index",
    "channel": "Channel",
    "channel-stay": "Channel, ties stay",
    f"{TIES}:ChannelLowest": "Channel, lowest index",
    "mdp": "MDP",
    "mdp-next": "MDP, expected next load",
    "myopic": "Upper Bound (exhaustive)",
    "optimum": "centralised optimum",
    "genie": "genie",
}
RATES = {"fitted": "fitted", "shannon": "derived"}
LIMITS = {
    "rate-stay": "Rate, ties stay",
    "mdp": "MDP",
    "mdp-next": "MDP, expected next load",
    "team": "local team policy",
    "team-memory": "the same with a slot of memory",
    "myopic": "exhaustive search",
}


def cell(num_ues: int, cost: float) -> str:
    """The claim that a cell of Table I is."""
    return f"table1-n{num_ues}-oh{round(100 * cost)}"


def printed_gain(num_ues: int, cost: float) -> int:
    """A cell of Table I: the gain of MDP over Channel in %."""
    return int(CLAIMS[cell(num_ues, cost)]["paper"])


def exact_value(results: Results, what: str, num_ues: int, cost: float) -> float | None:
    """An optimum or bound at the derived rates, bit/s/Hz: the least that is proven, for one without cost holds too."""
    rows = [r for r in results.tables["exact"] if (r["what"], r["num_ues"], r["rates"]) == (what, num_ues, "shannon")]
    holds = [r for r in rows if r["handover_cost"] == cost or (r["handover_cost"] == 0.0 and what != "optimum")]
    return min((r["high_bps_hz"] for r in holds), default=None)


class Measured:
    """Means and gains from the rows."""

    def __init__(self, results: Results):
        self.results = results

    def has(self, setting: Setting, agent: str) -> bool:
        return self.results.has(setting.task(self.results.quick).name, agent)

    def values(self, setting: Setting, agent: str, metric: str = EFFICIENCY) -> np.ndarray:
        return self.results.values(setting.task(self.results.quick).name, agent, metric)

    def mean(self, setting: Setting, agent: str, metric: str = EFFICIENCY) -> Interval:
        return mean_interval(self.values(setting, agent, metric))

    def gain(self, setting: Setting, agent: str = "mdp", over: str = "channel") -> Interval:
        """Gain in %, paired by episode."""
        return gain(self.values(setting, agent), self.values(setting, over))

    def difference(self, setting: Setting, agent: str, other: str, metric: str = EFFICIENCY) -> Interval:
        return difference_interval(self.values(setting, agent, metric), self.values(setting, other, metric))

    def distances(self, settings: Sequence[Setting], agent: str = "mdp") -> tuple[np.ndarray, np.ndarray]:
        """Our gain less the paper's, and its standard error, in points, for the settings that were played."""
        played = [s for s in settings if self.has(s, agent)]
        gains = [self.gain(s, agent) for s in played]
        printed = [printed_gain(s.num_ues, s.handover_cost) for s in played]
        errors = [((g.high or g.mean) - (g.low or g.mean)) / 3.92 for g in gains]
        return np.array([g.mean for g in gains]) - np.array(printed), np.array(errors)

    def rmse(self, settings: Sequence[Setting], agent: str = "mdp") -> tuple[float, tuple[float, float], int]:
        """Root mean square distance to Table I with its interval (linearised, cells independent), and cells."""
        distance, error = self.distances(settings, agent)
        rmse = float(np.sqrt((distance**2).mean()))
        half = 1.96 * float(np.sqrt(((distance * error) ** 2).sum())) / (len(distance) * rmse)
        return rmse, (max(0.0, rmse - half), rmse + half), len(distance)

    def configs(self, agent: str = "mdp") -> list[tuple[Setting, dict[str, Any]]]:
        """How Algorithm 1 ended at every start of Table I."""
        return [
            (setting, dict(run.agent["config"]))
            for setting in TABLE
            for run in self.results.runs_of(setting.task(self.results.quick).name, agent)
        ]
