"""What any causal agent of UDN handover can have in the mean, even one that knows the maps.

**Statement.** When the cell a_t of slot t is chosen, F_t is known: sites and shadowing maps, and positions and fading
up to slot t. Every policy whose a_t depends on F_t (and on chance of its own) has in the mean at most E[B], where B is
the best sum over all series of cells of the episode, each step of it penalised:

    B = max_a sum_t [ r_t(a_{t-1}, a_t) / T - d_t(a_t) ],
    d_t(a) = kappa_t ( D(a, X_{t+1}) - M_t(a) ),     M_t(a) an unbiased estimate of E[ D(a, X') | F_t ].

T are the slots that count, X_{t+1} = (position, fading) of the next slot, D any function and kappa_t any number that
follows from F_t.

**Proof.**

1. Given F_t, a_t and kappa_t are fixed, and D(a_t, X_{t+1}) and M_t(a_t) have the same mean: E[d_t(a_t)] = 0.
2. So the policy's mean reward is E[ sum_t r_t / T - d_t ], and in every episode the sum is at most B.
3. d_t depends on a_t alone, so B is found by Viterbi's recursion with rewards r_t / T - d_t.

M_t is exact over the four headings. Over fading it is a mean of `DRAWS` independent draws, which no policy sees.
This is the dual bound of Brown, Smith and Sun, Operations Research 58 (2010), 785-801, Theorem 2.1.

**What makes it tight.** D is what being with cell a loses in the next slot against the best cell, at most the price c
of a change:

    D(a, x, xi) = max( R_a + W_a, max_b kept R_b + W_b - c ) - max_b ( R_b + W_b ),

W by value iteration on the episode's maps. The common part max_b is taken off, or its chance would drown the rest.
Where the UE leaves, T is its own last slot, which nobody knows before: kappa_t = 1 / (t + expected rest). In the slot
before the horizon, and where float32 could round a step across the border, kappa_t = 0.

The mean of B over the episodes has a sampling error: the ceiling is a mean with its interval, and no single episode.
`SLACK` is added to each, far above what rounding does to rates (float32 maps: 1e-4 dB).

    python -m mmwave_baselines.handover.causal handover/a3-beta25 --episodes 100

shows the bracket: B, the optimum in hindsight, and what a policy has that knows the maps and follows W.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import qmc

from mmwave_baselines.handover import causal_kernel as kernel
from mmwave_gym.benchmark.statistics import mean_interval
from mmwave_gym.benchmark.suite import task as find_task
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.scenario import EpisodeRng
from mmwave_gym.core.types import Float64Array
from mmwave_gym.scenarios.handover.config import AREAS, HandoverConfig

GRID_M, SWEEPS, FADINGS, DRAWS = 0.4, 250, 16, 48
"""Grid of W, sweeps and fading draws of its value iteration, fading draws of a penalty: ours, 0.2 s an episode. Half
the grid and twice the rest take eight times as long and are as tight."""
NEAR_BORDER_M = 1e-3
SLACK = 1e-5
"""bit/s/Hz, outward."""


@dataclass(frozen=True)
class Drive:
    """What counts of an episode: T slots."""

    rate: Float64Array  # (T, cell), bit/s/Hz
    place: Float64Array  # (T + 1, 2), metres
    near_snr: Float64Array  # (T, 4, cell): linear mean SNR after a step in each heading
    inside: Any  # (T, 4) bool: whether the UE is still there after it
    snr: Float64Array  # (n, n, cell): linear mean SNR on the grid
    step_m: float
    shift: Float64Array  # (4,): weights of the grid's neighbours for the next place, by heading
    weight: Float64Array  # (T,): kappa
    first: int  # the serving cell before the first slot, -1 where the choice is free


@dataclass(frozen=True)
class Found:
    """Means over the slots that count, in bit/s/Hz."""

    causal: float
    hindsight: float
    policy: float


def applies(task: Task) -> bool:
    """Whether the proof covers a task: the paper's room, one UE at a steady speed, fading that is seen or none."""
    c = getattr(task.scenario(), "config", None) if not task.missing_data else None
    return (
        c is not None
        and getattr(c, "receiver", "ideal") == "ideal"
        and task.primary == "reward"
        and c.channel is None
        and c.num_ues == 1
        and c.speed_drawn_per == "ue"
        and c.boundary in ("leave", "stay")
        and c.shadowing in ("correlated", "static", "none")
        and c.fading == "seen"
    )


def causal(task: Task, episode: int) -> Found:
    """B of a test episode, the optimum in hindsight, and what the policy has that follows W."""
    c = _scenario(task).config
    drive = _drive(task, episode)
    price, kept = c.beta * c.handover_energy_j, 1.0 - c.interruption_s / c.step_s
    leaves, side, slots = c.boundary == "leave", c.area_side_m, len(drive.rate)
    chances = _chances(c)
    hidden = np.random.default_rng([episode, DRAWS]).standard_exponential((slots, 4, DRAWS, c.num_cells), np.float32)
    fading = -np.log1p(-qmc.Sobol(c.num_cells, rng=1).random(32)[:FADINGS])
    grid = kernel.worth(drive.snr, fading, drive.shift, price, kept, SWEEPS, leaves)
    setting = np.array([drive.step_m, price, kept, *chances, 0.0 if leaves else side])
    penalty = kernel.penalties(
        drive.rate, drive.place, drive.near_snr, drive.inside, grid, side, setting, drive.weight, hidden
    )
    value = np.empty((2, c.num_cells))
    for row, paid in zip(value, (penalty, np.zeros_like(penalty)), strict=True):
        kernel.viterbi(drive.rate, paid, price, kept, 1.0 / slots, row)
    best = value.max(axis=1) if drive.first < 0 else value[:, drive.first]
    policy = kernel.follow(drive.rate, drive.place, grid, side, price, kept, drive.first) / slots
    return Found(float(best[0]) + SLACK, float(best[1]), float(policy))


def _scenario(task: Task) -> Any:
    """The task's `Handover`, in the paper's world."""
    return task.scenario()


def _chances(config: HandoverConfig) -> Float64Array:
    """The probability of each heading, (4,)."""
    return np.array(AREAS[config.mobility] if isinstance(config.mobility, str) else config.mobility)


def _drive(task: Task, episode: int) -> Drive:
    scenario = _scenario(task)
    c, world = scenario.config, scenario.world
    (key,) = task.keys([episode])
    batch = Batch(scenario, 1)
    batch.reset([key])
    seen = View(batch, "hindsight").look("efficiency_bps_hz", "position_m", "departure")
    rates, path = (seen[name][0, :, 0].astype(np.float64) for name in ("efficiency_bps_hz", "position_m"))
    leaves, side, begin = c.boundary == "leave", c.area_side_m, task.warmup_steps
    horizon = c.horizon if task.scored_steps is None else begin + task.scored_steps
    end = min(horizon, int(seen["departure"][0, 0]))
    step = float(np.abs(np.diff(path, axis=0)).max())

    def mean_snr(place: Float64Array) -> Float64Array:
        """Linear (…, cell) at places (…, 2) in metres."""
        flat = place.reshape(-1, 2).T[:, None].astype(np.float32)
        return world.mean_snr_at(EpisodeRng(key), flat)[:, 0].T.reshape(*place.shape[:-1], -1).astype(np.float64)

    place = path[begin : end + 1]
    near = place[:-1, None] + step * np.stack([kernel.HEADINGS_X, kernel.HEADINGS_Y], axis=-1)
    inside = (np.abs(near - side / 2) <= side / 2).all(axis=-1) if leaves else np.ones(near.shape[:-1], bool)
    stride = max(1, round(GRID_M / step))  # steps of the UE to one of the grid
    axis = np.linspace(0.0, side, round(side / (stride * step)) + 1)
    return Drive(
        rate=rates[begin:end],
        place=place,
        near_snr=mean_snr(np.clip(near, 0.0, side)),
        inside=inside,
        snr=mean_snr(np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)),
        step_m=step,
        shift=_shift(_chances(c), 1.0 / stride),
        weight=_weights(task, place, near, step, end == horizon),
        first=int(seen["efficiency_bps_hz"][0, 0, 0].argmax()) if begin == 0 else -1,
    )


def _shift(chances: Float64Array, step: float) -> Float64Array:
    """(4,): weights of a place's neighbours on the grid that have the mean and the spread of the UE's next place.

    chances (4,) of the headings; step: the UE's, in steps of the grid. P. Lax and B. Wendroff, Communications on Pure
    and Applied Mathematics 13 (1960); weights against the wind are below 0.
    """
    back = chances[[2, 3, 0, 1]]
    return np.asarray((chances * (step + step**2) - back * (step - step**2)) / 2.0)


def _weights(task: Task, place: Float64Array, near: Float64Array, step: float, to_the_end: bool) -> Float64Array:
    """kappa of each slot (T,): one over the slots that will have counted, as far as they are known."""
    c = _scenario(task).config
    slots = len(place) - 1
    if c.boundary == "leave":
        east, _, west, _ = _chances(c)
        rest = np.maximum((c.area_side_m - place[:-1, 0]) / (max(east - west, 0.1) * step), 1.0)
        weight = 1.0 / (np.arange(slots) + rest)
        weight[(np.abs(np.abs(near - c.area_side_m / 2) - c.area_side_m / 2) < NEAR_BORDER_M).any(axis=(1, 2))] = 0.0
    else:
        weight = np.full(slots, 1.0 / slots)
    if to_the_end:
        weight[-1] = 0.0
    return weight


def main() -> None:
    parser = argparse.ArgumentParser(description="What causal agents can have, bracketed by hindsight and a policy.")
    parser.add_argument("task", help="such as handover/a3-beta25")
    parser.add_argument("--episodes", type=int, default=50)
    asked = parser.parse_args()
    task = find_task(asked.task)
    rows = [causal(task, episode) for episode in range(asked.episodes)]
    table = {
        "hindsight": [r.hindsight for r in rows],
        "causal bound": [r.causal for r in rows],
        "hindsight - causal bound": [r.hindsight - r.causal for r in rows],
        "causal bound - policy that knows the maps": [r.causal - r.policy for r in rows],
    }
    for name, values in table.items():
        found = mean_interval(np.array([values]))
        print(f"{name}: {found.mean:.4f} [{found.low or np.nan:.4f}, {found.high or np.nan:.4f}] bit/s/Hz")


if __name__ == "__main__":
    main()
