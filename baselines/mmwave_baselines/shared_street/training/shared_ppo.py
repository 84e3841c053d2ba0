"""PPO on rewards in shared streets, decision by decision: mmwave-gym train shared_ppo --task shared_street/main

All UEs share the network of `mmwave_baselines.shared_street.learned`; nothing is known in hindsight. Proximal policy
optimisation (Schulman et al. 2017) as it is, with three things that fit the environment:

1. Only slots in which a UE decides count: what it is paid from there to its next decision is one reward, discounted by
   the slot. GAE (Schulman et al. 2016) goes along each UE's own decisions and ends where the UE leaves.
2. The reward is the environment's `difference`: the own one less what others lose by sharing (Wolpert and Tumer 2002).
3. The critic is a perceptron over the same inputs, and is not kept.

One iteration plays `--episodes` training episodes, then learns from their decisions for `--n-epochs` passes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from torch import nn

from mmwave_baselines.shared_street.learned import FIELDS, INPUTS, METADATA, inputs
from mmwave_baselines.shared_street.training.networks import CLIP, SEED_SPACING, Decided, Drawing, Scores, evaluated
from mmwave_baselines.training.command import Command, option
from mmwave_baselines.training.run import Run, main, metadata_of
from mmwave_gym.agents.rollout import Rollout
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.batch import Batch
from mmwave_gym.core.files import replacing
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey
from mmwave_gym.core.types import Float64Array
from mmwave_gym.scenarios.shared_street.state import CANDIDATES

STREAM = "training by PPO"
REWARD_SCALE = 0.1
"""Training multiplies rewards by this, so that returns are of the order of 1."""
LEAST_RATE = 1e-4
REWARDS = ("difference", "own")
SURELY, LEAST_CHANCE = 0.05, 0.1
"""A decision whose action had a chance of at most 1 - SURELY is learned from for certain, others less often with more
weight: their gradient is in proportion to one less that chance."""


@dataclass(kw_only=True)
class SharedPpo(Command):
    """Proximal policy optimisation on the rewards of all UEs of shared streets, decision by decision."""

    steps: int = option(25, "iterations: episodes that are played, then learned from")
    episodes: int = option(4, "episodes of an iteration")
    horizon: int = option(800, "slots of a training episode")
    hidden: int = option(32, "width of both hidden layers of the actor")
    critic_hidden: int = option(64, "width of both hidden layers of the critic")
    learning_rate: float = option(3e-3, "at the beginning; it falls to 1e-4 linearly")
    cycles: int = option(1, "how often it begins to fall anew")
    batch_size: int = option(1024, "decisions of a gradient step")
    n_epochs: int = option(3, "passes over the decisions of an iteration")
    gamma: float = option(0.987, "discount a slot")
    gae_lambda: float = option(0.974, "of the advantage estimate, a slot")
    clip_range: float = option(0.2, "how far a probability may move in an iteration")
    entropy: float = option(0.01, "weight of the entropy")
    critic_first: int = option(0, "iterations at the beginning in which the critic learns alone")
    reward: str = option("difference", "reward of the environment: difference or own")
    eval_every: int = option(0, "iterations between evaluations on the training split; 0 for none but the last")
    eval_episodes: int = option(16, "episodes of an evaluation")

    def __post_init__(self) -> None:
        self.at_least(1, "steps", "episodes", "horizon", "hidden", "critic_hidden", "batch_size", "n_epochs")
        self.at_least(1, "eval_episodes", "cycles")
        self.at_least(0, "eval_every", "entropy", "critic_first")
        self.positive("learning_rate", "gamma", "gae_lambda", "clip_range")
        if self.reward not in REWARDS:
            raise ValueError(f"--reward must be one of {', '.join(REWARDS)}, got {self.reward!r}.")

    def check(self, task: Task) -> None:
        """ValueError where the task is not of shared streets."""
        if task.scenario_name != "shared_street":
            raise ValueError(f"train shared_ppo is for shared streets, {task.name} is of {task.scenario_name}.")


@dataclass
class Played:
    """What UEs decided in some episodes and what they were paid; a row is a UE of an environment."""

    slot: NDArray[np.intp]  # (decision,), in order
    decided: Decided  # (decision, …)
    reward: Float64Array  # (slot, row)
    over: NDArray[np.bool_]  # (slot, row): the UE left at the end of the slot
    last: NDArray[np.float32]  # (row, inputs): what is seen after the last slot
    utility: float


def play(batch: Batch, player: Drawing) -> Played:
    """Play the running episodes of a batch, from their first slot to the horizon."""
    scenario: Any = batch.scenario
    rows, slots = batch.num_envs * scenario.num_agents, scenario.horizon
    reward, over = np.zeros((slots, rows)), np.zeros((slots, rows), bool)
    rollout, utility = Rollout.of(player, batch), 0.0
    for slot in range(slots):
        outcome = batch.step(rollout.act().astype(np.int64))
        rollout.follow(outcome.terminated)
        reward[slot], over[slot] = outcome.reward.ravel(), outcome.terminated.ravel()
        utility = float(outcome.metrics["utility"].mean())
    last = inputs(scenario.fields, rollout.observation.reshape(rows, -1))
    return Played(*player.decided(), reward, over, last, utility)


def advantages(
    played: Played, value: Float64Array, last: Float64Array, gamma: float, gae_lambda: float
) -> Float64Array:
    """(decision,): generalised advantage estimates along each UE's own decisions, in the unit of the rewards.

    value: (decision,) and last: (row,), by the critic, in that unit. gamma, gae_lambda: a slot.
    """
    found = np.zeros(len(value))
    paid, follows, later = np.zeros(len(last)), np.ones(len(last)), np.zeros(len(last))
    following, trace = last.copy(), np.ones(len(last))
    ends = np.searchsorted(played.slot, np.arange(len(played.reward) + 1))
    for slot in reversed(range(len(played.reward))):
        goes_on = ~played.over[slot]
        paid = played.reward[slot] + gamma * np.where(goes_on, paid, 0.0)
        follows, trace = gamma * np.where(goes_on, follows, 0.0), gae_lambda * trace
        at = slice(ends[slot], ends[slot + 1])
        row = played.decided.row[at]
        discount = follows[row]
        error = paid[row] + discount * following[row] - value[at]
        found[at] = error + discount * trace[row] * later[row]
        later[row], following[row] = found[at], value[at]
        paid[row], follows[row], trace[row] = 0.0, 1.0, 1.0
    return found


class Learner:
    """Actor, critic and their optimiser."""

    def __init__(self, args: SharedPpo, task: Task):
        torch.set_num_threads(1)
        self.args = args
        keywords = {**task.for_training().kwargs, "horizon": args.horizon, "reward": args.reward}
        self.batch = Batch(make_scenario("shared_street", **keywords), args.episodes, draws_ahead=False)
        self.scores = Scores(args.hidden, args.seed)
        torch.manual_seed(args.seed)
        width = args.critic_hidden
        self.critic = nn.Sequential(
            nn.Linear(INPUTS * CANDIDATES, width), nn.Tanh(), nn.Linear(width, width), nn.Tanh(), nn.Linear(width, 1)
        )
        self.optimiser = torch.optim.Adam([*self.scores.parameters(), *self.critic.parameters()], args.learning_rate)
        self.rng = np.random.default_rng([args.seed, 2])
        self.steps = self.decisions = 0

    def update(self) -> dict[str, float]:
        """One iteration; what TensorBoard is told."""
        args = self.args
        first = args.seed * SEED_SPACING + self.steps * args.episodes
        self.batch.reset([EpisodeKey(first + i, 0, STREAM) for i in range(args.episodes)])
        played = play(self.batch, Drawing(self.scores, self.rng))
        played.reward *= REWARD_SCALE
        with torch.no_grad():
            value, last = (
                self.critic(torch.as_tensor(x))[:, 0].double().numpy() for x in (played.decided.x, played.last)
            )
        advantage = advantages(played, value, last, args.gamma, args.gae_lambda)
        self.decisions += len(advantage)
        self.scores.requires_grad_(self.steps >= args.critic_first)
        length = -(-args.steps // args.cycles)
        self.optimiser.param_groups[0]["lr"] = args.learning_rate * (1.0 - self.steps % length / length) + LEAST_RATE
        entropy, count = self._learn(played, advantage, value)
        self.steps += 1
        error = float((advantage**2).mean() / max((advantage + value).var(), 1e-9))
        return {
            "train/utility": played.utility,
            "train/entropy": entropy,
            "train/unexplained": error,
            "train/decisions": float(len(advantage)),
            "train/learned_from": float(count),
        }

    def _learn(self, played: Played, advantage: Float64Array, value: Float64Array) -> tuple[float, int]:
        """Passes over a part of the decisions in random order: the mean entropy, and how many there are in the part."""
        args, decided = self.args, played.decided
        chance = np.exp(log_chances(torch.as_tensor(decided.scores), torch.as_tensor(decided.mask)).numpy())
        chosen = np.take_along_axis(chance, decided.action[:, None], axis=1)[:, 0]
        kept = np.clip((1.0 - chosen) / SURELY, LEAST_CHANCE, 1.0)
        part = np.flatnonzero(self.rng.random(len(kept)) < kept)
        gain = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
        columns = (1.0 / kept, chosen, gain, advantage + value)
        weight, before, relative, target = (torch.as_tensor(c[part], dtype=torch.float32) for c in columns)
        x, mask, action = (torch.as_tensor(c[part]) for c in (decided.x, decided.mask, decided.action[:, None]))
        entropies: list[float] = []
        for _ in range(args.n_epochs):
            for at in torch.as_tensor(self.rng.permutation(len(x))).split(args.batch_size):
                log_pi = log_chances(self.scores(x[at], mask[at]), mask[at])
                ratio = log_pi.gather(1, action[at])[:, 0].exp() / before[at]
                held = ratio.clamp(1.0 - args.clip_range, 1.0 + args.clip_range)
                entropy = -(log_pi.exp() * log_pi.clamp(min=-20.0)).sum(dim=1)
                error = (self.critic(x[at])[:, 0] - target[at]) ** 2
                loss = 0.5 * error - torch.min(ratio * relative[at], held * relative[at]) - args.entropy * entropy
                self.optimiser.zero_grad()
                ((loss * weight[at]).sum() / weight[at].sum()).backward()
                for network in (self.scores, self.critic):
                    nn.utils.clip_grad_norm_(network.parameters(), CLIP)
                self.optimiser.step()
                entropies.append(float(((entropy * weight[at]).sum() / weight[at].sum()).detach()))
        return float(np.mean(entropies)), len(part)


def log_chances(scores: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """(rows, choices): logarithms of the probabilities of actions, of scores and masks (rows, choices)."""
    return torch.log_softmax(scores.masked_fill(~mask, -1e9), dim=1)


def train(args: SharedPpo, console: Console) -> Path:
    """Train as `args` say and return the path of the saved policy. Raises BadRun."""
    run = Run(args, "checkpoint.pt", console)
    learner = Learner(args, run.task)
    if args.resume:
        run.restored(lambda checkpoint: restore(learner, checkpoint))
    for _ in iterations(run, learner, run.checkpoint):
        if args.eval_every and learner.steps % args.eval_every == 0 and learner.steps < args.steps:
            evaluated(run, learner.scores, learner.steps, learner.decisions)
    results = evaluated(run, learner.scores, learner.steps, learner.decisions)
    run.close()
    metadata = metadata_of(args, run.task, "PPO", steps=learner.steps, results=results)
    metadata |= METADATA
    metadata["training"]["decisions"] = learner.decisions
    return run.save(learner.scores.network(), FIELDS, metadata)


def iterations(run: Run[Any], learner: Learner, checkpoint: Path, part: str = "") -> Iterator[None]:
    """Learn to the end of `--steps`; keep a checkpoint and yield after every iteration. part: a folder of scalars."""
    while learner.steps < learner.args.steps:
        began = time.process_time()
        found = learner.update()
        run.record(found, learner.steps, part)
        said = ", ".join(f"{name.partition('/')[2]} {value:.4f}" for name, value in found.items())
        took_s = time.process_time() - began
        run.tell(f"PPO {learner.steps} of {learner.args.steps}: {said} ({took_s:.1f} s of processor time)")
        parts = {name: getattr(learner, name).state_dict() for name in ("scores", "critic", "optimiser")}
        counts = {"steps": learner.steps, "decisions": learner.decisions}
        with replacing(checkpoint) as draft:
            torch.save({**parts, **counts, "chance": learner.rng.bit_generator.state}, draft)
        yield


def restore(learner: Learner, checkpoint: Path) -> None:
    """Put a learner where its checkpoint was written."""
    saved = torch.load(checkpoint, weights_only=True)
    for name in ("scores", "critic", "optimiser"):
        getattr(learner, name).load_state_dict(saved[name])
    learner.steps, learner.decisions = saved["steps"], saved["decisions"]
    learner.rng.bit_generator.state = saved["chance"]


def run(argv: Sequence[str] | None = None) -> None:
    """Train: `argv` are the words of the command, those of the command line without it."""
    main(SharedPpo, train, argv)
