"""SAC on environments with continuous actions: python -m train.sac ENV_ID"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gymnasium import spaces
from stable_baselines3 import SAC

from mmwave_baselines.training.arguments import Arguments
from mmwave_baselines.training.command import option
from mmwave_baselines.training.run import BadRun
from mmwave_baselines.training.session import main


@dataclass(kw_only=True)
class Sac(Arguments):
    """Soft actor-critic (Haarnoja et al. 2018), the temperature tuned by itself."""

    steps: int = option(400_000, "decisions to train on")
    network: str = option("plain", "plain, the only one for SAC")
    buffer: int = option(200_000, "transitions remembered")
    batch_size: int = option(1024, "samples of a gradient step")
    train_every: int = option(1, "steps of each environment copy between updates")
    gradient_steps: int = option(4, "gradient steps of an update")
    gamma: float = option(0.95, "discount a step")
    learning_rate: float = option(1e-3, "at the beginning; it falls to a twentieth linearly")
    temperature: float = option(0.01, "weight of the entropy at the beginning, in scaled reward")
    tau: float = option(0.01, "share by which target networks follow in a gradient step")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.network != "plain":
            raise ValueError(f"--network must be plain for SAC, got {self.network!r}.")
        self.positive("temperature")


def build(args: Sac, env: Any) -> Any:
    if not isinstance(env.action_space, spaces.Box):
        hint = "; try --set levels=null" if "levels" in args.target().scenario().constants() else ""
        raise BadRun(f"SAC needs continuous actions, here they are {env.action_space}{hint}.")
    policy, policy_kwargs = args.policy_of(env, None, None)
    return SAC(
        policy,
        env,
        buffer_size=args.buffer,
        learning_starts=10 * args.batch_size,
        batch_size=args.batch_size,
        train_freq=args.train_every,
        gradient_steps=args.gradient_steps,
        gamma=args.gamma,
        tau=args.tau,
        ent_coef=f"auto_{args.temperature}",
        learning_rate=lambda left: args.learning_rate * (0.05 + 0.95 * left),
        policy_kwargs=policy_kwargs,
        seed=args.seed,
        device="cpu",
    )


def run(argv: Sequence[str] | None = None) -> None:
    """Train: `argv` are the words of the command, those of the command line without it."""
    main(Sac, build, argv)
