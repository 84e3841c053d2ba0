"""What UEs would measure and receive, whatever they choose: drawn once, in the three areas of Wang et al.

Learners play these traces instead of an environment: nothing in them depends on actions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.handover.mobility_clusters import MobilityClusters, observe
from mmwave_baselines.training.lstm import Shape
from mmwave_gym.core.checks import at_least, one_of
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng
from mmwave_gym.scenarios.handover.config import interruption

AREAS = ("A1", "A2", "A3")
SPACING = 2**20  # between the episode numbers of different purposes


class Traces(NamedTuple):
    """What UEs would measure and receive, whatever they choose; the UE first. An episode may end within a trace."""

    rsrq_db: NDArray[np.float32]  # (ues, slots + 1, cells)
    efficiency: NDArray[np.float32]  # (ues, slots, cells), bit/s/Hz
    begins: NDArray[np.bool_]  # (ues, slots + 1): an episode begins here

    @property
    def slots(self) -> int:
        return self.efficiency.shape[1]

    def of(self, ues: Any) -> Traces:
        """Only these UEs."""
        return Traces(*(a[ues] for a in self))

    def between(self, first: int, last: int) -> Traces:
        """Only the slots from `first` to before `last`; the episodes that run at first begin there."""
        begins = self.begins[:, first : last + 1].copy()
        begins[:, 0] = True
        return Traces(self.rsrq_db[:, first : last + 1], self.efficiency[:, first:last], begins)


def draw_traces(keywords: Mapping[str, Any], numbers: Sequence[int], slots: int, seed: int, stream: str) -> Traces:
    """Traces of UEs in `MmwaveHandover-v0` with these keywords; who leaves begins anew at once (paper, section V).

    numbers: a number for each UE, which keys its chance; the same number gives the same trace. With `layout_seed`
    among the keywords all UEs are in one room, without it each episode has its own.
    """
    scenario: Any = make_scenario("handover", **{**keywords, "horizon": slots, "num_ues": 1})
    cells = int(scenario.action_space.n)
    rsrq_db = np.empty((len(numbers), slots + 1, cells), np.float32)
    efficiency = np.empty((len(numbers), slots, cells), np.float32)
    begins = np.zeros((len(numbers), slots + 1), bool)
    filled = np.zeros(len(numbers), np.int64)
    visit = 0
    while left := np.flatnonzero(filled < slots).tolist():
        drawn = scenario.draw([EpisodeRng(EpisodeKey(seed, numbers[i] + visit * SPACING, stream)) for i in left])
        for at, i in enumerate(left):
            start, lived = filled[i], min(int(drawn.departure[at, 0]), slots - filled[i])
            rsrq_db[i, start : start + lived + 1] = drawn.rsrq_db[at, : lived + 1, 0]
            efficiency[i, start : start + lived] = drawn.efficiency_bps_hz[at, :lived, 0]
            begins[i, start] = True
            filled[i] += lived
            begins[i, filled[i]] = drawn.departure[at, 0] == lived
        visit += 1
    return Traces(rsrq_db, efficiency, begins)


def joined(traces: Iterable[Traces]) -> Traces:
    """The UEs of several traces of the same length, one after the other."""
    return Traces(*(np.concatenate(part) for part in zip(*traces, strict=True)))


class World:
    """The paper's three areas, each with its own small cells, fixed for all UEs; `seed` draws everything.

    keywords: of the environment, e.g. shadowing="independent"; `beta` is the price of handovers.
    """

    def __init__(self, seed: int, beta: float = 25.0, **keywords: Any):
        at_least("seed", seed, 0, integer=True)
        self.seed, self.beta = seed, beta
        self._keywords = keywords

    def keywords(self, area: str) -> dict[str, Any]:
        """The environment of an area, as `make_scenario("handover", …)` and `Task` take it."""
        one_of("area", area, AREAS)
        layout_seed = len(AREAS) * self.seed + AREAS.index(area)
        return {"layout_seed": layout_seed, **self._keywords, "mobility": area, "beta": self.beta}

    def traces(self, area: str, ues: int | Sequence[int], slots: int, purpose: str = "learning") -> Traces:
        """Traces of the first so many UEs of an area, or of those numbered. Purposes share no walk."""
        numbers = range(ues) if isinstance(ues, int) else ues
        return draw_traces(self.keywords(area), list(numbers), slots, self.seed, f"a3c {area} {purpose}")

    def clusters(self, ues: int = 4) -> tuple[MobilityClusters, list[tuple[str, int]]]:
        """K-means over the observed walks of `ues` UEs an area, and who the UEs are, in order: (area, number)."""
        walks = [observe(area, ues, seed=self.seed) for area in AREAS]
        return MobilityClusters.fit(np.concatenate(walks), seed=self.seed), [(a, i) for a in AREAS for i in range(ues)]

    @cached_property
    def price(self) -> tuple[float, float]:
        """Price of a handover in bit/s/Hz, and the share of its slot that is left."""
        return price_of(self._constants)

    @cached_property
    def shape(self) -> Shape:
        """The network of this world."""
        return Shape.of(self._constants["num_cells"])

    @cached_property
    def _constants(self) -> Mapping[str, Any]:
        return make_scenario("handover", **self.keywords("A1")).constants()


def price_of(constants: Mapping[str, Any]) -> tuple[float, float]:
    """Price of a handover in bit/s/Hz, and the share of its slot that is left, from a scenario's constants.

    Raises ValueError where an interruption takes more than a slot: A3C's traces know nothing of what follows it.
    """
    wait, kept = interruption(constants)
    if wait > 1:
        raise ValueError(
            f"A3C needs interruption_s of at most a slot of {constants['step_s']:g} s, got "
            f"{constants['interruption_s']:g}: shorten it, or lengthen step_s."
        )
    return constants["beta"] * constants["handover_energy_j"], kept
