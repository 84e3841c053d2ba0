"""Turn-taking PPO: agents decide one after the other: python -m train.turns --task association/blocked-512

One network over candidates plays every UE at any density. It differs from the usual PPO:

1. The reward of a decision is the **credit** that the environment reports when the same UE decides next: what the
   network would have lost without it, all later decisions being the same (a difference reward, Wolpert and Tumer
   2002). The sum rate until the next epoch of any UE says almost nothing about one of 500 UEs.
2. Per-agent GAE: the next state of a decision is the same UE's next decision. Discounts are in seconds,
   exp(-dt / `horizon_s`): any UE decides within milliseconds, the same UE within seconds.
3. Pretraining by behaviour cloning of a rule, on worlds that the rule plays and then on worlds that the network plays
   (DAgger, Ross et al. 2011).
4. Every iteration plays new whole worlds of several densities in compiled code (`turns_kernel`).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from torch import nn

from mmwave_baselines.association.learned import ROLE, free_sites
from mmwave_baselines.association.training.turns_kernel import Played, play
from mmwave_baselines.training.command import Command, option
from mmwave_baselines.training.run import Run, main, metadata_of
from mmwave_gym.agents.networks import SetNetwork, choice_columns
from mmwave_gym.agents.policy import action_metadata
from mmwave_gym.api.sb3_networks import SetMlp
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.files import replacing
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng, ObservationFields

HIDDEN = (48, 32)
DENSITIES = (128, 256, 512, 1024, 2048)
"""UEs of the training worlds; the shortest world lasts as long as the environment allows."""
VALIDATION = (512, 2048)
DECISIONS_A_WORLD = 10_000
CRITIC_RATE = 2e-3
STREAM = "train.turns"


@dataclass(kw_only=True)
class Turns(Command):
    """Turn-taking PPO (Schulman et al. 2017): per-agent GAE on credit in hindsight, after behaviour cloning."""

    may_change: ClassVar[tuple[str, ...]] = (*Command.may_change, "steps")
    steps: int = option(800_000, "decisions of reinforcement learning")
    imitate: str = option("price", "the rule to imitate first: price, or cover with --roles; empty for none")
    roles: bool = option(False, "tell the network which base stations a vertex cover of the map leaves free")
    learning_rate: float = option(1e-3, "of the actor at the beginning; it falls to a twentieth linearly")
    entropy: float = option(0.005, "weight of the entropy in the loss at the beginning; it falls as the rate does")
    horizon_s: float = option(10.0, "time constant of the discount")
    gae_lambda: float = option(0.9, "of the advantage estimate")
    n_epochs: int = option(4, "passes over the samples of an update")
    batch_size: int = option(2048, "samples of a gradient step")
    eval_every: int = option(120_000, "steps between evaluations on validation worlds; the best network is kept")

    def __post_init__(self) -> None:
        if self.imitate not in ("", "price", "cover"):
            raise ValueError(f"--imitate must be price, cover or empty, got {self.imitate!r}.")
        if self.imitate == "cover" and not self.roles:
            raise ValueError("--imitate cover needs --roles: the rule is about them.")
        self.at_least(1, "steps", "n_epochs", "batch_size", "eval_every")
        self.positive("horizon_s")

    def check(self, task: Task) -> None:
        """ValueError where the task is not of association."""
        if task.scenario_name != "association":
            raise ValueError(f"train.turns plays association only, {task.name} is of {task.scenario_name}.")


class Samples(NamedTuple):
    """Decisions of several worlds, ordered by UE and time."""

    seen: torch.Tensor  # (n, C * features)
    allowed: torch.Tensor  # (n, C)
    action: torch.Tensor  # (n,)
    teacher: torch.Tensor  # (n,)
    credit: NDArray[np.float64]  # (n,) of the decision before, bit/Hz
    time_s: NDArray[np.float64]  # (n,)
    agent: NDArray[np.int64]  # (n,) which UE of which world


class Worlds:
    """Draws and plays worlds of a task's geometry at any density."""

    def __init__(self, task: Task, roles: bool, seed: int):
        self._task, self._seed = task, seed
        self.scenario = self._scenario(task.scenario().num_ues, None)  # type: ignore[attr-defined]
        self.roles = free_sites(self.scenario.constants()).astype(np.float64) if roles else None
        self.choices = self.scenario.max_candidates
        own = self.scenario.fields
        self.fields = ObservationFields((*own, ROLE._replace(size=self.choices))) if roles else own
        self.columns = choice_columns(self.fields, self.choices)
        per_choice = [f for f in self.fields if f.per == "choice" or f.size == 1]
        self._logs = np.array([np.log1p(f.high) if f.logarithmic else 0.0 for f in per_choice])
        self.drawn = 0
        self._scenarios: dict[int, Any] = {}

    def _scenario(self, num_ues: int, duration_s: float | None) -> Any:
        keywords = {**self._task.kwargs, "num_ues": num_ues, **({"duration_s": duration_s} if duration_s else {})}
        return make_scenario("association", **keywords)

    def at(self, num_ues: int, decisions: int = DECISIONS_A_WORLD, least_s: float = 30.0) -> Any:
        """The scenario of a density, so long that it has about so many decisions."""
        if num_ues not in self._scenarios:
            long = self._scenario(num_ues, 60.0)
            a_second = float((long.draw([EpisodeRng(EpisodeKey(1))]).ue >= 0).sum()) / 60.0
            duration_s = float(np.clip(decisions / a_second, least_s, 100.0))
            self._scenarios[num_ues] = self._scenario(num_ues, duration_s)
        return self._scenarios[num_ues]

    def play(
        self, num_ues: int, weights: list[Any], rng: np.random.Generator | None, teacher: str = "", drives: bool = False
    ) -> Played:
        """One fresh world, sampled with `rng`, or greedily without."""
        scenario = self.at(num_ues)
        self.drawn += 1
        episodes = scenario.draw([EpisodeRng(EpisodeKey(self._seed, self.drawn, STREAM))])
        shape = ((episodes.ue[0] >= 0).sum() if rng else 0, max(self.choices, 2))
        chance = rng.random(shape) if rng else np.zeros(shape)
        return play(
            *(episodes, 0, scenario.num_bs, self._logs, self.roles, weights, chance, teacher, drives),
            settle_s=min(10.0, scenario.config.duration_s / 3.0),
        )

    def samples(self, played: list[Played]) -> Samples:
        parts = []
        for i, p in enumerate(played):
            agent = p.ue + i * 2**32
            order = np.lexsort((p.time_s, agent))
            seen = p.seen.reshape(len(p.ue), -1)
            parts.append([a[order] for a in (seen, p.allowed, p.action, p.teacher, p.credit, p.time_s, agent)])
        joined: list[Any] = [np.concatenate(part) for part in zip(*parts, strict=True)]
        tensors: list[Any] = [torch.as_tensor(a) for a in joined[:4]]
        return Samples(*tensors, *joined[4:])


class Learner:
    """Actor over candidates, critic, their optimisers, and the best actor so far."""

    def __init__(self, args: Turns, worlds: Worlds):
        torch.set_num_threads(1)
        torch.manual_seed(args.seed)
        self.args, self.worlds = args, worlds
        self.rng = np.random.default_rng([args.seed, 1])
        features = worlds.columns.shape[1]
        flat = np.arange(worlds.choices * features).reshape(worlds.choices, features)  # as the kernel gives them
        self.actor = SetMlp(flat.tolist(), HIDDEN, nn.Tanh)
        with torch.no_grad():
            self.actor.last.weight *= 0.1
        self.critic = nn.Sequential(
            *(nn.Linear(2 * features, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
        )
        self.optimiser = torch.optim.Adam(
            [
                {"params": self.actor.parameters(), "lr": args.learning_rate},
                {"params": self.critic.parameters(), "lr": CRITIC_RATE},
            ]
        )
        self.steps = 0
        self.best: dict[str, Any] = {"rate": -np.inf, "steps": 0, "actor": self.actor.state_dict()}

    def weights(self) -> list[NDArray[np.float32]]:
        """The actor's parameters as `play` takes them: of every layer the weight (out, in), then the bias (out,)."""
        layers = [*self.actor.hidden, self.actor.last]
        return [p.detach().numpy().astype(np.float32) for layer in layers for p in (layer.weight, layer.bias)]

    def log_chances(self, s: Samples, at: Any) -> Any:
        """Log-probabilities of all candidates, (len(at), C)."""
        allowed = s.allowed[at]
        return self.actor(s.seen[at], allowed).masked_fill(~allowed, -1e9).log_softmax(dim=1)

    def imitate(self, rounds: int = 3, passes: int = 6) -> float:
        """Imitate the rule, on worlds that it drives and then on the network's own; returns the last cross-entropy."""
        held: list[Played] = []
        loss = torch.zeros(())
        for i in range(rounds):
            for num_ues in DENSITIES * (2 if i == 0 else 1):
                held.append(self.worlds.play(num_ues, self.weights(), self.rng, self.args.imitate, drives=i == 0))
            s = self.worlds.samples(held)
            free = torch.nonzero(s.allowed.sum(dim=1) > 1)[:, 0]
            optimiser = torch.optim.Adam(self.actor.parameters(), 4e-3 if i == 0 else 2e-3)
            batches = -(-len(free) // 2048) * passes
            fall = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.05, batches)
            for _ in range(passes):
                for at in free[torch.randperm(len(free))].split(2048):
                    loss = torch.nn.functional.nll_loss(self.log_chances(s, at), s.teacher[at])
                    optimiser.zero_grad()
                    loss.backward()
                    optimiser.step()
                    fall.step()
        return float(loss.detach())

    def iterate(self, densities: list[int], warming: bool) -> dict[str, float]:
        """Play a world of each density and update; while `warming` only the critic learns."""
        args = self.args
        left = max(1.0 - self.steps / args.steps, 0.0) * 0.95 + 0.05
        for group, rate in zip(
            self.optimiser.param_groups, (0.0 if warming else args.learning_rate, 2e-3), strict=True
        ):
            group["lr"] = rate * left
        played = [self.worlds.play(n, self.weights(), self.rng) for n in densities]
        s = self.worlds.samples(played)
        pooled = self._pooled(s)
        with torch.no_grad():
            value = self.critic(pooled)[:, 0].numpy()
            before = self.log_chances(s, slice(None)).gather(1, s.action[:, None])[:, 0]
        advantage, known = self._advantages(s, value)
        free = (s.allowed.sum(dim=1) > 1).numpy()
        spread = advantage[known & free]
        scaled = torch.as_tensor(
            ((advantage - spread.mean()) / spread.std()).clip(-5.0, 5.0) * free, dtype=torch.float32
        )
        target = torch.as_tensor(advantage + value, dtype=torch.float32)
        scale = max(float(target.var()), 1e-6)
        free_t = torch.as_tensor(free)
        for _ in range(args.n_epochs):
            for at in torch.as_tensor(self.rng.permutation(np.flatnonzero(known))).split(args.batch_size):
                chances = self.log_chances(s, at)
                ratio = (chances.gather(1, s.action[at][:, None])[:, 0] - before[at]).exp()
                gain = torch.minimum(ratio * scaled[at], ratio.clamp(0.8, 1.2) * scaled[at])
                count = free_t[at].sum().clamp(min=1)
                entropy = -((chances.exp() * chances).sum(dim=1) * free_t[at]).sum() / count
                error = ((self.critic(pooled[at])[:, 0] - target[at]) ** 2).mean() / scale
                loss = -gain.sum() / count - args.entropy * left * entropy + 0.5 * error
                self.optimiser.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_([*self.actor.parameters(), *self.critic.parameters()], 1.0)
                self.optimiser.step()
        self.steps += len(s.action)
        rates = {f"rollout/rate_{n}": p.rate for n, p in zip(densities, played, strict=True)}
        explained = 1.0 - ((advantage[known]) ** 2).mean() / scale
        return {**rates, "train/entropy": float(entropy.detach()), "train/explained": float(explained)}

    def _pooled(self, s: Samples) -> Any:
        """What the critic sees: mean and maximum of the candidates' features."""
        allowed = s.allowed[..., None]
        seen = s.seen.view(*s.allowed.shape, -1)
        mean = (seen * allowed).sum(dim=1) / s.allowed.sum(dim=1, keepdim=True)
        return torch.cat((mean, seen.where(allowed, -torch.inf).amax(dim=1)), dim=1)

    def _advantages(self, s: Samples, value: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Generalised advantages along each UE's decisions, and which are known: all but a UE's last."""
        known = np.zeros(len(value), bool)
        known[:-1] = s.agent[1:] == s.agent[:-1]
        advantage = np.zeros(len(value))
        discount = np.exp(-np.diff(s.time_s, append=0.0).clip(0.0) / self.args.horizon_s)
        later = 0.0
        for i in range(len(value) - 2, -1, -1):
            if not known[i]:
                later = 0.0
                continue
            step = s.credit[i + 1] + discount[i] * value[i + 1] - value[i]
            later = step + discount[i] * self.args.gae_lambda * later
            advantage[i] = later
        return advantage, known

    def validate(self, worlds: Worlds) -> dict[str, float]:
        """Rates of the greedy network on the same validation worlds every time; keeps the best network."""
        worlds.drawn = 0
        rate = {n: float(np.mean([worlds.play(n, self.weights(), None).rate for _ in range(2)])) for n in VALIDATION}
        mean = float(np.exp(np.mean(np.log(list(rate.values())))))
        if mean > self.best["rate"]:
            kept = {k: v.clone() for k, v in self.actor.state_dict().items()}
            self.best = {"rate": mean, "steps": self.steps, "actor": kept}
        return {f"eval/rate_{n}": r for n, r in rate.items()}


def train(args: Turns, console: Console) -> Path:
    """Train as `args` say and return the path of the saved policy. Raises BadRun."""
    run = Run(args, "checkpoint.pt", console, "roles" if args.roles else "turns")
    worlds, validation = Worlds(run.task, args.roles, args.seed), Worlds(run.task, args.roles, 2**20)
    learner = Learner(args, worlds)
    began, iteration, due = time.time(), 0, 0
    if args.resume:
        iteration = run.restored(lambda checkpoint: _restore(learner, checkpoint))
    elif args.imitate:
        loss = learner.imitate()
        run.tell(f"imitated {args.imitate}: cross-entropy {loss:.4f}, {time.time() - began:.0f} s")
    while True:
        if learner.steps >= due or learner.steps >= args.steps:
            due = learner.steps + args.eval_every
            scores = learner.validate(validation)
            run.record(scores, learner.steps)
            rates = ", ".join(f"{n.rpartition('_')[2]} UEs {v:.1f}" for n, v in scores.items())
            run.tell(f"{learner.steps:,} of {args.steps:,}: {rates} bit/s/Hz")
            _keep(learner, iteration, run.checkpoint)
        if learner.steps >= args.steps:
            break
        half = DENSITIES[iteration % 2 :: 2]  # 128, 512, 2048 and 256, 1024 in turn
        scalars = learner.iterate(list(half), warming=bool(args.imitate) and iteration < 3)
        iteration += 1
        run.record(scalars, learner.steps)
    learner.actor.load_state_dict(learner.best["actor"])
    run.close()
    return _save(run, learner)


def _keep(learner: Learner, iteration: int, checkpoint: Path) -> None:
    """Write the checkpoint at once or not at all."""
    state: dict[str, Any] = {name: getattr(learner, name).state_dict() for name in ("actor", "critic", "optimiser")}
    state |= {"best": learner.best, "steps": learner.steps, "iteration": iteration, "drawn": learner.worlds.drawn}
    with replacing(checkpoint) as draft:
        torch.save(state, draft)


def _restore(learner: Learner, checkpoint: Path) -> int:
    """Go on where the checkpoint was written; returns how many iterations came before it."""
    saved = torch.load(checkpoint, weights_only=True)
    for name in ("actor", "critic", "optimiser"):
        getattr(learner, name).load_state_dict(saved[name])
    learner.best, learner.steps, learner.worlds.drawn = saved["best"], saved["steps"], saved["drawn"]
    learner.rng = np.random.default_rng([learner.args.seed, saved["iteration"]])
    return int(saved["iteration"])


def _save(run: Run[Turns], learner: Learner) -> Path:
    args, worlds, w = run.args, learner.worlds, learner.weights()
    layers = tuple((w[i], w[i + 1]) for i in range(0, len(w), 2))
    network = SetNetwork(layers, worlds.columns, worlds.fields.size)
    metadata = metadata_of(
        args,
        run.task,
        "ROLES" if args.roles else "TURNS",
        steps=args.steps,
        kept_at_step=learner.best["steps"],
        action=action_metadata(worlds.scenario.action_space),
        output="logits",
        normalised=True,
        frame_stack=1,
        densities=list(DENSITIES),
    )
    run.tell(f"kept the network of {learner.best['steps']:,} steps")
    return run.save(network, worlds.fields, metadata)


def run(argv: Sequence[str] | None = None) -> None:
    """Train: `argv` are the words of the command, those of the command line without it."""
    main(Turns, train, argv)
