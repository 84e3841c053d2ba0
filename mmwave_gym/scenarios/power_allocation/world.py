"""Worlds of power allocation: clusters and UEs on a layout, who disturbs whom, who leaves and who arrives.

Where base stations stand is a layout's matter (`layouts`), the paper's or somebody's sites.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.core.scenario import EpisodeRng, Episodes
from mmwave_gym.core.types import FloatArray
from mmwave_gym.radio import interference
from mmwave_gym.radio.units import db_to_linear
from mmwave_gym.scenarios.power_allocation.clustering import Clusters, floc
from mmwave_gym.scenarios.power_allocation.config import NEAREST_UE_M, PowerAllocationConfig
from mmwave_gym.scenarios.power_allocation.layouts import open_layout

MOST_DRAWS, MOST_SWEEPS = 2_000, 10_000
MOST_GAINS = 2 * 10**7
"""In all worlds together that are drawn until one is `feasible` as asked: seconds, also where clusters are large."""
MOST_DENSE = 10_000
"""Larger networks do not fit most memories: 10,000 that all interfere with each other take 800 MB."""


class Chance(dict[str, np.random.Generator]):
    """Generators of an episode by cause, each made when it is first asked for and kept while worlds are refused.

    The causes are "sites", "clusters", "changes", "ues" and "shadowing".
    """

    def __init__(self, rng: EpisodeRng):
        self._rng = rng

    def __missing__(self, cause: str) -> np.random.Generator:
        self[cause] = self._rng[cause]
        return self[cause]


@dataclass
class World:
    """One drawn world; agent slots that stay empty have zeros. A agent slots, P phases between changes."""

    place_m: FloatArray  # (A, 2): base stations
    ue_m: FloatArray  # (A, 2): each one's UE
    own_gain: FloatArray  # (A,)
    gain: Any  # (A, A) or sparse: [i, j] from base station j to UE i
    far_gain: FloatArray  # (A,): to UE i from all that are not in `gain` together
    present: NDArray[np.bool_]  # (P, A)
    head: NDArray[np.int64]  # (P, A): agent slot of the cluster's head, -1 for who is not there
    change_slot: NDArray[np.int64]  # (P - 1,): slots after which the next phase begins


@dataclass
class PowerAllocationEpisodes(Episodes):
    """Drawn worlds, axis 0 is storage, the others are those of `World`; and the powers before the first slot."""

    place_m: FloatArray
    ue_m: FloatArray
    own_gain: FloatArray
    gain: NDArray[Any]  # (storage, A, A), or (storage,) of sparse matrices
    far_gain: FloatArray
    present: NDArray[np.bool_]
    head: NDArray[np.int64]
    change_slot: NDArray[np.int64]
    first_mw: FloatArray  # (storage, A)


class Worlds:
    """Draws worlds of a configuration, at most `num_agents` base stations each."""

    def __init__(self, config: PowerAllocationConfig):
        self.config = c = config
        self.layout = open_layout(c)
        if c.is_network or self.layout.one_cluster:
            self.num_agents = self.layout.most_bs + c.changes
        else:
            self.num_agents = int(c.cluster_bs[1])
        if not c.is_sparse and self.num_agents > MOST_DENSE:
            raise ValueError(
                f"interference_range_m=None: {self.num_agents:,} base stations would all interfere with each other one "
                f"by one, which is for at most {MOST_DENSE:,}. Give a range of 200 to 400 m, or fewer base stations."
            )
        low, high = c.power_dbm
        self.power_mw = (float(db_to_linear(low)), float(db_to_linear(high)))
        self.noise_mw = float(db_to_linear(c.noise_dbm))

    def draw(self, chance: Chance) -> World:
        """A world of the kind that is asked for."""
        c = self.config
        draws = max(1, min(MOST_DRAWS, MOST_GAINS // self.num_agents**2))
        for _ in range(draws):
            world = self._world(chance)
            if c.feasible == "any" or self.is_feasible(world) == (c.feasible == "only"):
                return world
        raise ValueError(
            f"feasible={c.feasible!r}: none of {draws} worlds was so. Change qos_sinr={c.qos_sinr:g}, "
            f"ue_radius_m={c.ue_radius_m:g} or feasible."
        )

    def _world(self, chance: Chance) -> World:
        c = self.config
        site_m, clusters = self._base_stations(chance)
        place_m = np.zeros((self.num_agents, 2))
        place_m[: len(site_m)] = site_m
        present = np.zeros((c.changes + 1, self.num_agents), bool)
        present[0, : len(site_m)] = True
        last = self._come_and_go(chance, place_m, present, len(site_m)) if c.changes else len(site_m)
        head = self._heads(chance, place_m, present, clusters)
        ue_m = np.zeros_like(place_m)
        if c.authors:
            ue_m[:last] = place_m[:last] + np.array((0.0, c.ue_radius_m))
        else:
            u, turn = chance["ues"].random((2, last))
            apart_m = np.maximum(np.sqrt(u) * c.ue_radius_m, NEAREST_UE_M)
            angle = 2.0 * np.pi * turn
            ue_m[:last] = place_m[:last] + apart_m[:, None] * np.stack((np.cos(angle), np.sin(angle)), axis=1)
        own_gain, far_gain = np.zeros((2, self.num_agents))
        gain = self._gains(chance["shadowing"], place_m, ue_m, last, own_gain, far_gain)
        slots = np.empty(0, np.int64)
        if c.changes:
            slots = np.sort(chance["changes"].permutation(c.horizon - 1)[: c.changes] + 1)
        return World(place_m, ue_m, own_gain, gain, far_gain, present, head, slots)

    def _base_stations(self, chance: Chance) -> tuple[FloatArray, Clusters | None]:
        """Sites (bs, 2) at the start in metres and, where all of a network play, their clusters."""
        c, layout, rng = self.config, self.layout, chance["sites"]
        if layout.one_cluster:
            return layout.draw(rng), None
        for _ in range(MOST_DRAWS if layout.redraws else 1):
            site_m = layout.draw(rng)
            clusters = floc(site_m, chance["clusters"], unit_m=c.unit_m)
            if c.is_network:
                return site_m, clusters
            size = np.bincount(clusters.number)
            fitting = np.flatnonzero((size >= c.cluster_bs[0]) & (size <= c.cluster_bs[1]))
            if len(fitting):
                return site_m[clusters.number == rng.choice(fitting)], None
        tried = f"none of {MOST_DRAWS} networks had one of those sizes, the last had" if layout.redraws else "it has"
        raise ValueError(
            f"cluster_bs={c.cluster_bs} does not fit the layout's clusters: {tried} {sorted(set(size.tolist()))}."
        )

    def _come_and_go(self, chance: Chance, place_m: FloatArray, present: NDArray[np.bool_], last: int) -> int:
        """Fill `present` phase by phase and the sites of who arrives; how many agent slots are ever used.

        A change is a departure or an arrival with equal odds. The base station in agent slot 0 stays.
        """
        layout, rng = self.layout, chance["changes"]
        for phase in range(1, len(present)):
            now = present[phase - 1].copy()
            there_m = place_m[now]
            can_leave, can_come = np.flatnonzero(now)[1:], layout.has_room(there_m)
            leaves = rng.random() < 0.5
            if (leaves or not can_come) and len(can_leave):
                now[rng.choice(can_leave)] = False
            elif can_come:
                place_m[last] = layout.newcomer(rng, there_m)
                now[last] = True
                last += 1
            present[phase] = now
        return last

    def _heads(
        self, chance: Chance, place_m: FloatArray, present: NDArray[np.bool_], clusters: Clusters | None
    ) -> NDArray[np.int64]:
        """(phase, agent slot): the head of each one's cluster, -1 for who is not there."""
        head = np.full(present.shape, -1)
        if clusters is None:  # all are one cluster, whose head is the one in the middle
            for phase, there in enumerate(present):
                off_m = place_m - place_m[there].mean(axis=0)
                head[phase, there] = np.where(there, (off_m**2).sum(axis=1), np.inf).argmin()
            return head
        missing = len(place_m) - len(clusters.head)
        clusters = dataclasses.replace(
            clusters,
            status=np.append(clusters.status, np.zeros(missing, np.int8)),
            head=np.append(clusters.head, np.full(missing, -1)),
        )
        for phase, there in enumerate(present):
            if phase:
                clusters = floc(place_m, chance["clusters"], unit_m=self.config.unit_m, before=clusters, present=there)
            head[phase, there] = clusters.head[there]
        return head

    def _gains(
        self,
        rng: np.random.Generator,
        place_m: FloatArray,
        ue_m: FloatArray,
        last: int,
        own_gain: FloatArray,
        far_gain: FloatArray,
    ) -> Any:
        """Gains of interferers; fills those of own links and of far base stations."""
        c = self.config
        loss_db = c.friis_db(np.hypot(*(place_m[:last] - ue_m[:last]).T))
        sigma_db = c.shadowing_db / 10.0**0.5 if c.authors else c.shadowing_db
        if c.authors:
            loss_db = loss_db + sigma_db * rng.standard_normal(last)
        own_gain[:last] = db_to_linear(-loss_db)
        if not c.is_sparse:
            apart_m = np.hypot(*np.moveaxis(ue_m[:last, None] - place_m[None, :last], -1, 0))
            gain = np.zeros((self.num_agents, self.num_agents))
            gain[:last, :last] = self._nlos_gain(apart_m, sigma_db * rng.standard_normal((last, last)))
            np.fill_diagonal(gain, 0.0)
            return gain
        range_m = c.interference_range_m or 4.0 * c.unit_m + c.ue_radius_m  # two ends of a cluster are nearer
        ue, bs, apart_m = interference.pairs_in_range(place_m[:last], ue_m[:last], range_m)
        near = self._nlos_gain(apart_m, sigma_db * rng.standard_normal(len(apart_m)))
        if c.interference == "network":
            boost = interference.mean_shadowing(sigma_db)
            far_gain[:last] = interference.far_gain(
                place_m[:last], ue_m[:last], range_m, c.nlos_intercept_db, c.nlos_slope_db, boost
            )
        return interference.csr(ue, bs, near, self.num_agents)

    def _nlos_gain(self, apart_m: FloatArray, shadowing_db: FloatArray) -> FloatArray:
        c = self.config
        loss_db = c.nlos_intercept_db + c.nlos_slope_db * np.log10(np.maximum(apart_m, 1.0))
        return np.asarray(db_to_linear(-(loss_db + shadowing_db)), np.float64)

    def is_feasible(self, world: World) -> bool:
        """Can all UEs of a cluster be satisfied at once, in every phase?

        The least powers that do, found from below (Foschini and Miljanic 1993), must be allowed.
        """
        low, high = self.power_mw
        for there in world.present:
            at = np.flatnonzero(there)
            need = self.config.qos_sinr / world.own_gain[at]
            gain, noise = need[:, None] * world.gain[np.ix_(at, at)], need * self.noise_mw
            power = np.full(len(at), low)
            for _ in range(MOST_SWEEPS):
                more = np.maximum(gain @ power + noise, low)
                if (more > high).any():
                    return False
                if (more <= power * (1.0 + 1e-9)).all():
                    break
                power = more
        return True
