"""A2C on any environment of the suite: python -m train.a2c --task TASK"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stable_baselines3 import A2C

from mmwave_baselines.training.arguments import Arguments
from mmwave_baselines.training.command import option
from mmwave_baselines.training.session import main
from mmwave_gym.api.sb3_networks import PlainPolicy, SetPolicy, SkipPolicy


@dataclass(kw_only=True)
class A2c(Arguments):
    """Advantage actor-critic, the synchronous form of A3C (Mnih et al. 2016)."""

    steps: int = option(600_000, "decisions to train on")
    frame_stack: int = option(16, "how many of the last observations the network sees")
    n_steps: int = option(5, "steps of each environment copy between updates")
    gamma: float = option(0.998, "discount a step")
    gae_lambda: float = option(0.95, "of the advantage estimate")
    learning_rate: float = option(1e-3, "at the beginning; it falls to a twentieth linearly")
    entropy: float = option(0.0, "weight of the entropy in the loss at the beginning; it falls to 0 linearly")
    stay_logit: float = option(4.0, "initial preference of an mlp for the last choice")
    rule: str = option("", "newest,mean,stay: an mlp begins as this rule on RSRQ in dB, see docs/training.md")
    sharpness: float = option(3.0, "logits a decibel of that rule")


def build(args: A2c, env: Any) -> Any:
    policy, policy_kwargs = args.policy_of(env, SkipPolicy, SetPolicy, PlainPolicy)
    return A2C(
        policy,
        env,
        n_steps=args.n_steps,
        gamma=args.gamma,
        gae_lambda=args.gae_lambda,
        learning_rate=lambda left: args.learning_rate * (0.05 + 0.95 * left),
        ent_coef=args.entropy,
        normalize_advantage=True,
        policy_kwargs=policy_kwargs,
        seed=args.seed,
        device="cpu",
    )


def run(argv: Sequence[str] | None = None) -> None:
    """Train: `argv` are the words of the command, those of the command line without it."""
    main(A2c, build, argv)
