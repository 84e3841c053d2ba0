"""What SQA's planning costs, and whether it keeps up with the epochs.

`python -m mmwave_baselines.association.sqa_cost` prints it.
Timed on the processor's clock of this process, on one core, after compilation.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmwave_baselines.association.planner import known_epochs
from mmwave_baselines.association.sqa import Sqa
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey


@dataclass(frozen=True)
class Cost:
    """Planning one free epoch, one with several candidates; others need none."""

    num_ues: int
    iterations: int
    depth_epochs: int
    steps: int  # of exploration, an epoch
    step_ns: float
    epoch_ms: float  # planning one free epoch
    gap_ms: float  # mean time between free epochs
    busy: float  # planning by time: below 1 it keeps up on average
    late: float  # share of free epochs with less time since the epoch before than planning takes
    behind_s: float  # how late the last decision would be if each began when the one before is made


def sqa_cost(
    num_ues: int, iterations: int = 100, depth_epochs: int | None = None, planned: int = 30, **keywords: Any
) -> Cost:
    """Time SQA, as in the paper, on one world of 40 s of the environment with `keywords`.

    planned: so many epochs are timed, from 10 s on.
    """
    from mmwave_baselines.association import kernels

    scenario = make_scenario("association", num_ues=num_ues, duration_s=40.0, **keywords)
    batch = Batch(scenario, 1, draws_ahead=False)
    batch.reset([EpisodeKey(0, 0, "sqa_cost")])
    view = View(batch, "trajectory")
    epochs = known_epochs(view, [0])[0]
    time_s = np.concatenate(([0.0], np.cumsum(epochs.gap_s)))
    depth = max(num_ues // 2, 1) if depth_epochs is None else depth_epochs
    while batch.state.time_s[0] < 10.0:
        batch.step(np.zeros((1, 1), np.int64))
    network = kernels.network_of(batch.state.serving[0], batch.state.planned[0], len(view.constants["bs_m"]) + 1)
    agent = Sqa()
    alpha, gamma, beta = (agent.config[name] for name in ("alpha", "gamma", "beta"))
    first = int(batch.state.epoch[0])
    free = np.flatnonzero(epochs.choices > 1)
    chosen = free[free >= first][: planned + 1]
    table = kernels.first_table(kernels.copy_of(network), epochs, first, float(depth))
    weights, random = beta ** np.arange(epochs.cell.shape[1]), np.array([1], np.uint64)
    took_s = []
    for k in chosen.tolist():  # the first compiles
        begin = time.process_time()
        kernels.explore(network, epochs, k, depth, iterations, table, alpha, gamma, weights, random)
        took_s.append(time.process_time() - begin)
    took_s = took_s[1:]
    epoch_s = float(np.mean(took_s))
    steps = int(iterations * np.mean(np.minimum(depth, len(epochs.ue) - chosen)))
    # Planning for an epoch can begin when the epoch before it, of any UE, is decided.
    since_s = epochs.gap_s[free[free > 0] - 1]
    done_s, span_s = 0.0, float(time_s[free[-1]] - time_s[free[0]])
    for k in free[free > 0].tolist():
        done_s = max(done_s, time_s[k - 1]) + epoch_s
    return Cost(
        num_ues=num_ues,
        iterations=iterations,
        depth_epochs=depth,
        steps=steps,
        step_ns=1e9 * epoch_s / steps,
        epoch_ms=1e3 * epoch_s,
        gap_ms=1e3 * span_s / len(free),
        busy=epoch_s * len(free) / span_s,
        late=float((since_s < epoch_s).mean()),
        behind_s=max(float(done_s - time_s[free[-1]]), 0.0),
    )


def main() -> None:
    """Print cost against UEs, and at 512 UEs against iterations and depth."""
    cases: list[dict[str, Any]] = [{"num_ues": n} for n in (512, 1024, 1536, 2048)]
    cases += [{"num_ues": n, "geometry": "blocked"} for n in (512, 2048)]
    cases += [{"num_ues": 512, "iterations": i} for i in (10, 1000)]
    cases += [{"num_ues": 512, "depth_epochs": d} for d in (64, 1024)]
    for case in cases:
        print(case, sqa_cost(**case), flush=True)


if __name__ == "__main__":
    main()
