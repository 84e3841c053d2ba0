"""A network over candidates from regrets in hindsight: mmwave-gym train regret --task shared_street/main

All UEs share the network of `mmwave_baselines.shared_street.learned`. No reward is used. One iteration:

1. The network plays episodes of the training maps and draws its actions from the softmax of its scores.
2. A recursion over slots and cells tells for every decision what each candidate Q and the best one V would have been
   worth, with the decisions of all other UEs held (`mmwave_baselines.shared_street.hindsight`).
3. Adam minimises, over the decisions of the last `--keep` iterations,

       - sum over candidates a of pi(a) max(Q(a) - V, -30) / 3 - entropy H(pi)

   Of the decisions on which little depends only a part is learned from, with more weight (`thinned`): they are most.

At the end the same network learns on from rewards, by PPO (`shared_ppo`), which counts the score's own seconds and what
the others do in return.

The gradient of regrets sees all candidates, not only the one that was chosen, so it has no variance from the actions of
others in time: that is why so few decisions are enough.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from torch import nn

from mmwave_baselines.shared_street.features import Trace, records
from mmwave_baselines.shared_street.hindsight import Episode, regrets
from mmwave_baselines.shared_street.learned import FIELDS, METADATA
from mmwave_baselines.shared_street.training import shared_ppo
from mmwave_baselines.shared_street.training.networks import CLIP, SEED_SPACING, Drawing, Scores, evaluated
from mmwave_baselines.training.command import Command, option
from mmwave_baselines.training.run import Run, main, metadata_of
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.batch import Batch
from mmwave_gym.core.files import replacing
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey

STREAM = "training from regrets"
LEAST_REGRET, REGRET_SCALE = -30.0, 3.0
LAST_RATE = 1e-4
CRITIC_FIRST = 3
"""Iterations of PPO in which its critic learns before the network does."""
SURELY, LEAST_CHANCE = 0.02, 0.05
"""A decision is learned from for certain if the probabilities of its actions move by so much, see `thinned`."""


@dataclass(kw_only=True)
class Regret(Command):
    """A network over candidates, trained on what every candidate would have been worth in hindsight."""

    steps: int = option(20, "iterations: episodes that are played, then learned from")
    episodes: int = option(4, "episodes of an iteration")
    horizon: int = option(800, "slots of a training episode")
    hidden: int = option(32, "width of both hidden layers")
    learning_rate: float = option(4e-3, "at the beginning; it falls to 1e-4 linearly")
    batch_size: int = option(512, "decisions of a gradient step")
    keep: int = option(8, "iterations whose decisions are learned from")
    entropy: float = option(0.01, "weight of the entropy")
    polish: int = option(120, "iterations of PPO on rewards at the end, see train shared_ppo")
    polish_rate: float = option(1.5e-3, "its learning rate at the beginning")
    polish_cycles: int = option(4, "how often that falls to 1e-4")
    polish_entropy: float = option(0.005, "its weight of the entropy")
    soften: float = option(0.35, "it begins with scores times this, so that it tries more")
    eval_every: int = option(0, "iterations between evaluations on the training split; 0 for none but the last")
    eval_episodes: int = option(16, "episodes of an evaluation")

    def __post_init__(self) -> None:
        self.at_least(
            1, "steps", "episodes", "horizon", "hidden", "batch_size", "keep", "eval_episodes", "polish_cycles"
        )
        self.at_least(0, "eval_every", "entropy", "polish", "polish_entropy")
        self.positive("learning_rate", "polish_rate", "soften")

    def sees_oracle_regrets(self, task: Task) -> bool:
        return True

    def check(self, task: Task) -> None:
        """ValueError where the task is not of shared streets."""
        if task.scenario_name != "shared_street":
            raise ValueError(f"train regret is for shared streets, {task.name} is of {task.scenario_name}.")


def loss_of(
    scores: torch.Tensor, regret: torch.Tensor, mask: torch.Tensor, weight: torch.Tensor, entropy: float
) -> torch.Tensor:
    """The module's loss, the weighted mean over rows.

    (rows, choices) each: scores, (Q - V) / 3, and which are allowed; weight: (rows,).
    """
    log_pi = torch.log_softmax(scores.masked_fill(~mask, -1e9), dim=1)
    pi = log_pi.exp()
    return ((pi * (entropy * log_pi.clamp(min=-20.0) - regret)).sum(dim=1) * weight).sum() / weight.sum()


def thinned(rows: Decisions, scores: torch.Tensor, chance: NDArray[np.float64]) -> Decisions:
    """A part of the rows that stands for all of them without bias.

    A row is kept with a probability in proportion to sum pi(a) |Q(a) - mean Q| / 3, to which its gradient is, and
    weighs as many rows as that stands for. scores: (rows, choices); chance: (rows,), uniform in [0, 1).
    """
    pi = torch.softmax(scores.masked_fill(~rows.mask, -1e9), dim=1)
    moves = (pi * (rows.regret - (pi * rows.regret).sum(dim=1, keepdim=True)).abs()).sum(dim=1)
    kept = (moves / SURELY).clamp(LEAST_CHANCE, 1.0)
    at = torch.as_tensor(chance) < kept
    return Decisions(rows.x[at], rows.mask[at], rows.regret[at], 1.0 / kept[at])


@dataclass
class Decisions:
    """Decisions to learn from, (rows, …)."""

    x: torch.Tensor  # (rows, INPUTS * choices)
    mask: torch.Tensor  # (rows, choices)
    regret: torch.Tensor  # (rows, choices), of `REGRET_SCALE`
    weight: torch.Tensor  # (rows,)


def decisions_of(scenario: Any, player: Drawing, traces: Sequence[Trace]) -> tuple[Decisions, torch.Tensor]:
    """What a player decided in all environments of a batch, whose traces these are, and its scores (rows, choices)."""
    regret = np.stack([_regret(scenario, trace) for trace in traces])  # (env, slot, ue, choice)
    slot, decided = player.decided()
    env, ue = np.divmod(decided.row, scenario.num_agents)
    x, mask, scores = (torch.as_tensor(part) for part in (decided.x, decided.mask, decided.scores))
    return Decisions(x, mask, torch.as_tensor(regret[env, slot, ue]), torch.ones(len(slot))), scores


def _regret(scenario: Any, trace: Trace) -> NDArray[np.float32]:
    """(slot, ue, choice): (Q - V) / `REGRET_SCALE` at the decisions of a trace."""
    q, v = regrets(Episode.of(scenario, trace.episodes, 0), trace.cell, trace.candidate, trace.prepared)
    return (np.clip(q - v[..., None], LEAST_REGRET, 0.0) / REGRET_SCALE).astype(np.float32)


class Learner:
    """The network, its optimiser and what it remembers."""

    def __init__(self, args: Regret, task: Task):
        torch.set_num_threads(1)
        self.args = args
        self.scenario: Any = make_scenario("shared_street", **{**task.for_training().kwargs, "horizon": args.horizon})
        self.batch = Batch(self.scenario, args.episodes, draws_ahead=False)
        self.scores = Scores(args.hidden, args.seed)
        self.optimiser = torch.optim.Adam(self.scores.parameters(), args.learning_rate)
        self.rng = np.random.default_rng([args.seed, 1])
        self.recent: list[Decisions] = []
        self.steps = self.decisions = 0

    def update(self) -> dict[str, float]:
        """One iteration; what TensorBoard is told."""
        args = self.args
        first = args.seed * SEED_SPACING + self.steps * args.episodes
        self.batch.reset([EpisodeKey(first + i, 0, STREAM) for i in range(args.episodes)])
        player = Drawing(self.scores, self.rng)
        traces = records(self.batch, player)
        rows, scores = decisions_of(self.scenario, player, traces)
        self.decisions += len(rows.x)
        before = float(loss_of(scores, rows.regret, rows.mask, rows.weight, 0.0))
        part = thinned(rows, scores, self.rng.random(len(rows.x)))
        self.recent = [*self.recent, part][-args.keep :]
        rate = args.learning_rate * (1.0 - self.steps / args.steps) + LAST_RATE
        self.optimiser.param_groups[0]["lr"] = rate
        self._learn()
        self.steps += 1
        utility = float(np.mean([trace.utility for trace in traces]))
        return {
            "train/utility": utility,
            "train/loss": before,
            "train/decisions": float(len(rows.x)),
            "train/learned_from": float(len(part.x)),
        }

    def _learn(self) -> None:
        """One pass over the recent decisions, in random order."""
        size = self.args.batch_size
        parts = [[getattr(d, name) for d in self.recent] for name in ("x", "mask", "regret", "weight")]
        x, mask, regret, weight = (torch.cat(part) for part in parts)
        order = torch.as_tensor(self.rng.permutation(len(x)))
        for rows in order.split(size):
            loss = loss_of(self.scores(x[rows], mask[rows]), regret[rows], mask[rows], weight[rows], self.args.entropy)
            self.optimiser.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.scores.parameters(), CLIP)
            self.optimiser.step()


def train(args: Regret, console: Console) -> Path:
    """Train as `args` say and return the path of the saved policy. Raises BadRun."""
    run = Run(args, "checkpoint.pt", console)
    learner = Learner(args, run.task)
    if args.resume:
        run.restored(lambda checkpoint: _restore(learner, checkpoint))
    while learner.steps < args.steps:
        began = time.process_time()
        found = learner.update()
        run.record(found, learner.steps)
        said = ", ".join(f"{name.partition('/')[2]} {value:.4f}" for name, value in found.items())
        run.tell(f"{learner.steps} of {args.steps}: {said} ({time.process_time() - began:.1f} s of processor time)")
        _keep(learner, run.checkpoint)
        if args.eval_every and learner.steps % args.eval_every == 0 and learner.steps < args.steps:
            evaluated(run, learner.scores, learner.steps, learner.decisions)
    if args.polish:
        _polished(run, learner)
    results = evaluated(run, learner.scores, learner.steps + args.polish, learner.decisions)
    run.close()
    metadata = metadata_of(args, run.task, "REGRET", steps=learner.steps + args.polish, results=results)
    metadata |= METADATA
    metadata["training"]["decisions"] = learner.decisions
    return run.save(learner.scores.network(), FIELDS, metadata)


def _polished(run: Run[Regret], learner: Learner) -> None:
    """Let the network learn on from rewards, for what slots' logarithms and the others held leave out."""
    args = run.args
    same: dict[str, Any] = {
        name: getattr(args, name) for name in ("env_id", "task", "set", "seed", "episodes", "horizon", "hidden")
    }
    known: dict[str, Any] = {
        "learning_rate": args.polish_rate,
        "cycles": args.polish_cycles,
        "entropy": args.polish_entropy,
        "critic_first": CRITIC_FIRST,
    }
    polisher = shared_ppo.Learner(shared_ppo.SharedPpo(**same, **known, steps=args.polish), run.task)
    polisher.scores.load_state_dict(learner.scores.state_dict())
    with torch.no_grad():
        polisher.scores.last.weight *= args.soften
    checkpoint = run.out / "polish.pt"
    if args.resume and checkpoint.exists():
        run.restored(lambda _: shared_ppo.restore(polisher, checkpoint))
    for _ in shared_ppo.iterations(run, polisher, checkpoint, "polish"):
        pass
    learner.scores.load_state_dict(polisher.scores.state_dict())
    learner.decisions += polisher.decisions


def _keep(learner: Learner, checkpoint: Path) -> None:
    """Write the checkpoint at once or not at all."""
    state = {"scores": learner.scores.state_dict(), "optimiser": learner.optimiser.state_dict()}
    counts = {"steps": learner.steps, "decisions": learner.decisions}
    recent = [(d.x, d.mask, d.regret, d.weight) for d in learner.recent]
    with replacing(checkpoint) as draft:
        torch.save({**state, **counts, "recent": recent, "chance": learner.rng.bit_generator.state}, draft)


def _restore(learner: Learner, checkpoint: Path) -> None:
    saved = torch.load(checkpoint, weights_only=True)
    learner.scores.load_state_dict(saved["scores"])
    learner.optimiser.load_state_dict(saved["optimiser"])
    learner.steps, learner.decisions = saved["steps"], saved["decisions"]
    learner.recent = [Decisions(*parts) for parts in saved["recent"]]
    learner.rng.bit_generator.state = saved["chance"]


def run(argv: Sequence[str] | None = None) -> None:
    """Train: `argv` are the words of the command, those of the command line without it."""
    main(Regret, train, argv)
