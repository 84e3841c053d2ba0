"""The asynchronous multi-user learner of Wang et al. (arXiv 1801.02077, sections III and IV), simulated exactly.

UEs of one cluster share a parameter server. Each fetches the weights, plays a block of n = 20 slots, and pushes the
block's gradient. Real asynchrony (`python -m train.a3c --async`) gives another result every time; here the same is
played in a fixed order: all UEs fetch when a block begins and push in turn when it ends, so that the i-th gradient of
a block is i - 1 updates old. Hundreds of runs take minutes.

`PAPER` is Algorithm 2 with these errata corrected:

1. Eq. 26 gives the output gate the cell gate's weights: it has its own.
2. Eq. 28 and 29 descend along a direction of ascent: the sign is +.
3. Eq. 30 adds the entropy without its gradient, with the sign that lowers it: + 0.01 times the gradient of H.
4. Eq. 30 weighs the entropy with the letter eta of the step size in eq. 29, of which section V says .01. Read
   literally both are .01, and so they are here.
5. The exponent of the bootstrap in the text, gamma^(n - t), has to be gamma^n; the contraction lacks its gamma.

The paper does not say gamma (here .9), RMSProp's epsilon (1e-8), the pairs of event A3 that are imitated, (0, 0) to
(4, 4) in dB and slots here, nor for how long (10 epochs of 1000 slots each at rate .01). An episode that ends within a
block does not end the block: its return ends there, the memory is cleared, the block's gradient is pushed at its end.

`STABLE` is what keeps the start that imitation gave: one update a block, of the mean of the
UEs' gradients; at first only the critic's head learns; rewards are centred and scaled; a smaller rate.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.handover.traces import Traces, World, joined
from mmwave_baselines.training.a3c_server import BLOCK, DECAY, PAPER, Mode, Server, mode_of
from mmwave_gym.core.checks import at_least
from mmwave_gym.core.types import Float64Array

LEARNING_BLOCKS = 119  # section V-B: 119 s; ours: slots of 50 ms, so that a block lasts a second
A3_PAIRS = ((0.0, 0), (1.0, 1), (2.0, 2), (3.0, 3), (4.0, 4))  # ours: dB and slots


class Curve(NamedTuple):
    """Means over the UEs whose curve is recorded in each block of learning, (blocks,)."""

    value: Float64Array
    """What the critic says, in units of what is learned from: (reward - offset) * scale."""
    discounted_return: Float64Array
    """What really followed, discounted by gamma, in the same units; after the end it goes on as in the last block."""
    reward: Float64Array
    """A slot, bit/s/Hz, as the environment pays it."""
    throughput_bps_hz: Float64Array
    handovers: Float64Array
    """A slot."""


class Learned(NamedTuple):
    """What a run of learning gives."""

    server: Server
    curve: Curve
    delays: NDArray[np.int64]
    """(UEs,): how many pushes were 0, 1, … updates of others late."""


def learn(
    server: Server,
    traces: Traces,
    mode: str | Mode,
    price: tuple[float, float],
    rng: np.random.Generator,
    *,
    blocks: tuple[int, int] | None = None,
    shown: Sequence[bool] | NDArray[np.bool_] | None = None,
) -> Learned:
    """Learn on all blocks of the traces, all UEs side by side; `server` is left as it is.

    blocks: (how many came before, how many there will be in all), for the warm-up and the falling rate where a
    training is cut into pieces; by default these are all. shown: (ues,), whose means the curve tells; by default all.
    """
    from mmwave_baselines.handover import a3c_kernel

    mode, server = mode_of(mode), server.copy()
    count = traces.slots // BLOCK
    before, total = blocks or (0, count)
    share = np.arange(before, before + count) / max(total - 1, 1)
    record = np.zeros((*traces.efficiency.shape[:2], 5))
    delays = np.zeros(len(traces.efficiency), np.int64)
    a3c_kernel.learn(
        server.weights, server.mean_square, tuple(server.shape), *traces, potential(traces, mode, price),
        rng.random(traces.efficiency.shape[:2]), BLOCK, max(mode.warmup - before, 0), mode.averaged, mode.stale, False,
        (*price, mode.offset, mode.scale), mode.gamma, mode.entropy,
        mode.learning_rate * (1.0 + (mode.final_rate - 1.0) * share), mode.decay, mode.epsilon, record, delays,
    )  # fmt: skip
    record = record[:, : count * BLOCK]
    some = np.ones(len(record), bool) if shown is None else np.asarray(shown, bool)
    return Learned(server, _curve(record[some], traces.begins[some], mode, price[0]), delays)


def potential(traces: Traces, mode: Mode, price: tuple[float, float]) -> Float64Array:
    """Viterbi's value of every slot and serving cell (ues, slots + 1, cells), or nothing without `regret`.

    At the begin of an episode all is the value of the cell that serves first: a UE may not choose it.
    """
    if not mode.regret:
        return np.zeros((0, 0, 0))
    cost, kept = price
    ues, slots, cells = traces.efficiency.shape
    values = np.zeros((ues, slots + 1, cells))
    for t in range(slots - 1, -1, -1):
        later = np.where(traces.begins[:, t + 1, None], 0.0, values[:, t + 1])
        rate = traces.efficiency[:, t]
        change = (later + kept * rate - cost).max(axis=-1, keepdims=True)
        values[:, t] = np.maximum(later + rate, change)
    return values


def _curve(record: Float64Array, begins: NDArray[np.bool_], mode: Mode, cost: float) -> Curve:
    ues, slots, _ = record.shape
    shown = (ues, slots // BLOCK, BLOCK)
    value, rate, handover = (record[..., i].reshape(shown) for i in (0, 2, 3))
    # The tail goes on as the last block did, so that the last returns are not too small.
    follows = record[:, -BLOCK:, 1].mean(axis=1) / (1.0 - mode.gamma) if mode.gamma < 1.0 else np.zeros(ues)
    returns = np.empty((ues, slots))
    for t in range(slots - 1, -1, -1):
        follows = record[:, t, 1] + mode.gamma * np.where(begins[:, t + 1], 0.0, follows)
        returns[:, t] = follows
    means = (a.reshape(shown).mean(axis=(0, 2)) for a in (value, returns, rate - cost * handover, rate, handover))
    return Curve(*means)


class Played(NamedTuple):
    """Means of each UE over its trace, (ues,)."""

    reward: Float64Array
    throughput_bps_hz: Float64Array
    handovers: Float64Array
    """A slot."""


def act(
    server: Server,
    traces: Traces,
    price: tuple[float, float],
    rng: np.random.Generator,
    *,
    online: str | Mode | None = None,
    greedy: bool = False,
) -> Played:
    """New UEs play their traces, each by itself, with weights fetched from the server.

    Offline the weights stay. With `online`, a mode, a UE goes on learning on its own, without warm-up: it pushes its
    gradient after every block and fetches what comes of it. greedy: the likeliest cell instead of a drawn one.
    """
    from mmwave_baselines.handover import a3c_kernel

    mode = mode_of(online or PAPER)
    rates = np.full(traces.slots // BLOCK, mode.learning_rate if online else 0.0)
    record = np.zeros((*traces.efficiency.shape[:2], 5))
    uniform = rng.random(traces.efficiency.shape[:2])
    delays = np.zeros(1, np.int64)
    for i in range(len(traces.efficiency)):
        fetched, one = server.copy(), slice(i, i + 1)
        a3c_kernel.learn(
            fetched.weights, fetched.mean_square, tuple(server.shape), *traces.of(one),
            potential(traces.of(one), mode, price), uniform[one], BLOCK, 0, False, True, greedy,
            (*price, mode.offset, mode.scale), mode.gamma, mode.entropy, rates, mode.decay, mode.epsilon,
            record[one], delays,
        )  # fmt: skip
    rate, handover = (record[:, : len(rates) * BLOCK, i].mean(axis=1) for i in (2, 3))
    return Played(rate - price[0] * handover, rate, handover)


def a3_actions(traces: Traces, hysteresis_db: float, wait: int) -> NDArray[np.int64]:
    """What event A3 does on each trace, (ues, slots); wait: slots of the time-to-trigger."""
    from mmwave_baselines.handover import a3_kernel

    actions = np.zeros(traces.efficiency.shape[:2], np.int64)
    for i, action in enumerate(actions):
        a3_kernel.a3(traces.rsrq_db[i], traces.begins[i], hysteresis_db, wait, action)
    return actions


def follow(traces: Traces, price: tuple[float, float], hysteresis_db: float, wait: int) -> Played:
    """What event A3 earns on each trace."""
    return earned(traces, price, a3_actions(traces, hysteresis_db, wait))


def earned(traces: Traces, price: tuple[float, float], actions: NDArray[np.int64]) -> Played:
    """What actions (ues, slots) earn; a UE is first served by the strongest cell, which costs nothing."""
    first = traces.rsrq_db[:, :-1].argmax(axis=-1)
    served = np.where(traces.begins[:, :-1], first, np.roll(actions, 1, axis=1))
    handover = (actions != served).astype(np.float64)
    rate = np.take_along_axis(traces.efficiency, actions[..., None], axis=-1)[..., 0].astype(np.float64)
    rate *= np.where(handover > 0.0, price[1], 1.0)
    columns = rate - price[0] * handover, rate, handover
    return Played(*(column.mean(axis=1) for column in columns))


def imitate(
    server: Server,
    traces: Traces,
    pairs: Sequence[tuple[float, int]] = A3_PAIRS,
    *,
    epochs: int = 10,
    rate: float = 0.01,
) -> tuple[Server, float]:
    """The supervised start of section IV-D: cross-entropy on event A3, one pair for every trace in turn.

    Returns the server, with RMSProp's memory as new, and the share of slots in which the last epoch agreed.
    """
    from mmwave_baselines.handover import a3c_kernel

    started, mean_square = server.copy(), np.zeros_like(server.mean_square)
    actions = np.concatenate([a3_actions(traces.of([i]), *pairs[i % len(pairs)]) for i in range(len(traces.begins))])
    right = np.zeros(2)
    for _ in range(epochs):
        right[:] = 0.0
        a3c_kernel.imitate(
            started.weights, mean_square, tuple(server.shape), traces.rsrq_db, traces.begins, actions, BLOCK, rate,
            DECAY, 1e-8, right,
        )  # fmt: skip
    return Server(server.shape, started.weights, np.zeros_like(mean_square)), float(right[0] / right[1])


class Trained(NamedTuple):
    """A run as in section V: what the cluster's server holds, and how it came to it."""

    server: Server
    begun: Server
    """Before reinforcement."""
    curve: Curve
    """Of the area's own UEs, as in Fig. 9."""
    members: list[tuple[str, int]]
    """The UEs of the cluster: area and number."""
    clusters: int
    """How many clusters the Calinski-Harabasz index chose; 0 without clustering."""
    delays: NDArray[np.int64]


def train(
    mode: str | Mode,
    *,
    ues: int = 4,
    blocks: int = LEARNING_BLOCKS,
    supervised: bool = True,
    clustering: bool = True,
    beta: float = 25.0,
    seed: int = 0,
    area: str = "A1",
    world: World | None = None,
) -> Trained:
    """One run of the paper: three areas of `ues` UEs, and the server of the cluster in which `area` is learns.

    clustering: K-means over the UEs of all areas decides who shares the server; otherwise the UEs of `area` alone do.
    supervised: begin by imitation of event A3 in `area`. A block of 20 slots is a second of learning.
    """
    at_least("ues", ues, 1, integer=True)
    at_least("blocks", blocks, 1, integer=True)
    world = world or World(seed, beta)
    members, count = [(area, i) for i in range(ues)], 0
    if clustering:
        clusters, observed = world.clusters(ues)
        count = clusters.count
        home = clusters.of_group([a == area for a, _ in observed])
        members = [m for m, h in zip(observed, clusters.labels, strict=True) if h == home]
    server = begun = Server.fresh(world.shape, seed)
    if supervised:
        server, _ = imitate(server, world.traces(area, len(A3_PAIRS), 1000, "imitation"))
        begun = server
    traces = joined(
        world.traces(a, [i for b, i in members if b == a], blocks * BLOCK) for a in sorted({a for a, _ in members})
    )
    at_home = [a == area for a, _ in members]
    learned = learn(server, traces, mode, world.price, np.random.default_rng([seed, 1]), shown=at_home)
    return Trained(learned.server, begun, learned.curve, members, count, learned.delays)
