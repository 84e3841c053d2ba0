"""PPO on any environment of the suite: python -m train.ppo --task TASK"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gymnasium import spaces
from sb3_contrib import MaskablePPO
from stable_baselines3 import PPO

from mmwave_baselines.training.arguments import Arguments
from mmwave_baselines.training.bootstrap import BatchedBootstrapPpo, TruncationBootstrap
from mmwave_baselines.training.command import option
from mmwave_baselines.training.per_agent_gae import PerAgentGaeBuffer, PerAgentGaePpo
from mmwave_baselines.training.recipes import credit_metric
from mmwave_baselines.training.session import main
from mmwave_gym.api.sb3_networks import MaskableSetPolicy, MaskableSkipPolicy, PlainPolicy, SetPolicy, SkipPolicy


@dataclass(kw_only=True)
class Ppo(Arguments):
    """Proximal policy optimisation (Schulman et al. 2017), masked where actions are (Huang and Ontañón 2022)."""

    steps: int = option(3_000_000, "decisions to train on")
    frame_stack: int = option(16, "how many of the last observations the network sees")
    n_steps: int = option(32, "steps of each environment copy between updates")
    batch_size: int = option(2048, "samples of a gradient step")
    n_epochs: int = option(4, "passes over the samples of an update")
    gamma: float = option(0.998, "discount a step")
    gae_lambda: float = option(0.95, "of the advantage estimate")
    per_agent_gae: bool = option(True, "turn-based worlds: per-agent GAE, where the scenario has a metric of credit")
    horizon_s: float = option(10.0, "time constant of the discount along these decisions; --gamma is not used there")
    learning_rate: float = option(1e-3, "at the beginning; it falls to a twentieth linearly")
    entropy: float = option(0.0, "weight of the entropy in the loss at the beginning; it falls to 0 linearly")
    stay_logit: float = option(4.0, "initial preference of an mlp for the last choice")
    rule: str = option("", "newest,mean,stay: an mlp begins as this rule on RSRQ in dB, see docs/training.md")
    sharpness: float = option(3.0, "logits a decibel of that rule")
    deviation: float = option(1.0, "standard deviation of a continuous action at the beginning")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.positive("horizon_s", "deviation")


def build(args: Ppo, env: Any) -> Any:
    masked = env.unwrapped.scenario.masked
    particular: dict[str, Any] = {"gamma": args.gamma}
    algorithm: Any = MaskablePPO if masked else PPO
    if args.per_agent_gae and credit_metric(env.unwrapped.scenario):
        # With gamma 0 SB3 adds no bootstrap at a truncation: the last reward belongs to an earlier decision here.
        particular = {"gamma": 0.0, "rollout_buffer_class": PerAgentGaeBuffer}
        algorithm, particular["rollout_buffer_kwargs"] = PerAgentGaePpo, {"horizon_s": args.horizon_s}
    elif not masked and env.unwrapped.scenario.num_agents > 1:
        algorithm, env = BatchedBootstrapPpo, TruncationBootstrap(env, args.gamma)
    kinds = (MaskableSkipPolicy, MaskableSetPolicy) if masked else (SkipPolicy, SetPolicy, PlainPolicy)
    policy, policy_kwargs = args.policy_of(env, *kinds)
    if isinstance(env.action_space, spaces.Box):
        policy_kwargs["log_std_init"] = math.log(args.deviation)
    return algorithm(
        policy,
        env,
        n_steps=args.n_steps,
        batch_size=args.batch_size,
        n_epochs=args.n_epochs,
        gae_lambda=args.gae_lambda,
        learning_rate=lambda left: args.learning_rate * (0.05 + 0.95 * left),
        ent_coef=args.entropy,
        policy_kwargs=policy_kwargs,
        seed=args.seed,
        device="cpu",
        **particular,
    )


def run(argv: Sequence[str] | None = None) -> None:
    """Train: `argv` are the words of the command, those of the command line without it."""
    main(Ppo, build, argv)
