"""How much there is to win in streets, and what commands in outage gain: python -m bench.streets [headroom | loophole]

Both play cars on maps that nobody is tested on, with the chance of the training split. Differences are paired by
episode; 95 % intervals resample maps. A rule is tuned on other episodes, by its hysteresis alone.

--write PAGE puts the table between the page's marks `<!-- python -m bench.streets WHAT -->`.

loophole: tuned A3 against the same that names the strongest other cell whenever the SINR is below `out_db`.
headroom: for every kind of handover and of sight the exact optimum in hindsight, A3, and CHO-A3.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.page import write_between
from mmwave_baselines.street.conditional import ChoA3
from mmwave_baselines.street.oracle import Oracle
from mmwave_baselines.street.rules import A3
from mmwave_gym.agents.protocol import RowRng
from mmwave_gym.agents.rule import Seen
from mmwave_gym.benchmark.evaluation import evaluate
from mmwave_gym.benchmark.statistics import Interval, difference_interval, mean_interval
from mmwave_gym.benchmark.suite import task as find_task
from mmwave_gym.core.scenario import EpisodeRng
from mmwave_gym.core.types import Float64Array, Int64Array

MAPS = tuple(range(1001, 1129))
MANY = 256
HYSTERESES_DB = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
WORLDS: Mapping[str, Mapping[str, Any]] = {
    "statistical sight, command": {},
    "statistical sight, conditional": {"handover": "conditional"},
    "geometric sight, command": {"sight": "geometry"},
    "geometric sight, conditional": {"sight": "geometry", "handover": "conditional"},
}


class InOutage(A3):
    """A3 that below `out_db` commands the strongest other cell at every decision."""

    rule = "a3-in-outage"

    def act(self, seen: Seen, rng: RowRng) -> Int64Array:
        chosen, serving = super().act(seen, rng), seen["serving"].argmax(axis=1)
        others_dbm = np.where(seen["serving"] > 0.0, -np.inf, seen["rsrp_0_dbm"])
        out = (seen["sinr_db"][:, 0] < seen.constants["out_db"]) & (chosen == serving)
        return np.where(out, others_dbm.argmax(axis=1), chosen)


class World:
    """Cars on `MAPS` in one version, with keywords, in so many episodes; as many others are there to tune on."""

    def __init__(self, version: int, episodes: int, **keywords: Any):
        of = find_task("street/car-unseen-v1")
        kwargs = {**of.kwargs, "maps": MAPS, **keywords}
        self.task = replace(of, env_id=f"MmwaveStreet-v{version}", name="street/custom", groups=(), kwargs=kwargs)
        self.episodes = episodes
        keys = self.task.keys(list(range(episodes)), "train")
        self.groups = np.array([EpisodeRng(key)["route"].integers(len(MAPS)) for key in keys])

    def rates(self, agent: Any, tuning: bool = False) -> Float64Array:
        """(1, episode): what an agent gets, in bit/s/Hz."""
        first = self.episodes if tuning else 0
        rows = evaluate(agent, self.task, episodes=first + self.episodes, split="train", skip=frozenset(range(first)))
        return np.array([[row["rate_bps_hz"] for row in rows]])

    def tuned(self, kind: Callable[..., Any]) -> Any:
        """The rule with the hysteresis that is best on the episodes to tune on."""
        rules = [kind(hysteresis_db=level_db) for level_db in HYSTERESES_DB]
        return max(rules, key=lambda rule: self.rates(rule, tuning=True).mean())

    def less(self, values: Float64Array, other: Float64Array) -> Interval:
        """The mean of `values - other`, both (1, episode) in bit/s/Hz."""
        return difference_interval(values, other, self.groups)


def loophole(version: int, episodes: int) -> tuple[Interval, float]:
    """What commands in outage bring A3, in bit/s/Hz, and A3's hysteresis in dB, tuned where episodes are many."""
    world = World(version, episodes)
    a3 = world.tuned(A3) if episodes >= MANY else A3()
    return world.less(world.rates(InOutage(a3.hysteresis_db)), world.rates(a3)), a3.hysteresis_db


def said(interval: Interval) -> str:
    low, high = interval.low or 0.0, interval.high or 0.0
    return f"{interval.mean:+.4f} [{low:+.4f}, {high:+.4f}]"


def loophole_table(episodes: int) -> Iterator[str]:
    """A row for each version."""
    yield "| version | A3's hysteresis, dB | commands in outage less A3, bit/s/Hz |"
    yield "|---|---|---|"
    for version in (0, 1):
        found, hysteresis_db = loophole(version, episodes)
        yield f"| v{version} | {hysteresis_db:g} | {said(found)} |"


def headroom_table(episodes: int) -> Iterator[str]:
    """A row for each world and agent; the share is of A3's distance to the optimum in the same world."""
    yield "| world | agent | bit/s/Hz | less A3 | share of A3's headroom |"
    yield "|---|---|---|---|---|"
    for name, keywords in WORLDS.items():
        world = World(1, episodes, **keywords)
        rules = [A3, ChoA3] if keywords.get("handover") else [A3]
        players = [*(world.tuned(kind) for kind in rules), Oracle()]
        found = [world.rates(player) for player in players]
        most = (found[-1] - found[0]).mean()
        for player, rates in zip(players, found, strict=True):
            share = (rates - found[0]).mean() / most
            mean, less = mean_interval(rates, world.groups).mean, said(world.less(rates, found[0]))
            yield f"| {name} | {player.label} | {mean:.4f} | {less} | {share:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    tables = {"headroom": headroom_table, "loophole": loophole_table}
    parser.add_argument("what", choices=tables)
    parser.add_argument("--episodes", type=int, default=512)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="a page, whose text between the marks is replaced")
    args = parser.parse_args()
    lines = []
    for line in tables[args.what](args.episodes):
        print(line, flush=True)
        lines.append(line)
    if args.write:
        write_between(args.write, f"<!-- python -m bench.streets {args.what} -->", "\n".join(lines))


if __name__ == "__main__":
    main()
