"""An unfolded power allocation, trained through the channel: python -m train.unfolded MmwavePowerAllocation-v0

All base stations run the same small network once a slot (`mmwave_baselines.power_allocation.unfolded`, which tells
what it sees and does). No reinforcement learning: SINRs are differentiable in the powers, so the loss is derived
through all slots of a rollout, as if each slot were a layer (K. Gregor, Y. LeCun, "Learning fast approximations of
sparse coding", ICML 2010).

1. Worlds are the environment's own: rows of 3, 6, 10 and 14 base stations, clusters of a Poisson process, and patches
   of a network that all disturb each other; most are drawn so that all UEs can be satisfied. `PARTS` has the shares.
2. A rollout has 12 to 24 slots, from full or from random powers, or from where the network itself has arrived after up
   to 90 slots; without those it drifts away from what it had reached. In a part of them a base station arrives or
   leaves on the way: it comes at full power and remembers nothing.
3. The loss of a slot is the mean over UEs of -C + `penalty` times what is missing to the required capacity; later
   slots weigh more. In part of the rollouts more is required, so that a margin can be asked for when it plays.
4. Where not all can be satisfied, the loss is what satisfied UEs get, with a soft edge: somebody has to give way.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from torch import nn

from mmwave_baselines.power_allocation import unfolded
from mmwave_baselines.power_allocation.training.unfolded_network import SETTLED, SLOTS, Cell, Rollout, capacity, loss_of
from mmwave_baselines.power_allocation.training.unfolded_worlds import (
    PARTS,
    PARTS_CHOOSE,
    ROWS,
    Channel,
    draw,
    padded,
    together,
    without_some,
)
from mmwave_baselines.power_allocation.unfolded import FIELDS, MARGIN
from mmwave_baselines.training.command import Command, option
from mmwave_baselines.training.run import Run, main, metadata_of
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.files import replacing
from mmwave_gym.core.registration import make_scenario

ORDER = 5
HELD = 2**20
"""Added to the seed of worlds that are not trained on."""
FULL_START = 0.6
"""Share of the rollouts that begin at full power, the others at random ones."""
WIDEST_MARGIN = 0.35
BEFORE = (10, 90)
"""Slots before a rollout that begins late; they are played, not differentiated."""
EVAL_SLOTS = (20, 100)
EVAL_WORLDS = 200
WARM_UP = 50
EVALUATED_IN = "power_allocation/hard-14"
"""The task to evaluate in where none was named: the default environment shows base stations too little."""


@dataclass(kw_only=True)
class Unfolded(Command):
    """An unfolded power allocation, trained by the gradient through the channel."""

    steps: int = option(3000, "gradient steps")
    together: int = option(1, "so many seeds side by side, from --seed on: less time than one after the other")
    batch_size: int = option(48, "worlds of a step, all of the same part")
    learning_rate: float = option(3e-3, "at the beginning; it falls to a fiftieth linearly")
    penalty: float = option(15.0, "weight of a missing bit/s/Hz in the loss")
    changes: float = option(0.25, "share of the rollouts in which somebody arrives or leaves")
    late: float = option(0.35, "share of the rollouts that begin late")
    margins: float = option(0.3, "share of the rollouts that ask for a greater margin")
    eval_every: int = option(500, "gradient steps between evaluations on other worlds")
    eval_episodes: int = option(EVAL_WORLDS, "worlds of an evaluation")
    worlds: float = option(1.0, "this many times the usual number of training worlds")

    def __post_init__(self) -> None:
        self.at_least(1, "steps", "together", "batch_size", "eval_every", "eval_episodes")
        self.positive("learning_rate", "worlds")
        for name in ("changes", "late", "margins"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"--{name} must be between 0 and 1, got {getattr(self, name)}.")

    def trained_together(self) -> int:
        return self.together

    def check(self, task: Task) -> None:
        """ValueError where the task is not of power allocation."""
        if task.scenario_name != "power_allocation":
            raise ValueError(f"train.unfolded allocates powers, {task.name} is of {task.scenario_name}.")


class Learner:
    """Worlds, networks, their optimiser; seeds that are trained side by side share nothing but its order of parts."""

    def __init__(self, args: Unfolded, task: Task, tell: Callable[[str], None]):
        torch.set_num_threads(1)
        self.args = args
        self.seeds = range(args.seed, args.seed + args.together)
        own = {k: v for k, v in task.kwargs.items() if k not in PARTS_CHOOSE}
        scenario: Any = make_scenario("power_allocation", **{**ROWS, **own})
        self.qos_sinr = scenario.config.qos_sinr
        self.cell = Cell(scenario.power_mw, self.seeds)
        self.order = np.random.default_rng(ORDER)
        self.rngs = [np.random.default_rng([seed, 1]) for seed in self.seeds]
        began = time.time()
        self.pools = []
        for i, part in enumerate(PARTS):
            count = max(math.ceil(args.worlds * part.worlds), 2)
            self.pools.append([draw({**part.kwargs, **own}, count, seed, i) for seed in self.seeds])
        held = [draw({**PARTS[3].kwargs, **own}, args.eval_episodes, HELD + seed, 3) for seed in self.seeds]
        self.held = together(held)
        count = sum(c.worlds for pool in self.pools for c in pool)
        tell(f"{count:,} worlds in {time.time() - began:.0f} s")
        self.optimiser = torch.optim.Adam(self.cell.parameters(), args.learning_rate)
        self.steps = 0

    def rollout(self, part: int) -> Rollout:
        """How a rollout begins, for as many worlds of each seed as a batch has."""
        order, size = self.order, self.args.batch_size
        slots = int(order.integers(SLOTS[0], SLOTS[1] + 1))
        wide, changing = order.random() < self.args.margins, order.random() < self.args.changes
        change = int(order.integers(SETTLED, slots - SETTLED)) if changing else slots
        earlier = int(order.integers(*BEFORE)) if order.random() < self.args.late else 0
        parts = [
            self._begin(rng, pool, size, wide, changing) for rng, pool in zip(self.rngs, self.pools[part], strict=True)
        ]
        before, after = (together([p[i] for p in parts]) for i in (0, 1))
        agents = before.present.shape[1]
        log_mw, arrived = (torch.cat([padded(p[i], agents) for p in parts]) for i in (2, 3))
        return Rollout(log_mw, slots, earlier, change, before, after, arrived, torch.cat([p[4] for p in parts]))

    def _begin(self, rng: np.random.Generator, pool: Channel, size: int, wide: bool, changing: bool) -> Any:
        c = pool.take(torch.as_tensor(rng.integers(pool.worlds, size=size)))
        shape = tuple(c.present.shape)
        random = self.cell.low + (self.cell.high - self.cell.low) * rng.random(shape)
        log_mw = np.where(rng.random((size, 1)) < FULL_START, self.cell.high, random)
        margin = np.maximum(MARGIN, rng.uniform(0.0, WIDEST_MARGIN, (size, 1)) if wide else 0.0)
        log_target = np.log(self.qos_sinr * (1.0 + np.broadcast_to(margin, (size, 1))))
        before, after, arrived = c, c, torch.zeros(shape)
        who = (torch.as_tensor(rng.random(shape)) * c.present).argmax(dim=1)
        comes = torch.as_tensor(rng.random((size, 1)) < 0.5).float()
        if changing:
            one = nn.functional.one_hot(who, shape[1]).float()
            one *= c.present.sum(dim=1, keepdim=True) > 1.0  # nobody leaves a world of one
            arrived = one * comes
            before, after = without_some(c, arrived), without_some(c, one * (1.0 - comes))
        first, target = (torch.as_tensor(a, dtype=torch.float32) for a in (log_mw, log_target))
        return before, after, first, arrived, target

    def update(self) -> tuple[int, list[float]]:
        """One gradient step; which part it was about, and each seed's loss."""
        args = self.args
        rate = min((self.steps + 1) / WARM_UP, 1.0) * (1.0 - 0.98 * self.steps / args.steps)
        self.optimiser.param_groups[0]["lr"] = args.learning_rate * rate
        part = int(self.order.choice(len(PARTS), p=[p.share for p in PARTS]))
        loss = loss_of(self.cell, self.rollout(part), args.penalty, PARTS[part].kwargs.get("feasible") != "not")
        self.optimiser.zero_grad()
        loss.sum().backward()
        self.cell.clip()
        self.optimiser.step()
        self.steps += 1
        return part, loss.detach().tolist()

    def evaluate(self) -> list[dict[str, float]]:
        """Each seed on worlds that it does not train on, after `EVAL_SLOTS` slots from full power."""
        c = self.held
        with torch.no_grad():
            s = self.cell.first(torch.full_like(c.log_own, self.cell.high), c)
            target = torch.full((c.worlds, 1), math.log(self.qos_sinr * (1.0 + MARGIN)))
            scores: dict[str, Any] = {}
            for slot in range(1, EVAL_SLOTS[-1] + 1):
                s = self.cell(s, c, target)
                if slot in EVAL_SLOTS:
                    got, satisfied = capacity(s) * c.present, (s.log_sinr >= math.log(self.qos_sinr)).float()
                    scores |= {
                        f"eval/sum_rate_{slot}": got.sum(dim=1),
                        f"eval/satisfied_rate_{slot}": (got * satisfied).sum(dim=1),
                        f"eval/satisfied_{slot}": satisfied.mean(dim=1),
                    }
        means = {name: value.view(len(self.seeds), -1).mean(dim=1).tolist() for name, value in scores.items()}
        return [{name: mean[i] for name, mean in means.items()} for i in range(len(self.seeds))]


def train(args: Unfolded, console: Console) -> list[Path]:
    """Train as `args` say and return the paths of the saved policies, one a seed. Raises BadRun."""
    run = Run(args, "checkpoint.pt", console)
    learner = Learner(args, run.task, run.tell)
    if args.resume:
        run.restored(lambda checkpoint: _restore(learner, checkpoint))
    began, first = time.time(), learner.steps
    results: list[dict[str, float]] = []
    while learner.steps < args.steps:
        part, losses = learner.update()
        for seed, loss in zip(learner.seeds, losses, strict=True):
            run.record({f"train/loss_{part}": loss}, learner.steps, f"s{seed}")
        if learner.steps % args.eval_every and learner.steps < args.steps:
            continue
        results = learner.evaluate()
        each_ms = 1e3 * (time.time() - began) / (learner.steps - first)
        run.tell(f"{learner.steps:,} of {args.steps:,} ({each_ms:.0f} ms each)")
        for seed, scores in zip(learner.seeds, results, strict=True):
            run.record(scores, learner.steps, f"s{seed}")
            said = ", ".join(f"{name.partition('/')[2]} {value:.4f}" for name, value in scores.items())
            run.tell(f"  seed {seed}: {said}")
        _keep(learner, run.checkpoint)
    run.close()
    return _save(run, learner, results or learner.evaluate())


def _keep(learner: Learner, checkpoint: Path) -> None:
    """Write the checkpoint at once or not at all."""
    state = {"cell": learner.cell.state_dict(), "optimiser": learner.optimiser.state_dict(), "steps": learner.steps}
    chance = [rng.bit_generator.state for rng in (learner.order, *learner.rngs)]
    with replacing(checkpoint) as draft:
        torch.save({**state, "chance": json.dumps(chance)}, draft)


def _restore(learner: Learner, checkpoint: Path) -> None:
    saved = torch.load(checkpoint, weights_only=True)
    learner.cell.load_state_dict(saved["cell"])
    learner.optimiser.load_state_dict(saved["optimiser"])
    learner.steps = saved["steps"]
    for rng, state in zip((learner.order, *learner.rngs), json.loads(saved["chance"]), strict=True):
        rng.bit_generator.state = state


def _save(run: Run[Unfolded], learner: Learner, results: list[dict[str, float]]) -> list[Path]:
    args, paths = run.args, []
    for i, seed in enumerate(learner.seeds):
        scores = {name.partition("/")[2]: value for name, value in results[i].items()}
        metadata = metadata_of(
            args,
            run.task,
            "UNFOLDED",
            training_worlds=[[p.share, p.worlds, dict(p.kwargs)] for p in PARTS],
            steps=learner.steps,
            results={"worlds": args.eval_episodes, **scores},
        )
        name = "policy.npz" if len(learner.seeds) == 1 else f"policy-s{seed}.npz"
        metadata |= {**unfolded.METADATA, "seed": seed}
        metadata["training"]["decisions"] = None  # its steps are gradient steps
        paths.append(run.save(learner.cell.network(i), FIELDS, metadata, name, args.task or EVALUATED_IN))
    return paths


def run(argv: Sequence[str] | None = None) -> None:
    """Train: `argv` are the words of the command, those of the command line without it."""
    main(Unfolded, train, argv)
