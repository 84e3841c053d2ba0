"""A3C with real asynchrony: processes that share the parameters and update them without locks (Mnih et al. 2016).

Between a worker's fetch and its push others push: `train/gradient_delay` is the histogram of how many. No two such
runs are the same, and an update may overwrite a part of another one, as in Hogwild (Niu et al. 2011).
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import multiprocessing

from mmwave_baselines.handover import a3c, a3c_kernel
from mmwave_baselines.handover.training.a3c_paper import ERA_BLOCKS, PaperWorlds
from mmwave_baselines.training.a3c import MOST_DELAY, A3c, A3cRun
from mmwave_baselines.training.a3c_server import BLOCK, Server
from mmwave_baselines.training.run import BadRun
from mmwave_gym.benchmark.task import Task


class Shared(NamedTuple):
    """Memory that all workers see. The server's arrays are written by all of them, without locks; the rest by one."""

    weights: Any  # (size,)
    mean_square: Any  # (size,)
    pushes: Any  # (workers,): by each
    steps: Any  # (workers,)
    eras: Any  # (workers,)
    delays: Any  # (workers, MOST_DELAY)
    sums: Any  # (workers, 4): of V, reward, rate and handovers since the begin


def learn(run: A3cRun[Any]) -> None:
    """Learn until `--steps` in `--workers` processes."""
    args = run.args
    if len(run.cluster.members) < args.workers:
        raise BadRun(f"--workers must be at most the {len(run.cluster.members)} UEs, got {args.workers}.")
    workers = args.workers
    sizes: dict[str, tuple[int, ...]] = {"delays": (workers, MOST_DELAY), "sums": (workers, 4)}
    shared = Shared(
        *(torch.from_numpy(a.copy()).share_memory_() for a in (run.server.weights, run.server.mean_square)),
        *(
            torch.zeros(sizes.get(n, (workers,)), dtype=torch.float64 if n == "sums" else torch.int64).share_memory_()
            for n in Shared._fields[2:]
        ),
    )
    view = Shared(*(tensor.numpy() for tensor in shared))
    view.eras[:], view.delays[0] = run.eras, run.delays
    begun, before = run.steps, np.zeros(6)
    job = (args, run.task, run.cluster.members, begun, shared)
    context = multiprocessing.spawn(_work, job, nprocs=workers, join=False)
    saved = time.monotonic()
    try:
        while True:
            over = context.join(timeout=1.0)  # raises what a worker has raised
            run.server = Server(run.server.shape, view.weights.copy(), view.mean_square.copy())
            run.steps, run.eras, run.delays = begun + int(view.steps.sum()), view.eras.copy(), view.delays.sum(axis=0)
            now = np.array([*view.sums.sum(axis=0), view.steps.sum(), view.pushes.sum()], float)
            if now[4] > before[4]:
                run.report(_scalars(run, now - before))
                run.report_delays()
                before = now
            if over:
                return
            if time.monotonic() - saved > 30.0:
                run.keep()
                saved = time.monotonic()
    finally:
        for process in context.processes:
            process.terminate()


def _scalars(run: A3cRun[Any], since: Any) -> dict[str, float]:
    value, reward, rate, handovers = since[:4] / since[4]
    return {
        "rollout/reward": float(reward),
        "rollout/throughput_bps_hz": float(rate),
        "rollout/handovers_per_s": float(handovers / run.worlds.scenario.config.step_s),
        "train/value": float(value),
    }


def _work(rank: int, args: A3c, task: Task, members: list[tuple[Any, int]], begun: int, shared: Shared) -> None:
    """A worker: its share of the UEs, each of which fetches, plays a block and pushes, until all have done enough."""
    torch.set_num_threads(1)
    server = Shared(*(tensor.numpy() for tensor in shared))
    worlds = PaperWorlds(task, args.seed, args.encoder, args.units)
    mode, own = args.settings(), members[rank :: args.workers]
    shape, price = worlds.shape, worlds.price
    reward_of, sizes = (*price, mode.offset, mode.scale), tuple(shape)
    fetched, gradient, mean = (np.zeros(shape.size) for _ in range(3))
    others = np.arange(args.workers) != rank

    def fetch() -> int:
        """Copy the weights, while others may be writing them; how often others have pushed."""
        seen = int(server.pushes[others].sum())
        fetched[:] = server.weights
        return seen

    def push(direction: Any, seen: int, played: int) -> None:
        done = begun + int(server.steps.sum())
        rate = mode.learning_rate * (1.0 + (mode.final_rate - 1.0) * min(done / args.steps, 1.0))
        warming = done < mode.warmup * BLOCK * len(members)
        late = int(server.pushes[others].sum()) - seen
        first = shape.critic.start if warming else 0
        a3c_kernel.push(server.weights, server.mean_square, direction, first, rate, mode.decay, mode.epsilon)
        server.pushes[rank] += 1
        server.delays[rank, min(late, MOST_DELAY - 1)] += 1
        server.steps[rank] += played

    while True:
        era = int(server.eras[rank])
        traces = worlds.traces(own, era, ERA_BLOCKS * BLOCK, f"worker {rank} of {args.workers}")
        potential = a3c.potential(traces, mode, price)
        uniform = np.random.default_rng([args.seed, era, rank]).random(traces.efficiency.shape[:2])
        record = np.zeros((*traces.efficiency.shape[:2], 5))
        hidden, cell = np.zeros((len(own), shape.units)), np.zeros((len(own), shape.units))
        serving = np.zeros(len(own), np.int64)
        for b in range(ERA_BLOCKS):
            mean[:] = 0.0
            seen = fetch()
            for i in range(len(own)):
                if not mode.averaged and i:
                    seen = fetch()
                serving[i] = a3c_kernel.block(
                    fetched, sizes, traces.rsrq_db[i], traces.efficiency[i], traces.begins[i],
                    potential[i] if len(potential) else np.zeros((0, 0)), uniform[i], b * BLOCK, BLOCK, hidden[i],
                    cell[i], serving[i], reward_of, mode.gamma, mode.entropy, False, gradient, record[i],
                )  # fmt: skip
                if mode.averaged:
                    mean += gradient
                else:
                    push(gradient, seen, BLOCK)
            if mode.averaged:
                push(mean / len(own), seen, BLOCK * len(own))
            value, rate, handover = (record[:, b * BLOCK : (b + 1) * BLOCK, i].sum() for i in (0, 2, 3))
            server.sums[rank] += (value, rate - price[0] * handover, rate, handover)
            if begun + int(server.steps.sum()) >= args.steps:
                return
        server.eras[rank] += 1
