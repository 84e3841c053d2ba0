"""What all training scripts can be told, as a dataclass that is also the command line."""

from __future__ import annotations

import argparse
import copy
import dataclasses
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from mmwave_baselines.training.recipes import preset
from mmwave_gym.agents.networks import choice_columns, mark_columns
from mmwave_gym.benchmark import suite
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core import registration
from mmwave_gym.core.keywords import keywords
from mmwave_gym.core.scenario import ObservationFields

A = TypeVar("A", bound="Command")
MOST_SCALE = 10.0
"""What hardly varies while all act at random may vary when they do not."""
NETWORKS = ("mlp", "plain", "set", "relative")


def option(default: Any, help: str) -> Any:
    """A field of `Command` with its line of help."""
    return dataclasses.field(default=default, metadata={"help": help})


@dataclass(kw_only=True)
class Command:
    """Options of every training script."""

    env_id: str = option("", "environment to train on; not needed with --task")
    task: str = option("", "a task of the suite: its environment and keywords")
    set: tuple[str, ...] = option((), "KEY=VALUE: a keyword of the environment")
    seed: int = option(0, "training seed; seeds share no world")
    steps: int = option(1_000_000, "decisions to train on")
    out: str = option("", "directory of the run; default runs/<algorithm>-<task>-s<seed>")
    resume: bool = option(False, "continue the run in --out from its checkpoint")
    eval_every: int = option(250_000, "steps between evaluations on the training split; 0 for none but the last")
    eval_episodes: int = option(64, "episodes of an evaluation")

    def target(self) -> Task:
        """The task that training aims at: that of --task, or the environment with floor and ceiling of its suite."""
        settings = keywords(self.set)
        if self.task:
            found = suite.task(self.task)
            if self.env_id and self.env_id != found.env_id:
                raise ValueError(f"{self.task} is a task of {found.env_id}, not of {self.env_id}.")
            if not settings:
                return found
            described = ",".join(f"{k}={v}" for k, v in sorted(settings.items()))
            return dataclasses.replace(found, name=f"{found.name},{described}", kwargs={**found.kwargs, **settings})
        if not self.env_id:
            known = ", ".join(e.id for e in registration.entries())
            raise ValueError(f"name an environment ({known}) or a --task ({', '.join(suite.tasks())}).")
        scenario = registration.room_of(self.env_id).name
        like = next((t for t in suite.all_tasks(scenario) if t.env_id == self.env_id), None)
        bounds = {n: getattr(like, n) for n in ("floor", "ceiling", "ceiling_kind", "reference")} if like else {}
        return Task(env_id=self.env_id, kwargs=settings, name=f"{scenario}/custom", **bounds)


@dataclass(kw_only=True)
class Arguments(Command):
    """Options of every script that trains with Stable-Baselines3; a script adds those of its algorithm."""

    networks: ClassVar[tuple[str, ...]] = NETWORKS
    """What --network may be."""

    train_set: tuple[str, ...] = option((), "KEY=VALUE: a keyword that only training has, e.g. start=uniform")
    vary: tuple[str, ...] = option((), "KEY=[…]: one value for each part of the copies")
    horizon: int = option(1200, "training episodes are cut to this many steps")
    n_envs: int = option(128, "copies of the environment")
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
        for name in ("steps", "n_envs", "frame_stack", "hidden", "horizon", "checkpoint_every", "eval_episodes"):
            if getattr(self, name) < 1:
                raise ValueError(f"--{name.replace('_', '-')} must be at least 1, got {getattr(self, name)}.")
        for name in ("seed", "eval_every", "imitate_updates"):
            if getattr(self, name) < 0:
                raise ValueError(f"--{name.replace('_', '-')} must be at least 0, got {getattr(self, name)}.")

    def policy_of(self, env: Any, skip: Any, over_choices: Any, plain: Any = "MlpPolicy") -> tuple[Any, dict[str, Any]]:
        """Which of SB3's policy classes --network asks for, and its `policy_kwargs`, for a VecEnv."""
        width = [self.hidden, self.hidden]
        if self.network == "mlp":
            return skip, {"net_arch": width}
        base = env.unwrapped
        if self.network == "plain":
            from mmwave_gym.api.sb3_networks import Standardised

            extractor = {"features_extractor_class": Standardised, "features_extractor_kwargs": self.standard(env)}
            return plain, {"net_arch": width, **extractor}
        columns = choice_columns(base.scenario.fields, base.action_space.n, self.frame_stack)
        if self.network == "set":
            return over_choices, {"net_arch": width, "columns": columns.tolist()}
        from mmwave_gym.api.sb3_networks import Standardised

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
        """`training_keywords` of each part of the copies: one, or as many as --vary lists values.

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
    """Which numbers of an observation belong to the named fields, all for ""; ValueError for unknown names."""
    chosen = names.split(",") if names else [f.name for f in fields]
    known = [f.name for f in fields]
    if unknown := [name for name in chosen if name not in known]:
        raise ValueError(f"--see names {', '.join(unknown)}, but an observation has: {', '.join(known)}.")
    return np.concatenate([np.full(f.size, f.name in chosen) for f in fields])


def spread(env: Any, seed: int, steps: int = 20) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means of what a VecEnv shows while all act at random, and the inverses of the deviations, 0 for constants."""
    space = copy.deepcopy(env.action_space)
    space.seed(seed)
    seen = [env.reset()]
    for _ in range(steps):
        seen.append(env.step(np.stack([space.sample() for _ in range(env.num_envs)]))[0])
    shown = np.concatenate(seen).astype(np.float64)
    shown = shown[shown.any(axis=1)]  # empty places show zeros
    deviation = shown.std(axis=0)
    return shown.mean(axis=0), np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 1e-6)


def alike(
    columns: NDArray[np.intp], mean: NDArray[np.float64], scale: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """`spread` with one mean and one scale for what is the same feature of different choices."""
    mean, scale = mean.copy(), scale.copy()
    deviation = np.divide(1.0, scale, out=np.zeros_like(scale), where=scale > 0.0)
    for feature in columns.T:
        square = (deviation[feature] ** 2 + mean[feature] ** 2).mean()
        mean[feature] = mean[feature].mean()
        spread_of_all = np.sqrt(max(square - mean[feature[0]] ** 2, 0.0))
        scale[feature] = min(1.0 / spread_of_all, MOST_SCALE) if spread_of_all > 1e-6 else 0.0
    return mean, scale


def parse(kind: type[A], argv: Sequence[str] | None = None) -> A:
    """The dataclass `kind` from the command line, the rest from `train.presets` and the defaults of the class.

    argparse ends bad command lines with exit code 2.
    """
    parser = argparse.ArgumentParser(
        description=kind.__doc__, allow_abbrev=False, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("env_id", nargs="?", default="", help="environment to train on; not needed with --task")
    for f in dataclasses.fields(kind):
        flag = f"--{f.name.replace('_', '-')}"
        if f.name == "env_id":
            continue
        if isinstance(f.default, bool):
            parser.add_argument(flag, action=argparse.BooleanOptionalAction, default=f.default, help=f.metadata["help"])
        elif isinstance(f.default, tuple):
            text = f.metadata["help"] + "; may be repeated"
            parser.add_argument(flag, action="append", metavar="KEY=VALUE", default=None, help=text)
        else:
            parser.add_argument(flag, type=type(f.default), default=f.default, help=f.metadata["help"])
    before = _preset(kind, parser.parse_args(argv))
    parser.set_defaults(**{k: v for k, v in before.items() if not isinstance(v, tuple)})  # argparse would add to those
    told = {
        k: tuple(v) if isinstance(v, list) else v for k, v in vars(parser.parse_args(argv)).items() if v is not None
    }
    return kind(**{**before, **told})


def _preset(kind: type[Command], told: Any) -> dict[str, Any]:
    """The preset of the environment or task that `told` names; none for unknown ones, which fail elsewhere."""
    found = next((t for t in suite.all_tasks() if t.name == told.task), None)
    try:
        scenario = registration.room_of(found.env_id if found else told.env_id).name
    except ValueError:
        return {}
    return preset(script_of(kind), scenario, told.task)


def script_of(kind: type[Command]) -> str:
    """The name of the module in `train` whose options `kind` holds: ppo for Ppo, recurrent_ppo for RecurrentPpo."""
    return re.sub(r"(?<=.)(?=[A-Z])", "_", kind.__name__).lower()


def command(args: Command, module: str) -> str:
    """The command that repeats this training, without where it is kept: what differs from the defaults of the class.

    So it says what a preset said, and repeats the training after the preset has changed.
    """
    in_preset = _preset(type(args), args)
    words = ["python", "-m", module]
    if args.env_id:
        words.append(args.env_id)
    for f in dataclasses.fields(args):
        value = getattr(args, f.name)
        if f.name in ("env_id", "out", "resume") or (value == f.default and f.name not in in_preset):
            continue
        flag = f"--{f.name.replace('_', '-')}"
        if isinstance(value, bool):
            words.append(flag if value else f"--no-{flag[2:]}")
        elif isinstance(value, tuple):
            words += [w for v in value for w in (flag, v)]
        else:
            words += [flag, str(value)]
    return shlex.join(words)
