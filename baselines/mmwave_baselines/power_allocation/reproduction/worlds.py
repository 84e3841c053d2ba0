"""The clusters of the reproduction of arXiv 1804.05757: the authors' protocol, drawn and measured by the environment.

In each run sixteen places come in one random order, and a cluster of n takes the first n; all else is drawn anew for
every size. Three settings:

- "authors": what their code computes, with the accumulated interference.
- "repaired": the same worlds, every UE with its own interference only.
- "text": what the paper says, which is the environment's default: shadowing of 8.7 dB on interferers, none on the own
  link, UEs anywhere within 10 m.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.power_allocation import optimisation
from mmwave_baselines.power_allocation.optimisation import Network
from mmwave_gym.benchmark.task import SUITE_SEED
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng
from mmwave_gym.core.types import FloatArray
from mmwave_gym.radio.units import db_to_linear, linear_to_db
from mmwave_gym.scenarios.power_allocation.config import PowerAllocationConfig
from mmwave_gym.scenarios.power_allocation.game import PowerAllocation
from mmwave_gym.scenarios.power_allocation.world import PowerAllocationEpisodes

STREAM = "power allocation reproduction"
LEVELS = 32


@dataclass(frozen=True)
class Setting:
    """Which worlds, and how interference is counted in them."""

    name: str
    authors_worlds: bool = False
    accumulated: bool = False
    keywords: Mapping[str, Any] = field(default_factory=dict)


SETTINGS = {
    s.name: s
    for s in (Setting("authors", True, True), Setting("repaired", True), Setting("text"))
}  # fmt: skip


class RunRng(EpisodeRng):
    """The chance of one run at one size: places from the run's stream, all else from one of the size's own."""

    def __init__(self, run: int, num_bs: int):
        super().__init__(EpisodeKey(SUITE_SEED, run, f"{STREAM} {num_bs}"))
        self.of_run = EpisodeRng(EpisodeKey(SUITE_SEED, run, STREAM))

    def __getitem__(self, cause: str) -> np.random.Generator:
        return self.of_run[cause] if cause == "sites" else super().__getitem__(cause)


class Accumulated(Network):
    """Networks with the authors' fault: UE i is charged with the interference of UEs 1 to i, its own base station's
    on the UEs before it included, so the diagonal counts. For `coordinate_ascent` only."""

    @cached_property
    def coupling(self) -> FloatArray:
        """F (N, A, A), linear.

        [n, i, j] is the sum of gains from BS j to UEs 1 to i but its own, over the own gain of UE i.
        """
        heard = np.where(np.eye(self.gain.shape[1], dtype=bool), 0.0, self.gain)
        return np.asarray(np.cumsum(heard, axis=1) / self.own_gain[:, :, None])

    def take(self, rows: Any) -> Accumulated:
        kept = super().take(rows)
        return Accumulated(**{name: getattr(kept, name) for name in kept.__dataclass_fields__})


class Clusters:
    """The clusters of some runs at one size; everything measured in them comes from the environment's own step."""

    def __init__(self, setting: Setting, num_bs: int, runs: Sequence[int]):
        self.setting, self.num_bs, self.runs = setting, num_bs, runs
        draws = self._scenario(setting.authors_worlds)
        self.chance = [RunRng(run, num_bs) for run in runs]
        self.episodes: PowerAllocationEpisodes = draws.draw(self.chance)
        self.plays = self._scenario(setting.accumulated)
        self.state = self.plays.start(self.episodes)
        self.noise_mw, self.qos_sinr = draws.noise_mw, draws.config.qos_sinr
        self.levels_mw = db_to_linear(np.linspace(*draws.config.power_dbm, LEVELS))

    def _scenario(self, authors: bool) -> PowerAllocation:
        """Any power, so that what an optimiser found is played as it is."""
        keywords = {"num_bs": self.num_bs, "levels": None, "authors": authors, **self.setting.keywords}
        return PowerAllocation(PowerAllocationConfig(**keywords))

    def network(self) -> Network:
        """The same for optimisers."""
        kind = Accumulated if self.setting.accumulated else Network
        shape = self.episodes.own_gain.shape
        return kind(
            gain=self.episodes.gain,
            own_gain=self.episodes.own_gain,
            noise_mw=np.full(shape, self.noise_mw),
            qos_sinr=self.qos_sinr,
            power_mw=self.plays.power_mw,
            present=np.ones(shape, bool),
        )

    def optimum_mw(self) -> FloatArray:
        """Powers (run, A) of the best known sum rate with QoS; with the authors' fault, of the best on the levels."""
        network = self.network()
        if self.setting.accumulated:
            return optimisation.coordinate_ascent(network, LEVELS, restarts=10)
        return optimisation.sca(network)

    def random_mw(self) -> FloatArray:
        """A level at random for each base station, (run, A)."""
        return np.stack([self.levels_mw[rng["random power"].integers(LEVELS, size=self.num_bs)] for rng in self.chance])

    def play(self, power_mw: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Capacities in bit/s/Hz and who is satisfied, (run, A) both, at powers (run, A)."""
        outcome = self.plays.step(self.episodes, self.state, linear_to_db(power_mw))
        return self.state.capacity_bps_hz.copy(), outcome.metrics["qos_satisfaction"] > 0.5
