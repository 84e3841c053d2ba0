"""Options of the scripts that train with Stable-Baselines3, and the network that they choose."""

from __future__ import annotations

import copy
import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from mmwave_baselines.training.command import Command, option
from mmwave_baselines.training.recipes import credit_metric, recipe
from mmwave_gym.agents.networks import choice_columns, mark_columns
from mmwave_gym.api.sb3_networks import Standardised
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core import registration
from mmwave_gym.core.keywords import keywords
from mmwave_gym.core.scenario import ObservationFields

MOST_SCALE = 10.0
"""What hardly varies while all act at random may vary when they do not."""
NETWORKS = ("mlp", "plain", "set", "relative")


@dataclass(kw_only=True)
class Arguments(Command):
    """Options of every script that trains with Stable-Baselines3; a script adds those of its algorithm."""

    may_change: ClassVar[tuple[str, ...]] = (*Command.may_change, "checkpoint_every")
    networks: ClassVar[tuple[str, ...]] = NETWORKS
    """What --network may be."""

    train_set: tuple[str, ...] = option((), "KEY=VALUE: a keyword that only training has, e.g. start=uniform")
    vary: tuple[str, ...] = option((), "KEY=[…]: train in several worlds side by side, one for each value")
    horizon: int = option(1200, "training episodes are cut to this many steps")
    n_envs: int = option(128, "environment copies that are stepped together")
    frame_stack: int = option(1, "how many of the last observations the network sees")
    network: str = option(
        "mlp",
        "mlp; plain: no linear path; set: the same weights for every choice; relative: and what the last one is like",
    )
    see: str = option("", "fields of the observation, with commas, that a plain network or an lstm sees; default: all")
    hidden: int = option(32, "width of both hidden layers")
    regret: bool = option(True, "train on the regret in hindsight, where the scenario can be solved")
    usual_per_s: float = option(0.0, "what is taken off rewards a second, about what a rule gets; for --no-regret")
    reward_scale: float = option(0.2, "training multiplies rewards by this")
    keep_best: bool = option(
        False, "save the network of the best evaluation, not the last; --resume forgets earlier ones"
    )
    imitate: str = option("", "an agent that the network imitates first, e.g. a3")
    imitate_updates: int = option(1500, "gradient steps of imitation")
    checkpoint_every: int = option(100_000, "steps between checkpoints")

    def __post_init__(self) -> None:
        if self.network not in self.networks:
            raise ValueError(f"--network must be one of {', '.join(self.networks)}, got {self.network!r}.")
        self.at_least(1, "steps", "n_envs", "frame_stack", "hidden", "horizon", "checkpoint_every", "eval_episodes")
        self.at_least(0, "seed", "eval_every", "imitate_updates")

    def check(self, task: Task) -> None:
        """Also makes the training environments once: ValueError or TypeError where the keywords make none."""
        scenarios = [registration.make_registered(task.env_id, **k) for k in self.varied_keywords(task)]
        fields = scenarios[0].fields
        space: Any = scenarios[0].action_space
        if self.network in ("plain", "lstm"):
            seen_columns(fields, self.see)
        if self.network in ("set", "relative"):
            if not isinstance(space, spaces.Discrete):
                raise ValueError(f"--network {self.network} makes one choice a step, here actions are {space}.")
            choice_columns(fields, int(space.n))
        if self.network == "relative":
            mark_columns(fields, int(space.n))
        if self.frame_stack > 1 and credit_metric(scenarios[0]):
            raise ValueError("--frame-stack must be 1 where agents take turns: the last frame was another agent's.")

    def sees_oracle_regrets(self, task: Task) -> bool:
        found = recipe(task.scenario_name)
        return self.regret and found.potential is not None and not credit_metric(task.scenario())

    def policy_of(self, env: Any, skip: Any, over_choices: Any, plain: Any = "MlpPolicy") -> tuple[Any, dict[str, Any]]:
        """Which of SB3's policy classes --network asks for, and its `policy_kwargs`, for a VecEnv."""
        width = [self.hidden, self.hidden]
        if self.network == "mlp":
            return skip, {"net_arch": width}
        base = env.unwrapped
        if self.network == "plain":
            extractor = {"features_extractor_class": Standardised, "features_extractor_kwargs": self.standard(env)}
            return plain, {"net_arch": width, **extractor}
        columns = choice_columns(base.scenario.fields, base.action_space.n, self.frame_stack)
        if self.network == "set":
            return over_choices, {"net_arch": width, "columns": columns.tolist()}
        marks = mark_columns(base.scenario.fields, base.action_space.n, self.frame_stack)
        mean, scale = alike(columns, *spread(env, self.seed))
        known = {"mean": mean.tolist(), "scale": scale.tolist()}
        extractor = {"features_extractor_class": Standardised, "features_extractor_kwargs": known}
        return over_choices, {"net_arch": width, "columns": columns.tolist(), "marks": marks.tolist(), **extractor}

    def standard(self, env: Any) -> dict[str, list[float]]:
        """Mean and scale of every input of a VecEnv, the scale 0 for those that --see leaves out."""
        hidden = ~np.tile(seen_columns(env.unwrapped.scenario.fields, self.see), self.frame_stack)
        mean, scale = spread(env, self.seed)
        scale[hidden] = 0.0
        return {"mean": mean.tolist(), "scale": scale.tolist()}

    def training_keywords(self, task: Task) -> dict[str, Any]:
        """Keywords of the environment in training: the task's, a shorter horizon, and --train-set."""
        config = registration.room_of(task.env_id).load("config")
        chosen = dict(task.kwargs)
        if "horizon" in {f.name for f in dataclasses.fields(config)}:
            chosen["horizon"] = min(self.horizon, task.scenario().horizon)
        return {**chosen, **keywords(self.train_set)}

    def varied_keywords(self, task: Task) -> list[dict[str, Any]]:
        """`training_keywords` of each world that is trained in: one, or as many as --vary lists values.

        A keyword given by --set is not varied. Raises ValueError for lists that are none or of different lengths.
        """
        common, given = self.training_keywords(task), keywords(self.set)
        varied = {k: v for k, v in keywords(self.vary).items() if k not in given}
        for name, values in varied.items():
            if not isinstance(values, tuple) or not values:
                raise ValueError(
                    f"--vary takes a keyword and a list, such as num_ues=[128,512], got {name}={values!r}."
                )
        if len({len(values) for values in varied.values()}) > 1:
            raise ValueError(f"--vary needs lists of one length, got {varied}.")
        parts = [dict(zip(varied, values, strict=True)) for values in zip(*varied.values(), strict=True)]
        return [{**common, **part} for part in parts or [{}]]


def seen_columns(fields: ObservationFields, names: str) -> NDArray[np.bool_]:
    """Which of an observation's numbers belong to the named fields, (features,).

    names: separated by commas; "" names all. Raises ValueError for unknown names.
    """
    chosen = names.split(",") if names else [f.name for f in fields]
    known = [f.name for f in fields]
    if unknown := [name for name in chosen if name not in known]:
        raise ValueError(f"--see names {', '.join(unknown)}, but an observation has: {', '.join(known)}.")
    return np.concatenate([np.full(f.size, f.name in chosen) for f in fields])


def spread(env: Any, seed: int, steps: int = 20) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means (inputs,) of a VecEnv's observations under random actions, and 1 / standard deviation (inputs,).

    Means have the units of the inputs, scales the inverse units. The scale of an input that does not vary is 0.
    """
    space = copy.deepcopy(env.action_space)
    space.seed(seed)
    seen = [env.reset()]
    for _ in range(steps):
        seen.append(env.step(np.stack([space.sample() for _ in range(env.num_envs)]))[0])
    shown = np.concatenate(seen).astype(np.float64)
    shown = shown[shown.any(axis=1)]  # empty agent slots show zeros
    deviation = shown.std(axis=0)
    return shown.mean(axis=0), np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 1e-6)


def alike(
    columns: NDArray[np.intp], mean: NDArray[np.float64], scale: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`spread` with one mean and one scale for the same feature of all choices, both (inputs,).

    columns (choices, features): the inputs that describe each choice. mean, scale (inputs,): as of `spread`.
    """
    mean, scale = mean.copy(), scale.copy()
    deviation = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0.0)
    for feature in columns.T:
        square = (deviation[feature] ** 2 + mean[feature] ** 2).mean()
        mean[feature] = mean[feature].mean()
        spread_of_all = np.sqrt(max(square - mean[feature[0]] ** 2, 0.0))
        scale[feature] = min(1.0 / spread_of_all, MOST_SCALE) if spread_of_all > 1e-6 else 0.0
    return mean, scale
