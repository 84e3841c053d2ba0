"""PPO with an LSTM, one agent in an environment and no masks: python -m train.recurrent_ppo --task TASK"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gymnasium import spaces
from sb3_contrib import RecurrentPPO

from mmwave_baselines.training.arguments import Arguments
from mmwave_baselines.training.command import option
from mmwave_baselines.training.run import BadRun
from mmwave_baselines.training.session import main
from mmwave_gym.api.sb3_networks import Selected


@dataclass(kw_only=True)
class RecurrentPpo(Arguments):
    """Proximal policy optimisation whose actor and critic have an LSTM each (sb3-contrib's RecurrentPPO)."""

    networks = ("lstm",)
    steps: int = option(600_000, "decisions to train on")
    network: str = option("lstm", "lstm, the only one for RecurrentPPO")
    hidden: int = option(64, "units of each LSTM")
    n_envs: int = option(256, "environment copies that are stepped together")
    n_steps: int = option(16, "steps of each environment copy between updates; gradients go back no further")
    batch_size: int = option(2048, "samples of a gradient step, in stretches of n_steps")
    n_epochs: int = option(3, "passes over the samples of an update")
    gamma: float = option(0.95, "discount a step")
    gae_lambda: float = option(0.9, "of the advantage estimate")
    learning_rate: float = option(5e-4, "at the beginning; it falls to a twentieth linearly")
    entropy: float = option(0.003, "weight of the entropy in the loss at the beginning; it falls to 0 linearly")


def build(args: RecurrentPpo, env: Any) -> Any:
    scenario = env.unwrapped.scenario
    if scenario.masked or scenario.num_agents > 1 or isinstance(env.action_space, spaces.Box):
        raise BadRun(
            "RecurrentPPO needs one agent in an environment, which chooses freely from a list; train.ppo takes others."
        )
    return RecurrentPPO(
        "MlpLstmPolicy",
        env,
        n_steps=args.n_steps,
        batch_size=args.batch_size,
        n_epochs=args.n_epochs,
        gamma=args.gamma,
        gae_lambda=args.gae_lambda,
        learning_rate=lambda left: args.learning_rate * (0.05 + 0.95 * left),
        ent_coef=args.entropy,
        policy_kwargs={
            "net_arch": [],
            "lstm_hidden_size": args.hidden,
            "features_extractor_class": Selected,
            "features_extractor_kwargs": args.standard(env),
        },
        seed=args.seed,
        device="cpu",
    )


def run(argv: Sequence[str] | None = None) -> None:
    """Train: `argv` are the words of the command, those of the command line without it."""
    main(RecurrentPpo, build, argv)
