"""How fast mmwave-gym is, as ratios that are measured in one run: `python -m bench [--quick] [--only NAME …]`.

Every ratio compares two things on one thread, in turns A B A B …, by CPU time, best of the rounds: what else runs on
the machine then hardly matters. Speed is shown beside its goal and is no assertion; the exit code is 0. The peer is
mobile-env from PyPI, the most used environment of this field; without it, rows that need it say so.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import math
import os
import platform
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from threadpoolctl import threadpool_limits

import mmwave_gym  # noqa: F401  (registers the environments)
from bench.measure import Row, alternate, seconds
from bench.training import ENV_ID, a3c_updates, ppo_frames, ppo_share
from mmwave_gym.core.batch import Batch
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng
from mmwave_gym.scenarios.power_allocation.clustering import floc
from mmwave_gym.scenarios.power_allocation.world import in_strips

PEER_ID = "mobile-small-central-v0"
COPIES = 1024
CELL_SELECTION_UES = 6
ASSOCIATION_COPIES = 64
POWER_COPIES = 512
POWER_NETWORK = {"layout": "poisson", "scope": "network", "interference": "network", "interference_range_m": 200.0}
BS_PER_M2 = 120e-6


# ---------------------------------------------------------------------- contestants: CPU seconds for one step


def one_env(env: gym.Env[Any, Any], steps: int) -> Callable[[], float]:
    """Random actions, sampled before the clock starts; resets count."""
    env.reset(seed=0)
    env.action_space.seed(0)
    actions = [env.action_space.sample() for _ in range(steps)]

    def play() -> None:
        env.reset()
        for action in actions:
            _, _, terminated, truncated, _ = env.step(action)
            if terminated or truncated:
                env.reset()

    return lambda: seconds(play) / steps


def vector_env(num_envs: int, steps: int) -> Callable[[], float]:
    """Random actions; the first episodes are drawn before the clock starts, all later ones while it runs."""
    env = gym.make_vec(ENV_ID, num_envs=num_envs)
    env.reset(seed=0)
    actions = np.random.default_rng(0).integers(0, env.single_action_space.n, (64, num_envs))

    def play() -> None:
        for t in range(steps):
            env.step(actions[t % 64])

    seconds(play)  # touches all memory once
    return lambda: seconds(play) / (steps * num_envs)


# ---------------------------------------------------------------------- what the chance alone costs


class _Recorder:
    """Stands in for a generator and notes what is drawn from it."""

    def __init__(self, rng: np.random.Generator, cause: str, notes: list[tuple[str, str, Any]]):
        self._rng, self._cause, self._notes = rng, cause, notes

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._rng, name)

        def draw(size: Any = None, **keywords: Any) -> Any:
            value = method(size, **keywords)
            self._notes.append((self._cause, name, np.shape(value)))
            return value

        return draw


class _RecordingRng(EpisodeRng):
    def __init__(self, key: EpisodeKey):
        super().__init__(key)
        self.notes: list[tuple[str, str, Any]] = []

    def __getitem__(self, cause: str) -> Any:
        return _Recorder(super().__getitem__(cause), cause, self.notes)


def draws_of_an_episode() -> list[tuple[str, str, Any]]:
    """(cause, method, shape) of every draw that an episode of the default environment makes."""
    rng = _RecordingRng(EpisodeKey(0))
    gym.make(ENV_ID).unwrapped.scenario.draw([rng])  # type: ignore[attr-defined]
    return rng.notes


def keyed_draws(episodes: int) -> Callable[[], float]:
    """CPU seconds an episode for its draws alone, with the environment's own keys and streams."""
    causes: dict[str, list[tuple[str, Any]]] = {}
    for cause, method, shape in draws_of_an_episode():
        causes.setdefault(cause, []).append((method, shape))

    def draw() -> None:
        for seed in range(episodes):
            rng = EpisodeRng(EpisodeKey(seed))
            for cause, calls in causes.items():
                stream = rng[cause]
                for method, shape in calls:
                    getattr(stream, method)(shape)

    return lambda: seconds(draw) / episodes


def unkeyed_draws(episodes: int) -> Callable[[], float]:
    """The same amount from one generator, so without what reproducible episodes cost."""
    stream = np.random.default_rng(0)
    calls = [(method, shape) for _, method, shape in draws_of_an_episode()]

    def draw() -> None:
        for _ in range(episodes):
            for method, shape in calls:
                getattr(stream, method)(shape)

    return lambda: seconds(draw) / episodes


# ---------------------------------------------------------------------- the lines of the table


def peer() -> tuple[gym.Env[Any, Any] | None, str]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import mobile_env  # noqa: F401

            version = importlib.metadata.version("mobile-env")
            return gym.make(PEER_ID, disable_env_checker=True), f"mobile-env {version}"
    except ImportError as error:
        return None, f"not measured: mobile-env cannot be imported ({error}); pip install --no-deps mobile-env"


def against_peer(quick: bool) -> list[Row]:
    other, name = peer()
    contestants = {"one": one_env(gym.make(ENV_ID), 2_400), "vector": vector_env(COPIES, 300 if quick else 600)}
    if other is not None:
        contestants["peer"] = one_env(other, 100)
    cost = alternate(contestants, rounds=3 if quick else 6)
    theirs = cost.get("peer")
    setup = f"{name}, {PEER_ID}: {1 / theirs:,.0f} steps/s; ours" if theirs else f"{name}; ours"
    return [
        Row(
            "one env behind gym.make / mobile-env small",
            theirs and theirs / cost["one"],
            ">= 60",
            f"{setup} {1 / cost['one']:,.0f} steps/s ({cost['one'] * 1e6:.1f} us)",
        ),
        Row(
            f"native vector env, {COPIES} copies / mobile-env small",
            theirs and theirs / cost["vector"],
            ">= 1500",
            f"{setup} {1 / cost['vector']:,.0f} steps/s ({cost['vector'] * 1e9:.0f} ns)",
        ),
    ]


def against_chance(quick: bool) -> list[Row]:
    horizon = gym.make(ENV_ID).unwrapped.scenario.horizon  # type: ignore[attr-defined]
    cost = alternate(
        {
            "vector": vector_env(COPIES, horizon // 2 if quick else horizon),
            "keyed": keyed_draws(200),
            "unkeyed": unkeyed_draws(200),
        },
        rounds=3 if quick else 5,
    )
    total = cost["vector"] * horizon
    setup = f"{COPIES} copies, an episode of {horizon} slots: {total * 1e6:.0f} us in all,"
    return [
        Row(
            "vector env / its keyed draws alone",
            total / cost["keyed"],
            "<= 3",
            f"{setup} draws {cost['keyed'] * 1e6:.0f} us",
        ),
        Row(
            "vector env / the same draws from one unkeyed generator",
            total / cost["unkeyed"],
            "<= 6",
            f"{setup} draws {cost['unkeyed'] * 1e6:.0f} us",
        ),
    ]


def worst_step(quick: bool) -> Row:
    """All copies end together, twice. The same steps are played again and again; the least time of each counts."""
    horizon = 300 if quick else 1200
    replays = 3
    env = gym.make_vec(ENV_ID, num_envs=COPIES, boundary="stay", horizon=horizon)
    actions = np.random.default_rng(0).integers(0, env.single_action_space.n, (64, COPIES))
    steps = 2 * horizon + 10
    cost = np.full(steps, np.inf)
    for _ in range(replays):
        env.reset(seed=0)
        for t in range(steps):
            start = time.process_time()
            env.step(actions[t % 64])
            cost[t] = min(cost[t], time.process_time() - start)
    cost = cost[1:]  # the first step of a run pays for memory
    median, worst = np.median(cost), cost.max()
    return Row(
        f"worst / median step, {COPIES} copies that all end together",
        worst / median,
        "<= 3",
        f"horizon {horizon}, two ends; median {median * 1e3:.2f} ms, worst {worst * 1e3:.2f} ms at step "
        f"{cost.argmax() + 2}, least of {replays} replays",
    )


def cell_selection_rate(quick: bool) -> Row:
    """Whole episodes of many UEs, so that each slot has paid for the draws of a later one; the goal is an absolute."""
    horizon, rounds = 1000, 2 if quick else 8
    batch = Batch(make_scenario("cell_selection", num_ues=CELL_SELECTION_UES, horizon=horizon), COPIES)
    batch.reset([EpisodeKey(seed) for seed in range(COPIES)])
    actions = np.random.default_rng(0).integers(0, 3, (64, COPIES, CELL_SELECTION_UES))

    # The least time of each part counts: what else the machine does seldom lets a whole episode alone.
    slots, parts = 20, horizon // 20
    spent = {observed: np.full(parts, np.inf) for observed in (False, True)}

    def play(observed: bool) -> None:
        for part in range(parts):
            start = time.process_time()
            for t in range(part * slots, (part + 1) * slots):
                batch.step(actions[t % 64])
                if observed:
                    batch.observe()
            if part == parts - 1:
                batch.restart(np.arange(COPIES))
            spent[observed][part] = min(spent[observed][part], time.process_time() - start)

    for _ in range(rounds):
        for observed in spent:
            play(observed)
    cost = {name: spent[observed].sum() / horizon for name, observed in (("stepped", False), ("observed", True))}
    million = {name: COPIES * CELL_SELECTION_UES / cost[name] / 1e6 for name in cost}
    return Row(
        "cell selection, million UE-slots/s on one core",
        million["stepped"],
        ">= 12",
        f"{COPIES} copies of {CELL_SELECTION_UES} UEs, episodes of {horizon} slots with their keyed draws: "
        f"{cost['stepped'] * 1e6:.0f} us a slot; {million['observed']:.1f} million with everybody's observation",
    )


def association_epochs(quick: bool) -> list[Row]:
    """Decisions of one world and of a batch, each with its observation and mask; absolute numbers."""
    rows, steps = [], 20
    for copies in (1, ASSOCIATION_COPIES):
        batch = Batch(make_scenario("association", num_ues=512), copies, draws_ahead=False)
        batch.reset([EpisodeKey(seed) for seed in range(copies)])
        actions = np.random.default_rng(0).integers(0, 2, (64, copies, 1))

        def play(batch: Batch = batch, actions: Any = actions) -> None:
            for t in range(steps):
                batch.step(actions[t % 64])
                batch.observe()
                batch.action_mask()

        cost = min(seconds(play) for _ in range(50 if quick else 200)) / (steps * copies)
        rows.append(
            Row(
                f"association, epochs/s of {'one world' if copies == 1 else f'{copies} copies'}",
                1.0 / cost,
                ">= 5000" if copies == 1 else ">= 40000",
                f"512 UEs, paper geometry, one core: {1e6 * cost:.1f} us an epoch with observation and mask",
            )
        )
    return rows


def association_worlds(quick: bool) -> list[Row]:
    """Building a world of 100 s: routes, visits, epochs, what is foreseen."""
    rows = []
    for num_ues, goal in ((2048, "<= 0.5"), (10_000, "<= 3")):
        scenario = make_scenario("association", num_ues=num_ues, geometry="blocked")

        def build(scenario: Any = scenario) -> None:
            scenario.draw([EpisodeRng(EpisodeKey(0))])

        cost = min(seconds(build) for _ in range(1 if quick else 4))
        setup = f"blocked geometry, {scenario.config.duration_s:g} s, one core"
        rows.append(Row(f"association, seconds for a world of {num_ues:,} UEs", cost, goal, setup))
    return rows


def plain_power_slot(batch: Batch) -> float:
    """CPU seconds for one copy's SINRs and rewards alone where Python goes link by link."""
    state, noise_mw = batch.state, batch.scenario.constants()["noise_mw"]
    gain = state.gain[0]
    links = (
        [[(j, float(g)) for j, g in enumerate(row) if g] for row in gain]
        if isinstance(gain, np.ndarray)
        else [
            list(zip(*(part[first:last].tolist() for part in (gain.indices, gain.data)), strict=True))
            for first, last in pairwise(gain.indptr.tolist())
        ]
    )
    power, own, line = state.power_mw[0].tolist(), state.own_gain[0].tolist(), math.log2(2.83)

    def play() -> None:
        for i, heard in enumerate(links):
            interference_mw = noise_mw
            for j, g in heard:
                interference_mw += power[j] * g
            capacity = math.log2(1.0 + power[i] * own[i] / interference_mw)
            (capacity - abs(capacity - 2.0 * line)) / (2.0 * line)

    return min(seconds(play) for _ in range(5))


def power_slot(batch: Batch, steps: int, rounds: int) -> float:
    """CPU seconds of a slot with everybody's observation; draws of worlds do not count."""
    shape = (8, batch.num_envs, batch.scenario.num_agents)
    actions = np.random.default_rng(0).integers(0, 32, shape)

    def play() -> None:
        for t in range(steps):
            batch.step(actions[t % 8])
            batch.observe()

    return min(seconds(play) for _ in range(rounds)) / steps


def power_rates(quick: bool) -> list[Row]:
    """Agent-steps of clusters and networks of base stations, and what a network costs to draw and to keep."""
    rows, rounds = [], 3 if quick else 12
    kinds: list[tuple[str, int, int, dict[str, Any]]] = [(f"{POWER_COPIES} clusters of 14", POWER_COPIES, 14, {})]
    kinds += [
        (
            f"{copies} network{'s' * (copies > 1)} of {n:,}",
            copies,
            n,
            {**POWER_NETWORK, "side_m": (n / BS_PER_M2) ** 0.5},
        )
        for copies, n in ((1, 1000), (16, 1000), (1, 10_000), (1, 100_000))
    ]
    for name, copies, n, keywords in kinds:
        steps = max(200_000 // (copies * n), 2)
        for observation, goal in (("ring", ">= 15"), ("local", "-")):
            batch = Batch(
                make_scenario("power_allocation", observation=observation, **keywords), copies, draws_ahead=False
            )
            keys = [EpisodeKey(seed) for seed in range(copies)]
            drawn_s = seconds(lambda batch=batch, keys=keys: batch.reset(keys))
            cost = power_slot(batch, steps, rounds)
            live = int(batch.state.present.sum())
            million = live / cost / 1e6
            plain = plain_power_slot(batch) / int(batch.state.present[0].sum())
            setup = (
                f"everybody's {observation} observation, 32 levels; {cost * 1e3:.3g} ms a slot, "
                f"{plain * live / cost:.0f} times plain Python that only measures; "
                f"drawn in {drawn_s:.2g} s, {megabytes(batch):,.0f} MB"
            )
            rows.append(Row(f"power, {name}, {observation}: million agent-steps/s", million, goal, setup))
    return rows


def megabytes(batch: Batch) -> float:
    """What the arrays of a batch's worlds and state take."""
    arrays = [a for record in (batch.episodes, batch.state) for a in vars(record).values()]
    dense = sum(a.nbytes for a in arrays if a.dtype != object)
    gains = {id(g): g for a in arrays if a.dtype == object for g in a if g is not None}
    return (dense + sum(g.data.nbytes + g.indices.nbytes + g.indptr.nbytes for g in gains.values())) / 1e6


def clustering_time(quick: bool) -> Row:
    """FLOC among as many base stations as the largest network has."""
    n = 100_000
    place_m = np.random.default_rng(0).random((n, 2)) * (n / BS_PER_M2) ** 0.5

    def cluster() -> None:
        floc(in_strips(place_m, 100.0), np.random.default_rng(1))

    cluster_s = min(seconds(cluster) for _ in range(1 if quick else 3))
    return Row(f"FLOC, seconds for {n:,} base stations", cluster_s, "<= 3", "120 a km2, unit 100 m, one core")


def sqa_speed(quick: bool) -> Row:
    """The exploration of the paper's planner, compiled."""
    what, goal, num_ues = "SQA, million exploration steps/s", ">= 10", 2048
    try:
        from mmwave_baselines.association.sqa_cost import sqa_cost
    except ImportError as error:
        return Row(what, None, goal, f"not measured: {error}")
    cost = sqa_cost(num_ues, planned=5 if quick else 30)
    setup = (
        f"{num_ues} UEs, {cost.iterations} times {cost.depth_epochs} epochs: {cost.epoch_ms:.1f} ms a decision, "
        f"one every {cost.gap_ms:.1f} ms"
    )
    return Row(what, 1e3 / cost.step_ns, goal, setup)


def same_as_single(quick: bool) -> Row:
    """Observations, rewards, ends of some copies against single environments, through autoresets."""
    copies, seed, steps = COPIES, 7, 120
    vector, looked_at = gym.make_vec(ENV_ID, num_envs=copies, horizon=50), (0, 1, copies // 2, copies - 1)
    singles = [gym.make(ENV_ID, horizon=50) for _ in looked_at]
    observation, _ = vector.reset(seed=seed)
    equal = all(
        np.array_equal(env.reset(seed=seed + i)[0], observation[i]) for i, env in zip(looked_at, singles, strict=True)
    )
    actions = np.random.default_rng(0).integers(0, vector.single_action_space.n, (steps, copies))
    over = [False] * len(singles)
    for action in actions:
        observation, reward, terminated, truncated, _ = vector.step(action)
        for j, (i, env) in enumerate(zip(looked_at, singles, strict=True)):
            got = (observation[i], reward[i], terminated[i], truncated[i])
            want = (env.reset()[0], 0.0, False, False) if over[j] else env.step(int(action[i]))[:4]
            equal &= all(np.array_equal(g, w) for g, w in zip(got, want, strict=True))
            over[j] = bool(want[2] or want[3])
    return Row(
        "copies of the vector env equal the single env bit for bit",
        bool(equal),
        "yes",
        f"copies {looked_at} of {copies}, {steps} steps, episodes of at most 50",
    )


# ---------------------------------------------------------------------- the table

MEASURES: dict[str, Callable[[bool], Row | list[Row]]] = {
    measure.__name__: measure
    for measure in (
        *(against_peer, against_chance, worst_step, cell_selection_rate),
        *(association_epochs, association_worlds, sqa_speed),
        *(ppo_share, ppo_frames, a3c_updates),
        *(power_rates, clustering_time, same_as_single),
    )
}


def machine() -> dict[str, Any]:
    model = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    packages = ("mmwave-gym", "numpy", "gymnasium", "mobile-env", "stable-baselines3", "torch")
    versions = {}
    for package in packages:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "not installed"
    return {"cpu": model, "cores": os.cpu_count(), "python": platform.python_version(), **versions}


def shown(row: Row) -> str:
    if row.value is None:
        return "-"
    if isinstance(row.value, bool):
        return "yes" if row.value else "NO"
    return f"{row.value:,.0f}" if row.value >= 20 else f"{row.value:.2f}"


def markdown(rows: list[Row], host: dict[str, Any]) -> str:
    lines = ["| what | value | goal | set-up |", "|---|---|---|---|"]
    lines += [f"| {r.what} | {shown(r)} | {r.goal} | {r.setup} |" for r in rows]
    return "\n".join([*lines, "", ", ".join(f"{k} {v}" for k, v in host.items()), ""])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="folder for bench.json and bench.md")
    parser.add_argument("--quick", action="store_true", help="shorter and rougher")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=list(MEASURES), help=", ".join(MEASURES))
    arguments = parser.parse_args()
    rows: list[Row] = []
    with threadpool_limits(1):
        for name in arguments.only or MEASURES:
            print(f"{name} …", file=sys.stderr, flush=True)
            measured = MEASURES[name](arguments.quick)
            rows += measured if isinstance(measured, list) else [measured]
    host = machine()
    print(markdown(rows, host))
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "bench.md").write_text(markdown(rows, host))
        (arguments.out / "bench.json").write_text(
            json.dumps({"machine": host, "rows": [asdict(r) for r in rows]}, indent=1) + "\n"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
