"""Clusters and powers of whole networks for the reproduction of arXiv 1804.05757: Figs. 2 and 3, and section III."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmwave_baselines.power_allocation.q_learning import RULES, run as q_learning
from mmwave_baselines.power_allocation.reproduction.learning import LEARNERS, SHARED
from mmwave_baselines.power_allocation.reproduction.worlds import LEVELS, STREAM
from mmwave_gym.benchmark.reproduction import Table
from mmwave_gym.benchmark.task import SUITE_SEED
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng
from mmwave_gym.radio import interference
from mmwave_gym.scenarios.power_allocation.clustering import HEAD, Clusters, floc
from mmwave_gym.scenarios.power_allocation.config import PowerAllocationConfig
from mmwave_gym.scenarios.power_allocation.game import PowerAllocation

FIGURE_DENSITIES = (120, 148)
"""Of Figs. 2 and 3, a square kilometre: the authors' code has the first, and a set of nodes named after the second."""
NETWORK_DENSITIES = (120, 480)
DRAWS = {False: 100, True: 10}
NETWORK_DRAWS = {120: 8, 480: 4}
NETWORK_STEPS = {120: 20_000, 480: 6_000}
NETWORK_RULES = {120: RULES, 480: RULES[:1]}
_QUICK_DRAWS, _QUICK_STEPS = 2, 2_000
TRIALS = {False: 200, True: 40}
SIDES_M = (1000, 2000, 4000, 8000)  # 120 to 7,680 base stations
SCOPES = ("cluster", "network")


def _scenario(density: int, scope: str = "cluster") -> PowerAllocation:
    config = PowerAllocationConfig(
        layout="poisson", scope="network", interference=scope, density_per_km2=density, levels=None
    )
    return PowerAllocation(config)


def _rng(density: int, draw: int) -> EpisodeRng:
    return EpisodeRng(EpisodeKey(SUITE_SEED, draw, f"{STREAM} network {density}"))


def map_table(density: int) -> Table:
    """A row for each base station of the first draw: where it is, and the number of its head."""
    place_m, head = _drawn(_rng(density, 0), density)
    return [
        {"bs": bs, "x_m": round(x, 1), "y_m": round(y, 1), "head": int(head[bs])}
        for bs, (x, y) in enumerate(place_m.tolist())
    ]


def floc_table(density: int, quick: bool) -> Table:
    """FLOC in many of the environment's draws: sizes, messages, and when the last base station settled."""
    rows = []
    for draw in range(DRAWS[quick]):
        rng = _rng(density, draw)
        place_m, head = _drawn(rng, density)
        clusters = floc(place_m, rng["clusters"])  # as the environment called it, to know how long it took
        if (clusters.head != head).any():
            raise RuntimeError(f"draw {draw} at {density} per km2 clusters differently from the environment.")
        rows.append({"draw": draw} | _clustered(place_m, clusters))
    return rows


def _drawn(rng: EpisodeRng, density: int) -> tuple[np.ndarray, np.ndarray]:
    """Places (A, 2) and heads (A,) of a drawn world."""
    episodes = _scenario(density).draw([rng])
    there = np.flatnonzero(episodes.present[0, 0])  # the first places
    return episodes.place_m[0, there], episodes.head[0, 0, there]


def scale_table(quick: bool) -> Table:
    """The same in larger and larger squares of 120 base stations a square kilometre."""
    rows = []
    for side_m in SIDES_M[: 2 if quick else None]:
        for draw in range(3):
            rng = _rng(120, 1000 + draw)
            place_m = _places(rng, 120, side_m)
            clustered = _clustered(place_m, floc(place_m, rng["clusters"]))
            rows.append({"side_m": side_m, "draw": draw} | clustered)
    return rows


def _places(rng: EpisodeRng, density: int, side_m: float) -> np.ndarray:
    count = max(1, rng["sites"].poisson(density * 1e-6 * side_m**2))
    return rng["places"].random((count, 2)) * side_m


def _clustered(place_m: np.ndarray, clusters: Clusters) -> dict[str, Any]:
    off_m = np.hypot(*(place_m - place_m[clusters.head]).T)
    return {
        "num_bs": len(place_m),
        "sizes": np.bincount(clusters.number).tolist(),
        "settled_s": round(clusters.settled_s, 4),
        "messages": clusters.messages,
        "farthest_m": round(float(off_m.max()), 2),
        "heads": int((clusters.status == HEAD).sum()),
    }


def healing_table(quick: bool) -> Table:
    """One base station leaves, or arrives, in 4 square kilometres: whose head changes, and how far away at most."""
    rng = _rng(120, 2000)
    place_m = _places(rng, 120, 2000.0)
    chance = rng["clusters"]
    rows = []
    for trial in range(TRIALS[quick]):
        leaves = trial % 2 == 0
        where_m = place_m if leaves else np.concatenate((place_m, chance.random((1, 2)) * 2000.0))
        count = len(where_m)
        who = int(chance.integers(count)) if leaves else count - 1
        with_it, without = np.ones(count, bool), np.arange(count) != who
        before = floc(where_m, chance, present=with_it if leaves else without)
        after = floc(where_m, chance, before=before, present=without if leaves else with_it)
        other = (before.head != after.head) & without
        apart_m = np.hypot(*(where_m[other] - where_m[who]).T)
        rows.append(
            {
                "trial": trial,
                "kind": "departure" if leaves else "arrival",
                "changed": int(other.sum()),
                "farthest_m": round(float(apart_m.max(initial=0.0)), 2),
                "num_bs": count,
            }
        )
    return rows


def network_table(density: int, quick: bool) -> Table:
    """Every method in whole networks, with the interference of its cluster only and with that of all."""
    steps = _QUICK_STEPS if quick else NETWORK_STEPS[density]
    rows = []
    for draw in range(_QUICK_DRAWS if quick else NETWORK_DRAWS[density]):
        rng = _rng(density, draw)
        whole = _scenario(density, "network")
        episodes = whole.draw([rng])
        state = whole.start(episodes)
        there = np.flatnonzero(state.present[0])
        head, ring = state.head[0, there], state.ring[0, there]
        own, gain = episodes.own_gain[0, there], episodes.gain[0][np.ix_(there, there)]
        low, high = whole.power_mw
        levels_mw = np.geomspace(low, high, LEVELS)
        for scope in SCOPES:
            heard = gain if scope == "network" else interference.within(gain, head)
            powers = {
                "full": np.full(len(there), high),
                "random": levels_mw[rng["random power"].integers(LEVELS, size=len(there))],
            }
            for rule in NETWORK_RULES[density]:
                for learner, reward in LEARNERS.items():
                    found = q_learning(
                        heard,
                        own,
                        whole.noise_mw,
                        levels_mw,
                        ring,
                        cluster=head,
                        rng=rng["exploring"],
                        rule=rule,
                        reward=reward,
                        steps=steps,
                    )
                    powers[learner + SHARED[rule]] = found.power_mw
            for method, power_mw in powers.items():
                sinr = power_mw * own / (heard @ power_mw + whole.noise_mw)
                case = {"draw": draw, "interference": scope, "method": method}
                rows.append(case | _network_row(sinr, head, whole.config.qos_sinr))
    return rows


def _network_row(sinr: np.ndarray, head: np.ndarray, qos_sinr: float) -> dict[str, Any]:
    """Mean capacity, share of violations, and Jain's index of clusters of two or more, in the mean."""
    capacity = np.log2(1.0 + sinr)
    jain = [c.sum() ** 2 / (len(c) * (c**2).sum()) for h in np.unique(head) if len(c := capacity[head == h]) > 1]
    return {
        "num_bs": len(sinr),
        "capacity_bps_hz": round(float(capacity.mean()), 4),
        "violations": round(float((sinr < qos_sinr).mean()), 5),
        "jain": round(float(np.mean(jain)), 4),
    }
