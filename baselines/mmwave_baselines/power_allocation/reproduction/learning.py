"""What is learned and measured in clusters for the reproduction of arXiv 1804.05757, a row for each run and method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mmwave_baselines.power_allocation import optimisation
from mmwave_baselines.power_allocation.q_learning import RULES, run as q_learning
from mmwave_baselines.power_allocation.reproduction.worlds import SETTINGS, Clusters
from mmwave_gym.benchmark.reproduction import Table
from mmwave_gym.benchmark.task import SUITE_SEED
from mmwave_gym.core.types import FloatArray
from mmwave_gym.radio.units import linear_to_db
from mmwave_gym.scenarios.power_allocation.config import PowerAllocationConfig
from mmwave_gym.scenarios.power_allocation.game import PowerAllocation

SIZES = tuple(range(2, 15))
QUICK_SIZES = (2, 8, 14)
STEPS = {False: 50_000, True: 10_000}
RUNS = {False: 100, True: 10}
"""As many as the authors'."""
FEWER_RUNS = {False: 40, True: 4}
"""For what the paper does not show: its text's worlds, and variants."""
SHARING_RUNS = {False: 20, True: 4}
"""For the readings of eq. 6 in which base stations tell each other their tables, at even sizes."""
LEARNERS = {"cdp": "paper", "exp": "exponential"}
SHARED = {"independent": "", "code": "-code", "eq6": "-eq6"}
SHARING_SETTINGS = ("authors", "repaired")
STEADY = 500
"""Last steps, without exploration, over which what a learner does is averaged, beside its very last step."""
VARIANTS: Mapping[str, Mapping[str, Any]] = {"gamma0": {"gamma": 0.0}}
RADII_M = (30.0, 50.0)


def sizes(quick: bool) -> tuple[int, ...]:
    """Cluster sizes that are played."""
    return QUICK_SIZES if quick else SIZES


def cluster_table(setting: str, num_bs: int, quick: bool) -> Table:
    """Every method in a setting at a size."""
    runs = (RUNS if setting in SHARING_SETTINGS else FEWER_RUNS)[quick]
    clusters = Clusters(SETTINGS[setting], num_bs, range(runs))
    rows = _rows_of(clusters, _fixed(clusters, setting == "repaired"))
    for rule in RULES if setting in SHARING_SETTINGS and num_bs % 2 == 0 else RULES[:1]:
        some = runs if rule == "independent" else SHARING_RUNS[quick]
        rows += learned(clusters, some, STEPS[quick], rule)
    return rows


def variants_table(num_bs: int, quick: bool) -> Table:
    """The learners with something changed, in the repaired setting."""
    clusters = Clusters(SETTINGS["repaired"], num_bs, range(FEWER_RUNS[quick]))
    rows = []
    for variant, keywords in VARIANTS.items():
        rows += learned(clusters, FEWER_RUNS[quick], STEPS[quick], "independent", f"-{variant}", **keywords)
    return rows


def radius_table(radius_m: float, quick: bool) -> Table:
    """Fourteen base stations with UEs farther away, as the text draws worlds."""
    setting = replace(SETTINGS["text"], keywords={"ue_radius_m": radius_m})
    clusters = Clusters(setting, SIZES[-1], range(FEWER_RUNS[quick]))
    rows = _rows_of(clusters, _fixed(clusters, False))
    return rows + learned(clusters, FEWER_RUNS[quick], STEPS[quick], "independent")


def learned(clusters: Clusters, runs: int, steps: int, rule: str, suffix: str = "", **keywords: Any) -> Table:
    """CDP-Q and EXP-Q in the first so many runs. The same exploration for both, and for each rule."""
    rows = []
    for learner, reward in LEARNERS.items():
        name = f"{learner}{SHARED[rule]}{suffix}"
        last_mw = np.full_like(clusters.episodes.own_gain, clusters.levels_mw[0])
        details = []
        for at in range(runs):
            found = q_learning(
                clusters.episodes.gain[at],
                clusters.episodes.own_gain[at],
                clusters.noise_mw,
                clusters.levels_mw,
                clusters.state.ring[at],
                rng=clusters.chance[at]["exploring"],
                rule=rule,
                reward=reward,
                qos_sinr=clusters.qos_sinr,
                steps=steps,
                authors=clusters.setting.accumulated,
                stop=True,
                **keywords,
            )
            last_mw[at] = found.power_mw
            late = slice(-STEADY, None)
            details.append(
                {
                    "steps": found.steps,
                    "rests": bool((found.rate_bps_hz[late] == found.rate_bps_hz[-1]).all()),
                    "steady_rate_bps_hz": round(float(found.rate_bps_hz[late].mean()), 4),
                    "steady_satisfied": round(float(found.satisfied[late].mean()), 4),
                }
            )
        rows += [row | more for row, more in zip(_rows_of(clusters, {name: last_mw}, runs), details, strict=True)]
    return rows


def _fixed(clusters: Clusters, all_of_them: bool) -> dict[str, FloatArray]:
    """Powers of methods that do not learn, (run, A)."""
    low_mw, high_mw = clusters.plays.power_mw
    shape = clusters.episodes.own_gain.shape
    powers = {"full": np.full(shape, high_mw), "random": clusters.random_mw(), "optimum": clusters.optimum_mw()}
    if all_of_them:
        network = clusters.network()
        powers["minimum"] = np.full(shape, low_mw)
        powers["foschini-miljanic"] = optimisation.foschini_miljanic(network)
        powers["max-min"] = optimisation.max_min_sinr(network)[0]
        powers["wmmse"] = optimisation.wmmse(network)
        if clusters.num_bs in (2, 3, 4, 8, 14):
            powers["levels"] = optimisation.coordinate_ascent(network)
    return powers


def _rows_of(clusters: Clusters, powers: Mapping[str, FloatArray], runs: int | None = None) -> Table:
    """Rows of powers, as the environment plays them."""
    rows = []
    for name, power_mw in powers.items():
        capacity, satisfied = clusters.play(power_mw)
        for at, run in enumerate(clusters.runs[:runs]):
            rows.append(
                {
                    "run": run,
                    "method": name,
                    "capacity_bps_hz": capacity[at].round(4).tolist(),
                    "satisfied": int(satisfied[at].sum()),
                    "power_dbm": round(float(linear_to_db(power_mw[at]).mean()), 3),
                }
            )
    return rows


def reward_table() -> Table:
    """Capacities and rewards that the environment gave for random powers, by capacity: Fig. 1."""
    rows = []
    for learner, reward in LEARNERS.items():
        scenario = PowerAllocation(PowerAllocationConfig(num_bs=14, reward=reward))
        rngs = [Clusters(SETTINGS["text"], 14, [run]).chance[0] for run in range(16)]
        episodes = scenario.draw(rngs)
        state = scenario.start(episodes)
        chance = np.random.default_rng(SUITE_SEED)
        pairs = []
        for _ in range(100):
            outcome = scenario.step(episodes, state, chance.integers(32, size=(16, 14)))
            pairs.append(np.stack((state.capacity_bps_hz.ravel(), outcome.reward.ravel())))
        capacity, gained = np.concatenate(pairs, axis=1)
        grid = np.linspace(0.0, 8.0, 161)
        nearest = np.unique(np.abs(capacity[:, None] - grid).argmin(axis=0))
        order = nearest[np.argsort(capacity[nearest])]
        rows += [{"learner": learner, "capacity_bps_hz": float(capacity[i]), "reward": float(gained[i])} for i in order]
    return rows
