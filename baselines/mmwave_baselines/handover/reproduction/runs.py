"""The learning and testing of arXiv 1801.02077, section V-B: worlds in which everything is trained and played once.

In each world: the four UEs of each area are clustered; A3C learns for 119 s in area A1's server, in both modes, with
and without imitation first, with and without clustering; then five new UEs arrive in A1 and every method plays them.
Prices of handovers change no walk and no channel, so all of Figs. 8 to 10 is paired by world.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from mmwave_baselines.handover.a3c import (
    A3_PAIRS,
    LEARNING_BLOCKS,
    Curve,
    Played,
    act,
    earned,
    follow,
    imitate,
    learn,
    potential,
)
from mmwave_baselines.handover.a3c_speed import speed_curve
from mmwave_baselines.handover.reproduction.plan import BETAS
from mmwave_baselines.handover.traces import Traces, World, joined
from mmwave_baselines.handover.ucb import NormalisedUcb, Ucb
from mmwave_baselines.training.a3c_server import BLOCK, MODES, STABLE, Mode, Server, with_settings
from mmwave_gym.benchmark.reproduction import Table
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.types import Int64Array

AREA = "A1"
UES = 4  # an area, section V-B
ARRIVALS = 5  # new UEs a world: 500 runs in 100 worlds
LEARNING_SLOTS = LEARNING_BLOCKS * BLOCK
TEST_SLOTS = 40  # 2 s
WHOLE_SLOTS = LEARNING_SLOTS + TEST_SLOTS  # 121 s
WINDOWS = {"first": (0, TEST_SLOTS), "last": (LEARNING_SLOTS, WHOLE_SLOTS), "whole": (0, WHOLE_SLOTS)}
"""A UE's first 2 s, its last 2 s and all 121 s. Except for UCB, which has learned since, it is as new in each."""
BETA = 25.0
HYSTERESES_DB = tuple(float(h) for h in range(11))
WAITS = (0, 1, 2, 3, 4, 6)  # slots
BANDITS: dict[str, Callable[[], Ucb]] = {"ucb": Ucb, "ucb-30": NormalisedUcb}


def oracle_actions(traces: Traces, price: tuple[float, float]) -> Int64Array:
    """The best actions in hindsight (ues, slots): `potential` is Viterbi's value of every slot and cell; ties stay."""
    cost, kept = price
    value = potential(traces, with_settings("paper", regret=True), price)
    ues, slots = traces.efficiency.shape[:2]
    actions, serving, every = np.empty((ues, slots), np.int64), np.zeros(ues, np.int64), np.arange(ues)
    for t in range(slots):
        serving = np.where(traces.begins[:, t], traces.rsrq_db[:, t].argmax(axis=-1), serving)
        later = np.where(traces.begins[:, t + 1, None], 0.0, value[:, t + 1])
        change = later + kept * traces.efficiency[:, t] - cost
        best = change.argmax(axis=-1)
        stays = traces.efficiency[every, t, serving] + later[every, serving] >= change[every, best]
        serving = np.where(stays, serving, best)
        actions[:, t] = serving
    return actions


def bandit_actions(traces: Traces, price: tuple[float, float], agent: Ucb, fields: Any) -> Int64Array:
    """What a bandit does that learns while it plays, (ues, slots). fields: of the observation."""
    ues, slots, cells = traces.efficiency.shape
    view: Any = SimpleNamespace(fields=fields, num_rows=ues, action_mask=lambda: None)
    state = agent.begin(view)
    actions, serving, every = np.empty((ues, slots), np.int64), np.zeros(ues, np.int64), np.arange(ues)
    none = np.zeros(ues, bool)
    for t in range(slots):
        serving = np.where(traces.begins[:, t], traces.rsrq_db[:, t].argmax(axis=-1), serving)
        seen = np.concatenate((traces.rsrq_db[:, t], np.eye(cells, dtype=np.float32)[serving]), axis=1)
        action, state = agent.predict(seen, state)
        change = action != serving
        reward = traces.efficiency[every, t, action] * np.where(change, price[1], 1.0) - price[0] * change
        state = agent.learn(state, seen, action, reward, seen, none, {})
        actions[:, t] = serving = action
    return actions


def stay_actions(traces: Traces) -> Int64Array:
    """Actions (ues, slots) that keep the first serving cell of every episode."""
    actions, serving = np.empty(traces.efficiency.shape[:2], np.int64), np.zeros(len(traces.efficiency), np.int64)
    for t in range(traces.slots):
        serving = np.where(traces.begins[:, t], traces.rsrq_db[:, t].argmax(axis=-1), serving)
        actions[:, t] = serving
    return actions


def _means(played: Played) -> list[float]:
    """Reward, throughput and handovers a slot: means over the UEs of a world."""
    return [round(float(part.mean()), 6) for part in played]


class _WorldRun:
    """All of a world that does not depend on the price of handovers."""

    def __init__(self, seed: int, betas: Sequence[float]):
        self.seed = seed
        self.worlds = {beta: World(seed, beta) for beta in betas}
        world = self.worlds[BETA]
        self.exam = world.traces(AREA, ARRIVALS, WHOLE_SLOTS, "arrival")
        self.exams = {name: self.exam.between(*window) for name, window in WINDOWS.items()}
        clusters, observed = world.clusters(UES)
        self.clusters = clusters.count
        home = clusters.of_group([a == AREA for a, _ in observed])
        members = [m for m, h in zip(observed, clusters.labels, strict=True) if h == home]
        self.groups = {True: members, False: [(AREA, i) for i in range(UES)]}
        self.traces = {
            clustered: joined(
                world.traces(a, [i for b, i in group if b == a], LEARNING_SLOTS) for a in sorted({a for a, _ in group})
            )
            for clustered, group in self.groups.items()
        }
        fresh = Server.fresh(world.shape, seed)
        begun, self.agreement = imitate(fresh, world.traces(AREA, len(A3_PAIRS), 1000, "imitation"))
        self.begun = {False: fresh, True: begun}

    def learned(self, mode: Mode, beta: float, supervised: bool, clustered: bool) -> tuple[Server, Curve]:
        """The same as `train(mode, beta=beta, …)` of this seed gives; the curve is of the area's UEs."""
        found = learn(
            self.begun[supervised],
            self.traces[clustered],
            mode,
            self.worlds[beta].price,
            np.random.default_rng([self.seed, 1]),
            shown=[area == AREA for area, _ in self.groups[clustered]],
        )
        return found.server, found.curve

    def test(self, play: Callable[[Traces], Played]) -> dict[str, list[float]]:
        return {name: _means(play(exam)) for name, exam in self.exams.items()}

    def network(self, server: Server, beta: float, online: Mode | None = None) -> dict[str, list[float]]:
        price = self.worlds[beta].price
        return self.test(lambda exam: act(server, exam, price, np.random.default_rng([self.seed, 4]), online=online))

    def row(self, kind: str, method: str, beta: float, **rest: Any) -> dict[str, Any]:
        return {"kind": kind, "world": self.seed, "method": method, "beta": beta, **rest}


def worlds_table(worlds: Sequence[int], tradeoff: int) -> Table:
    """Rows of kind "played" (three windows, each reward, throughput, handovers a slot), "curve" and "a3".

    tradeoff: in worlds from this on only the largest beta is played.
    """
    rows: Table = []
    runs = [_WorldRun(seed, BETAS if seed < tradeoff else BETAS[-1:]) for seed in worlds]
    for run in runs:
        rows += _a3(run)
        rows += _networks(run)
    for beta in BETAS:
        rows += _together([run for run in runs if beta in run.worlds], beta)
    return rows


def _together(runs: Sequence[_WorldRun], beta: float) -> Iterable[dict[str, Any]]:
    """What is computed for all worlds at once, slot by slot: a UE is a row by itself."""
    if not runs:
        return
    price = runs[0].worlds[beta].price
    exams = {name: joined(run.exams[name] for run in runs) for name in WINDOWS}
    rules: dict[str, Callable[[Traces], Int64Array]] = {"oracle": lambda exam: oracle_actions(exam, price)}
    if beta == BETA:
        rules["stay"] = stay_actions  # at any price
    for method, rule in rules.items():
        played = {name: earned(exam, price, rule(exam)) for name, exam in exams.items()}
        for at, run in enumerate(runs):
            own = slice(at * ARRIVALS, (at + 1) * ARRIVALS)
            means = {name: _means(Played(*(part[own] for part in p))) for name, p in played.items()}
            yield run.row("played", method, beta, **means)
    if beta != BETA:
        return
    fields = make_scenario("handover", **runs[0].worlds[beta].keywords(AREA)).fields
    for method, agent in BANDITS.items():
        actions = bandit_actions(exams["whole"], price, agent(), fields)
        for at, run in enumerate(runs):
            own = slice(at * ARRIVALS, (at + 1) * ARRIVALS)
            means = {name: _means(_cut(run.exam, price, actions[own], *ends)) for name, ends in WINDOWS.items()}
            yield run.row("played", method, beta, **means)


def _cut(traces: Traces, price: tuple[float, float], actions: Int64Array, first: int, last: int) -> Played:
    """What actions earn between two slots, of UEs that came before: who served last is known."""
    before = max(first - 1, 0)
    whole = earned(traces.between(before, last), price, actions[:, before:last])
    if before == first:
        return whole
    lead = earned(traces.between(before, first), price, actions[:, before:first])
    count = last - before
    return Played(*((count * a - b) / (count - 1) for a, b in zip(whole, lead, strict=True)))


def _followed(price: tuple[float, float], hysteresis_db: float, wait: int, episodes: Any) -> Any:
    return follow(episodes, price, hysteresis_db, wait)


def _a3(run: _WorldRun) -> Iterable[dict[str, Any]]:
    price = run.worlds[BETA].price
    learning = run.traces[False]
    for hysteresis_db in HYSTERESES_DB:
        for wait in WAITS:
            # The reward at any beta follows from throughput and handovers.
            tuning = _means(follow(learning, price, hysteresis_db, wait))[1:]
            played = {k: v[1:] for k, v in run.test(partial(_followed, price, hysteresis_db, wait)).items()}
            yield {
                "kind": "a3", "world": run.seed, "hysteresis_db": hysteresis_db, "wait": wait, "tuning": tuning,
                **played,
            }  # fmt: skip


def _networks(run: _WorldRun) -> Iterable[dict[str, Any]]:
    yield run.row("played", "imitation", BETA, **run.network(run.begun[True], BETA))  # it knows no price
    for name, mode in MODES.items():
        for beta in (b for b in run.worlds if b != BETA):
            server, _ = run.learned(mode, beta, True, True)
            yield run.row("played", _method(name, True, True), beta, **run.network(server, beta))
        for supervised in (True, False):
            for clustered in (True, False):
                server, curve = run.learned(mode, BETA, supervised, clustered)
                method = _method(name, supervised, clustered)
                yield run.row("played", method, BETA, **run.network(server, BETA))
                if supervised:
                    yield run.row("played", f"{method}-online", BETA, **run.network(server, BETA, mode))
                columns = {part: [float(f"{x:.6g}") for x in values] for part, values in curve._asdict().items()}
                yield run.row(
                    "curve", method, BETA, ues=len(run.groups[clustered]), clusters=run.clusters,
                    agreement=run.agreement, **columns,
                )  # fmt: skip


def _method(mode: str, supervised: bool, clustered: bool) -> str:
    return f"a3c-{mode}{'' if supervised else '-unsupervised'}{'' if clustered else '-alone'}"


IN_TURN = with_settings(STABLE, averaged=False, warmup=0)
SPEEDS: dict[str, tuple[Mode, bool]] = {
    "delayed": (IN_TURN, True),
    "fresh": (IN_TURN, False),
    "averaged": (with_settings(STABLE, warmup=0), True),
    "paper": (MODES["paper"], True),
}
"""Modes, and whether gradients are late. The first three learn from centred rewards at the stable rate."""
SPEED_SEEDS = {False: 5, True: 2}


def speed_table(name: str, quick: bool) -> Table:
    """`speed_curve` from random weights: 160 blocks of 2 to 64 UEs, tested every 10 blocks on four new UEs."""
    mode, delayed = SPEEDS[name]
    size: dict[str, Any] = {"ues": (2, 8, 32), "blocks": 60} if quick else {"blocks": 160}
    return speed_curve(
        seeds=range(SPEED_SEEDS[quick]),
        mode=mode,
        every=10,
        test_ues=4,
        test_slots=300,
        beta=BETA,
        delayed=delayed,
        **size,
    )
