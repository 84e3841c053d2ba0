"""A3C with an LSTM (Wang et al., arXiv 1801.02077): python -m train.a3c --help

UEs share a parameter server, whose weights begin by imitation of event A3. `Worlds` is what they play in: the recipe of
a scenario names its class (`Recipe.a3c`), and with it how its UEs learn.
"""

from __future__ import annotations

import dataclasses
import pkgutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
from rich.console import Console

from mmwave_baselines.training.a3c_server import BLOCK, ENTROPY, MODES, STABLE, Mode, Server, with_settings
from mmwave_baselines.training.command import Command, option
from mmwave_baselines.training.lstm import ENCODER, UNITS, Shape
from mmwave_baselines.training.recipes import GROUP, recipe
from mmwave_baselines.training.run import Run, in_words, main, metadata_of
from mmwave_gym.agents.networks import LstmNetwork
from mmwave_gym.agents.policy import Policy, action_metadata, field_metadata
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core import rooms
from mmwave_gym.core.files import replacing

REGRET_SCALE = 0.2  # ours, as in train.ppo
MOST_DELAY = 256  # of the histogram: the last bin counts all above
CHECKPOINT = "checkpoint.npz"


@dataclass(kw_only=True)
class A3c(Command):
    """Asynchronous advantage actor-critic (Mnih et al. 2016) with an LSTM, over clusters of UEs that move alike."""

    steps: int = option(4_000_000, "decisions to train on, of all UEs")
    mode: str = option("stable", "stable, or paper: Algorithm 2 with its errata corrected")
    ues: int = option(32, "UEs; where they are clustered so many of each area, and those of the cluster learn")
    cluster: bool = option(True, "cluster the UEs where the world has areas; otherwise those of the task's learn alone")
    encoder: int = option(ENCODER, "width of the network's encoding")
    units: int = option(UNITS, "units of its LSTM")
    imitate: bool = option(True, "begin by imitation of event A3, tuned, or with five settings in the paper's world")
    imitate_epochs: int = option(10, "passes over the imitated episodes")
    imitate_episodes: int = option(5, "episodes that are imitated, in the paper's world of 1000 slots")
    learning_rate: float = option(0.0, "of RMSProp; 0 for the mode's")
    final_rate: float = option(0.05, "the rate falls linearly to this share of it (paper mode: 1)")
    gamma: float = option(0.0, "discount a slot; 0 for the mode's")
    entropy: float = option(ENTROPY, "weight of the entropy")
    warmup: int = option(STABLE.warmup, "stable mode: blocks at first in which only the critic's head learns")
    offset: float = option(26.0, "stable mode: what is taken off rewards, bit/s/Hz, about their mean")
    online_rate: float = option(1e-5, "step size of UEs that go on learning with what was trained (stable mode)")
    sampled: bool = option(True, "the saved policy draws its actions, as the paper's does; otherwise the likeliest")
    regret: bool = option(False, "learn from regrets in hindsight instead of rewards, in training only")
    horizon: int = option(0, "side by side: training episodes are cut to this many steps; 0 for the task's own")
    simulate: bool = option(True, "play asynchrony in a fixed order; --async is --no-simulate")
    workers: int = option(2, "processes of --async")

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"--mode must be one of {', '.join(MODES)}, got {self.mode!r}.")
        counts = ("steps", "ues", "encoder", "units", "workers")
        self.at_least(1, *counts, "eval_episodes", "imitate_epochs", "imitate_episodes")
        self.at_least(0, "seed", "eval_every", "warmup", "entropy", "horizon")
        if self.learning_rate < 0.0 or not 0.0 <= self.gamma <= 1.0 or not 0.0 < self.final_rate <= 1.0:
            raise ValueError("--learning-rate must be at least 0, --gamma in [0, 1], --final-rate in (0, 1].")

    def check(self, task: Task) -> None:
        """ValueError where the scenario has no worlds for A3C, or they refuse the task or the arguments."""
        worlds_of(task).check(self, task)

    def teacher(self) -> str:
        return "a3" if self.imitate else ""

    def sees_oracle_regrets(self, task: Task) -> bool:
        return self.regret

    def settings(self) -> Mode:
        """The mode with what the command line changes."""
        given = {"learning_rate": self.learning_rate, "gamma": self.gamma}
        changed: dict[str, Any] = {name: value for name, value in given.items() if value} | {"entropy": self.entropy}
        if self.mode != "paper":
            changed["final_rate"] = self.final_rate
            changed["offset"] = self.offset
            changed["warmup"] = self.warmup
        if self.regret:
            changed |= {"offset": 0.0, "scale": REGRET_SCALE}  # regrets are centred by themselves
        return with_settings(self.mode, regret=self.regret, **changed)

    def online_settings(self) -> Mode:
        """How a UE goes on learning by itself: from rewards, for nobody tells it regrets."""
        if self.mode == "paper":
            return self.settings()
        plain = dataclasses.replace(self, regret=False).settings()
        return with_settings(plain, learning_rate=self.online_rate, final_rate=1.0)


class Cluster(NamedTuple):
    """Who shares the server: (area, number) of each UE, and how it was found."""

    members: list[tuple[Any, int]]
    found: dict[str, Any]


class Worlds(Protocol):
    """What A3C plays in."""

    scenario: Any
    shape: Shape
    """Of the network."""

    @classmethod
    def of(cls, args: A3c, task: Task) -> Worlds:
        """The worlds of a task, once it and the arguments are found to be good."""

    @staticmethod
    def check(args: A3c, task: Task) -> None:
        """ValueError where they cannot be played with these arguments."""

    def learn(self, run: A3cRun[Any]) -> None:
        """Play and learn until `--steps`."""

    def cluster(self, args: A3c) -> Cluster:
        """The UEs that share the server."""

    def imitate(self, args: A3c, server: Server, members: Sequence[tuple[Any, int]]) -> tuple[Server, float]:
        """Behaviour cloning of A3; the server after it, and the share of decisions that agree."""

    def network(self, server: Server) -> LstmNetwork:
        """The weights as a saved policy has them."""

    def metadata(self, args: A3c, server: Server) -> dict[str, Any]:
        """What a saved policy says beside what all say."""


W = TypeVar("W", bound=Worlds)


def worlds_of(task: Task) -> type[Worlds]:
    """The worlds that the recipe of the task's scenario names. Raises ValueError where it names none."""
    named = recipe(task.scenario_name).a3c
    if not named:
        able = sorted(name for name in rooms.points(GROUP, "recipe") if recipe(name).a3c)
        raise ValueError(f"train.a3c plays {' and '.join(able)} only, {task.name} is of {task.scenario_name}.")
    found: type[Worlds] = pkgutil.resolve_name(named)
    return found


class A3cRun(Run[A3c], Generic[W]):
    """A run with its parameter server. Raises BadRun."""

    def __init__(self, args: A3c, console: Console):
        super().__init__(args, CHECKPOINT, console, "a3c" if args.mode == "stable" else f"a3c-{args.mode}")
        self.worlds: W = worlds_of(self.task).of(args, self.task)  # type: ignore[assignment]
        self.mode = args.settings()
        self.cluster = self.worlds.cluster(args)
        self.steps, self.due = 0, args.eval_every
        self.eras = np.zeros(args.workers, np.int64)
        self.delays = np.zeros(MOST_DELAY, np.int64)
        if args.resume:
            self.server = self.restored(self._read)
            self.due = (self.steps // max(args.eval_every, 1) + 1) * args.eval_every
        else:
            self.server = self._begin()

    def _read(self, checkpoint: Path) -> Server:
        with np.load(checkpoint, allow_pickle=False) as saved:
            self.steps, self.eras, self.delays = int(saved["steps"]), saved["eras"], saved["delays"]
            return Server(self.worlds.shape, saved["weights"], saved["mean_square"])

    def _begin(self) -> Server:
        server = Server.fresh(self.worlds.shape, self.args.seed)
        if not self.args.imitate:
            return server
        server, right = self.worlds.imitate(self.args, server, self.cluster.members)
        self.tell(f"imitated A3: {right:.1%} of {self.args.imitate_episodes} episodes' decisions alike")
        return server

    @property
    def blocks(self) -> tuple[int, int]:
        """Blocks of each UE so far, and in all."""
        a_block = BLOCK * len(self.cluster.members)
        return self.steps // a_block, max(-(-self.args.steps // a_block), 1)

    def keep(self) -> None:
        """Write the checkpoint at once or not at all."""
        with replacing(self.checkpoint) as draft, draft.open("wb") as file:
            np.savez(
                file, weights=self.server.weights, mean_square=self.server.mean_square, steps=self.steps,
                eras=self.eras, delays=self.delays,
            )  # fmt: skip

    def report(self, scalars: dict[str, float]) -> None:
        """Write scalars, and an evaluation on the training split if it is time."""
        self.record(scalars, self.steps)
        if self.args.eval_every and self.steps >= self.due and self.steps < self.args.steps:
            self.due += self.args.eval_every
            self.evaluate()

    def report_delays(self) -> None:
        """The histogram of how many updates of others came between the fetch and the push of a gradient."""
        counts = self.delays
        if not counts.sum():
            return
        delay, log = np.arange(len(counts)), self.writer()
        log.add_scalar("train/gradient_delay_mean", float((counts * delay).sum() / counts.sum()), self.steps)
        log.add_scalar("train/delayed_share", float(counts[1:].sum() / counts.sum()), self.steps)
        log.add_histogram_raw(
            "train/gradient_delay", 0, int(delay[counts > 0].max()), int(counts.sum()), float((counts * delay).sum()),
            float((counts * delay**2).sum()), (delay + 0.5).tolist(), counts.tolist(), self.steps,
        )  # fmt: skip

    def evaluate(self) -> dict[str, float]:
        """Score the weights on the task's training split."""
        about = {**self.about(), "fields": field_metadata(self.worlds.scenario.fields)}
        scores = self.yardstick.score(Policy(self.worlds.network(self.server), about))
        self.record({f"eval/{name}": value for name, value in scores.items()}, self.steps)
        self.curve.add(self.steps, scores)
        self.tell(f"{self.steps:,} of {self.args.steps:,}: {in_words(scores)}")
        return scores

    def about(self) -> dict[str, Any]:
        """The metadata of the policy that the weights are now."""
        return metadata_of(
            self.args,
            self.task,
            "A3C" if self.args.mode == "stable" else "A3C as in the paper",
            steps=self.steps,
            action=action_metadata(self.worlds.scenario.action_space),
            output="logits",
            normalised=False,
            frame_stack=1,
            cluster=self.cluster.found,
            sampled=self.args.sampled or self.args.mode == "paper",
            **self.worlds.metadata(self.args, self.server),
        )

    def finish(self) -> Path:
        """Save the agent and say how to evaluate it."""
        scores = {"split": "train", "episodes": self.args.eval_episodes, **self.evaluate()}
        self.report_delays()
        self.close()
        network = self.worlds.network(self.server)
        return self.save(network, self.worlds.scenario.fields, {**self.about(), "results": scores})


def train(args: A3c, console: Console) -> Path:
    """Train as `args` say and return the path of the saved policy. Raises BadRun."""
    run: A3cRun[Any] = A3cRun(args, console)
    run.tell(f"{len(run.cluster.members)} UEs share the server: {run.cluster.found}")
    try:
        run.worlds.learn(run)
    finally:
        run.keep()
    return run.finish()


def run(argv: Sequence[str] | None = None) -> None:
    """Train: `argv` are the words of the command, those of the command line without it; --async is --no-simulate."""
    words = ["--no-simulate" if w == "--async" else w for w in (sys.argv[1:] if argv is None else argv)]
    main(A3c, train, words)
