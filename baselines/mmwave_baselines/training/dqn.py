"""DQN on any environment with one choice a step: python -m train.dqn --task TASK"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stable_baselines3 import DQN

from mmwave_baselines.training.arguments import Arguments
from mmwave_baselines.training.command import option
from mmwave_baselines.training.session import main
from mmwave_gym.api.sb3_networks import SetDqnPolicy, SkipDqnPolicy


@dataclass(kw_only=True)
class Dqn(Arguments):
    """Deep Q-learning (Mnih et al. 2015). Where actions are masked, only its evaluation obeys the masks."""

    networks = ("mlp", "plain", "set")
    steps: int = option(200_000, "decisions to train on")
    frame_stack: int = option(8, "how many of the last observations the network sees")
    buffer: int = option(100_000, "transitions remembered")
    batch_size: int = option(1024, "samples of a gradient step")
    train_every: int = option(4, "steps of each environment copy between updates")
    gradient_steps: int = option(4, "gradient steps of an update")
    gamma: float = option(0.95, "discount a step")
    learning_rate: float = option(1e-3, "at the beginning; it falls to a twentieth linearly")
    explore: float = option(0.02, "share of random actions at the end")
    target_every: int = option(8_000, "steps between copies of the network to the target network")
    stay_logit: float = option(1.0, "initial preference of an mlp for the last choice, in scaled reward")
    rule: str = option("", "newest,mean,stay: an mlp begins as this rule on RSRQ in dB, see docs/training.md")
    sharpness: float = option(0.2, "scaled reward a decibel of that rule")


def build(args: Dqn, env: Any) -> Any:
    policy, policy_kwargs = args.policy_of(env, SkipDqnPolicy, SetDqnPolicy)
    return DQN(
        policy,
        env,
        buffer_size=args.buffer,
        learning_starts=10 * args.batch_size,
        batch_size=args.batch_size,
        train_freq=args.train_every,
        gradient_steps=args.gradient_steps,
        gamma=args.gamma,
        learning_rate=lambda left: args.learning_rate * (0.05 + 0.95 * left),
        exploration_fraction=0.2,
        exploration_initial_eps=0.2,
        exploration_final_eps=args.explore,
        target_update_interval=args.target_every,
        policy_kwargs=policy_kwargs,
        seed=args.seed,
        device="cpu",
    )


def run(argv: Sequence[str] | None = None) -> None:
    """Train: `argv` are the words of the command, those of the command line without it."""
    main(Dqn, build, argv)
