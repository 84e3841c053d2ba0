"""What a lone UE has to win in the six traced cities, with all of their sites and with fewer: python -m bench.cities

Cars with conditional handover. A rule is tuned for each city by its hysteresis alone, on other episodes of that city,
which favours rules. Sites are left out from the last that was placed on.

--write PAGE puts the table between the page's marks `<!-- python -m bench.cities -->`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.page import write_between
from mmwave_baselines.street.conditional import ChoA3
from mmwave_baselines.street.fresh import A3Fresh
from mmwave_baselines.street.oracle import Oracle
from mmwave_gym.benchmark.evaluation import evaluate
from mmwave_gym.benchmark.suite import task as find_task
from mmwave_gym.benchmark.task import Task
from mmwave_gym.links.matrix import LinkMatrix
from mmwave_gym.sources import open_channel
from mmwave_gym.sources.cities import names

SITES = (16, 8, 5)
HYSTERESES_DB = (0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0)
OUT_DB = -8.0


def with_sites(city: str, sites: int) -> LinkMatrix:
    """A city with the first of its sites."""
    whole = open_channel(f"city:{city}")
    assert whole.site_m is not None
    return replace(
        whole, rsrp_dbm=whole.rsrp_dbm[:, :sites], cells=whole.cells[:sites], site_m=whole.site_m[:sites]
    )  # fmt: skip


def rates(agent: Any, task: Task, first: int, count: int) -> float:
    """What an agent gets in so many episodes of the training split's chance, in bit/s/Hz."""
    skipped = frozenset(range(first))
    rows = evaluate(agent, task, episodes=first + count, split="train", skip=skipped)
    return float(np.mean([row["rate_bps_hz"] for row in rows]))


def line(city: str, sites: int, episodes: int) -> str:
    channel = with_sites(city, sites)
    task = replace(
        find_task("street/city-car-v1"),
        name="street/custom",
        kwargs={"users": "car", "handover": "conditional", "channel": channel},
        training={},
    )
    most = rates(Oracle(), task, 0, episodes)
    left = []
    for kind in (ChoA3, A3Fresh):
        tuned = max(
            (kind(hysteresis_db=level_db) for level_db in HYSTERESES_DB),
            key=lambda rule: rates(rule, task, episodes, episodes // 2),
        )
        left.append(100.0 * (1.0 - rates(tuned, task, 0, episodes) / most))
    snr_db = np.where(np.isnan(channel.rsrp_dbm), -np.inf, channel.rsrp_dbm).max(axis=1) - channel.noise_dbm
    out = 100.0 * float((snr_db < OUT_DB).mean())
    return f"| {city} | {sites} | {out:.1f} % | {most:.2f} | {left[0]:.1f} % | {left[1]:.1f} % |"


def table(episodes: int) -> Iterator[str]:
    """A row for each city and number of sites."""
    yield "| city | sites | places below -8 dB | optimum, bit/s/Hz | CHO-A3 leaves | A3 on fresh SINR leaves |"
    yield "|---|---|---|---|---|---|"
    for sites in SITES:
        for city in names():
            yield line(city, sites, episodes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=64)
    parser.add_argument("--write", type=Path, metavar="PAGE", help="a page, whose text between the marks is replaced")
    args = parser.parse_args()
    lines = []
    for each in table(args.episodes):
        print(each, flush=True)
        lines.append(each)
    if args.write:
        write_between(args.write, "<!-- python -m bench.cities -->", "\n".join(lines))


if __name__ == "__main__":
    main()
