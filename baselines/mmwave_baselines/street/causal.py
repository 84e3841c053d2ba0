"""What any causal agent of streets can have in the mean, even one that knows the map, its place and its speed.

**Statement.** At decision d the UE knows F_d: the map, where it is and how fast, all that has happened, and, more than
it may, every blockage and every error of measurement to come. It does not know which way it takes at the crossing.
Every policy that follows from F_d has in the mean at most E[ V_0 ], where

    V_d = max_a E[ Q_d(a) | F_d ],   Q_d(a): what action a brings and V after it, on the way that is taken.

**Proof.** Given F_d the ways that are still possible are those whose points are the same up to the next metre. Their
probabilities follow from the draw: the share of a way over the room in metres that its begin is drawn from. What the UE
passes does not depend on what it does, so V is the optimum by backward induction, with values averaged over the ways
that cannot be told apart and maximised after that (Puterman, Markov Decision Processes, 1994, theorem 4.3.3). Whoever
knows less than F_d has no more.

**What is told.** The hindsight optimum of the episode less what knowing the way is worth:

    H(its way) - ( sum_w p_w H(w) - V_0 )

with H of ways as `oracle` solves them. Its mean is E[ V_0 ], and it varies with the episode as agents do. It never
exceeds the optimum in hindsight.

In a street without a crossing nothing is unknown to who knows all this: there the two are the same. For pedestrians F_d
grants too much to matter, the blockages. A bound that hides them needs a resampler of blockages of all cells and a
penalty on what a handover brings over its half second; it is not built.

    python -m mmwave_baselines.street.causal street/car-sparse --episodes 32

shows what knowing the way is worth.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.street.oracle import Way, solve
from mmwave_gym.benchmark.statistics import mean_interval
from mmwave_gym.benchmark.suite import task as find_task
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.scenario import EpisodeRng
from mmwave_gym.core.types import Float64Array
from mmwave_gym.radio.street_maps import Route, routes
from mmwave_gym.scenarios.street.world import StreetEpisodes, StreetWorld

SLACK = 1e-6
"""bit/s/Hz, outward: above what rounding does to a mean rate."""
_NEVER = 2**31


class _Route:
    """Stands for the chance of a route, and gives numbers that were chosen."""

    def __init__(self, nth: int, numbers: tuple[float, float, float]):
        self._nth, self._numbers = nth, numbers

    def integers(self, count: int) -> int:
        return self._nth

    def random(self, count: int) -> tuple[float, float, float]:
        return self._numbers


class _Rng(EpisodeRng):
    """The chance of an episode with another route."""

    def __init__(self, rng: EpisodeRng, route: _Route):
        super().__init__(rng.key)
        self._route = route

    def __getitem__(self, cause: str) -> Any:
        return self._route if cause == "route" else super().__getitem__(cause)


def possible_ways(world: StreetWorld, rng: EpisodeRng) -> tuple[StreetEpisodes, Float64Array, NDArray[np.int64]]:
    """Drives by every way that cannot be told from the episode's at its start, the episode's own first.

    Returns them, their probabilities (way,), and the tick (way, way) from which two are told apart, past the last one
    for never.
    """
    chance = rng["route"]
    nth, (way_u, speed_u, begin_u) = int(chance.integers(len(world.config.map_seeds))), chance.random(3)
    _, own, begin_m, speed_mps = world.route(nth, way_u, speed_u, begin_u)
    ways, share = routes(world.geometry)
    tick_m, above = world.tick_m(speed_mps), share.cumsum()
    rooms = np.array([len(way.lane) - 1 - tick_m * world.ticks for way in ways])
    first = int(begin_m) + 2
    found = [w for w, way in enumerate(ways) if way is own]
    found += [w for w, way in enumerate(ways) if way is not own and rooms[w] >= begin_m and _same(way, own, first)]
    numbers = [((above[w] - share[w] / 2.0) / above[-1], speed_u, begin_m / rooms[w]) for w in found]
    numbers[0] = way_u, speed_u, begin_u
    drives = world.empty(len(found))
    world.draw_into([_Rng(rng, _Route(nth, n)) for n in numbers], drives, drives.row)
    weight = share[found] / rooms[found]
    along = (begin_m + tick_m * np.arange(drives.place_m.shape[1])).astype(np.int64) + 2
    apart = np.array([[int(np.searchsorted(along, _shared(ways[a], ways[b]), "right")) for b in found] for a in found])
    return drives, weight / weight.sum(), apart


def _shared(one: Route, other: Route) -> int:
    """How many points of two ways are the same, from their begin on."""
    n = min(len(one.lane), len(other.lane))
    differ = (one.lane[:n] != other.lane[:n]) | (one.point[:n] != other.point[:n])
    return int(differ.argmax()) if differ.any() else _NEVER


def _same(one: Route, other: Route, points: int) -> bool:
    return _shared(one, other) >= points


def values(way: Way, chance: Float64Array, apart: NDArray[np.int64], most: int) -> Float64Array:
    """V at the start, (way, cell), in bit/s/Hz times a decision, where ways are told apart from ticks `apart` on.

    chance: (way,), probabilities; apart: (way, way), ticks; most: ticks of T310.
    """
    best = way.empty()
    following = np.zeros((way.num_envs, way.cells, most))
    for d in range(way.decisions - 1, -1, -1):
        kept = way.kept(best, following, d)
        goes = way.handovers(best, d)[:, :, None, :]
        # What is no handover, since the command is lost or the cell is not prepared, is to stay.
        worth = np.where(np.isfinite(goes) & way.arrives(d, most)[..., None], goes, kept[..., None])
        alike = chance * (apart > d * way.each)
        mean = np.tensordot(alike / alike.sum(axis=1, keepdims=True), worth, axes=1)
        following = mean.max(axis=3)
        best[:, d] = following[..., 0]
    return best[:, 0]


def price_of_the_way(task: Task, episode: int) -> float:
    """What knowing the way beforehand is worth in a test episode, in bit/s/Hz."""
    scenario: Any = task.scenario()  # a `Street`
    constants = scenario.constants()
    world = StreetWorld(scenario.config, scenario.world.after)
    (key,) = task.keys([episode])
    drives, chance, apart = possible_ways(world, EpisodeRng(key))
    if len(chance) == 1 or (apart[0] >= int(constants["ticks"])).all():
        return 0.0
    prepared = None
    if world.conditional:
        decisions = -(-int(constants["ticks"]) // int(constants["decision_ticks"]))
        at = world.newest_prepared(int(constants["decision_ticks"]) * np.arange(decisions))
        prepared = drives.prepared[:, at]
    way = Way(drives.sinr_db, drives.rsrp_dbm, constants, prepared)
    serving = int(drives.rsrp_dbm[0, 0].argmax())
    knowing = solve(drives.sinr_db, drives.rsrp_dbm, constants, prepared).value[:, serving]
    causal = values(way, chance, apart, int(constants["t310_ticks"]))[0, serving]
    return max(float(chance @ knowing - causal) * way.each / int(constants["ticks"]), 0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description="What knowing the way beforehand is worth.")
    parser.add_argument("task", help="such as street/car-sparse")
    parser.add_argument("--episodes", type=int, default=32)
    asked = parser.parse_args()
    task = find_task(asked.task)
    worth = [price_of_the_way(task, episode) for episode in range(asked.episodes)]
    found = mean_interval(np.array([worth]))
    print(f"{found.mean:.5f} [{found.low or 0.0:.5f}, {found.high or 0.0:.5f}] bit/s/Hz, at most {max(worth):.5f}")


if __name__ == "__main__":
    main()
