"""One training run: environment, imitation, learning with checkpoints, resuming, evaluation, and the saved agent.

A run is a directory: arguments.json, checkpoint.zip, tensorboard/, and at the end model.zip (with model.json) and
policy.npz (with policy.json), which runs without Stable-Baselines3.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import Console

from mmwave_baselines.training.arguments import Arguments, command, parse, script_of, seen_columns
from mmwave_baselines.training.recipes import credit_metric
from mmwave_gym.agents.files import save_policy
from mmwave_gym.agents.policy import action_card
from mmwave_gym.agents.protocol import AgentError
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.files import write

if TYPE_CHECKING:
    from mmwave_gym.agents.policy import Policy

A = TypeVar("A", bound=Arguments)
Build = Callable[[A, Any], Any]
EXTRA = ("torch", "stable_baselines3", "sb3_contrib", "tensorboard")
MAY_CHANGE = ("resume", "out", "eval_every", "eval_episodes", "checkpoint_every")  # by the command that resumes
IMITATION_RATE = 0.01
PART_SPACING = 2**26
"""Episodes between those of parts with other keywords, which else would share their routes and buildings."""


def main(kind: type[A], build: Build[A], argv: Sequence[str] | None = None) -> None:
    """Run a script: exit code 2 and one line for bad input, 130 when interrupted (the checkpoint is saved)."""
    console = Console(stderr=True)
    try:
        train(parse_checked(kind, argv), build, console)
    except KeyboardInterrupt:
        console.print("interrupted; the same command with --resume continues.")
        sys.exit(130)
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] not in EXTRA:
            raise
        _fail(console, f"training needs {error.name}: pip install 'mmwave-gym[train]'.")
    except BadRun as error:
        _fail(console, str(error))


class BadRun(ValueError):
    """Input that no training can begin with."""


def _fail(console: Console, text: str) -> None:
    console.print(f"train: {text}", markup=False, highlight=False, soft_wrap=True)
    sys.exit(2)


def parse_checked(kind: type[A], argv: Sequence[str] | None = None) -> A:
    """The arguments, after everything that can be wrong with them was tried. Raises BadRun."""
    try:
        args = parse(kind, argv)
        task = args.target()
        task.scenario()
        Environment.check(args, task)
    except (ValueError, TypeError) as error:
        raise BadRun(str(error)) from error
    return args


class Environment:
    """The training environment of a run: `base` counts and knows the scenario, `venv` is what the algorithm gets."""

    def __init__(self, args: Arguments, task: Task, seed: int, first_episode: int = 0):
        from stable_baselines3.common.vec_env import VecFrameStack

        from mmwave_baselines.training.concatenated import PartsVecEnv
        from mmwave_baselines.training.per_agent_gae import TurnVecEnv
        from mmwave_baselines.training.shaping import TrainingReward
        from mmwave_gym.api.sb3 import make_sb3_vec_env

        parts = [
            make_sb3_vec_env(task.env_id, args.n_envs, seed, first_episode=first_episode + i * PART_SPACING, **keywords)
            for i, keywords in enumerate(args.varied_keywords(task))
        ]
        self.base: Any = parts[0]
        self.venv: Any
        if credit_metric(parts[0].scenario):
            self.base = self.venv = TurnVecEnv(parts, args.reward_scale, getattr(args, "chains", False))
            return
        rewarded: Any = [TrainingReward(part, args.reward_scale, args.regret, args.usual_per_s) for part in parts]
        if len(parts) > 1:
            self.base = PartsVecEnv(rewarded)
        alike = self.base if len(parts) > 1 else rewarded[0]
        self.venv = VecFrameStack(alike, args.frame_stack) if args.frame_stack > 1 else alike

    @staticmethod
    def check(args: Arguments, task: Task) -> None:
        """ValueError or TypeError where the training keywords make no environment."""
        from mmwave_gym.core.registration import make_registered

        scenarios = [make_registered(task.env_id, **k) for k in args.varied_keywords(task)]
        if args.network in ("plain", "lstm"):
            seen_columns(scenarios[0].fields, args.see)
        if args.frame_stack == 1:
            return
        if credit_metric(scenarios[0]):
            raise ValueError("--frame-stack must be 1 where agents take turns: the last frame was somebody else's.")


def train(args: A, build: Build[A], console: Console) -> Path:
    """Train as `args` say and return the path of the saved policy. Raises BadRun."""
    import torch

    torch.set_num_threads(1)  # networks this small lose time to threads
    task = args.target()
    if reason := task.missing_data:
        raise BadRun(f"{task.name} cannot be trained on: {reason}.")
    algorithm = script_of(type(args))
    out = _directory(args, task, algorithm)
    model, environment = _model(args, build, task, out, console)
    learn(args, model, environment, task, out, console)
    return _finish(args, model, environment, task, out, console)


def learn(args: Arguments, model: Any, environment: Environment, task: Task, out: Path, console: Console) -> None:
    """Learn until `args.steps`, with scalars, evaluations and checkpoints."""
    from functools import cache

    from stable_baselines3.common.logger import configure

    from mmwave_baselines.training.callbacks import (
        Bar,
        Checkpoints,
        Evaluation,
        LessEntropy,
        Metrics,
        Yardstick,
        save_model,
    )

    model.set_logger(configure(str(out / "tensorboard"), ["tensorboard"]))

    @cache
    def yardstick() -> Yardstick:
        made = Yardstick(task, args.eval_episodes)
        for missing in made.missing:
            console.print(f"no {missing}", highlight=False)
        return made

    never = 2**62
    best = task.primary if args.keep_best else ""
    evaluation = Evaluation(yardstick, lambda m: agent_of(m, args, environment, task), args.eval_every or never, best)
    bar = Bar(args.steps, console, lambda: evaluation.last)
    checkpoints = Checkpoints(out / "checkpoint.zip", args.checkpoint_every)
    callbacks = [evaluation, Metrics(environment.base), checkpoints, bar]  # Metrics may write for both
    if entropy := getattr(args, "entropy", 0.0):
        callbacks.append(LessEntropy(entropy))
    left = args.steps - model.num_timesteps
    try:
        if left > 0:
            model.learn(
                left,
                callback=callbacks,
                reset_num_timesteps=model.num_timesteps == 0,
                log_interval=1 if hasattr(model, "rollout_buffer") else 100,
            )
    finally:
        bar.stop()
        save_model(model, out / "checkpoint.zip")
    model.last_scores = yardstick().score(agent_of(model, args, environment, task))
    kept = evaluation.best
    if kept is not None and kept.scores[best] > model.last_scores[best]:
        model.policy.load_state_dict(kept.policy)
        model.last_scores = {**kept.scores, "steps": kept.steps}
        console.print(f"kept the network of {kept.steps:,} steps", highlight=False)


def agent_of(model: Any, args: Arguments, environment: Environment, task: Task) -> Policy:
    """The agent that a model is now: the very one that will be saved."""
    from mmwave_gym.agents.files import kind_of
    from mmwave_gym.agents.policy import field_card
    from mmwave_gym.api.sb3 import network_of

    network, output = network_of(model)
    card = {**card_of(args, environment, task), "output": output}
    base = environment.base
    return kind_of(card)(network, {**card, "fields": field_card(base.scenario.fields)})


def card_of(args: Arguments, environment: Environment, task: Task) -> dict[str, Any]:
    """What a saved policy says of itself."""
    script = f"train.{script_of(type(args))}"
    return {
        "algorithm": type(args).__name__.upper(),
        "command": command(args, script),
        "arguments": {k: v for k, v in _plain(dataclasses.asdict(args)).items() if k not in ("out", "resume")},
        "env_id": task.env_id,
        "kwargs": _plain(dict(task.kwargs)),
        "training_kwargs": _plain(args.training_keywords(task)),
        "seed": args.seed,
        "action": action_card(environment.base.action_space),
        "normalised": True,
        "frame_stack": args.frame_stack,
    }


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """As JSON gives it back: tuples are lists."""
    return json.loads(json.dumps(values))


def prefer_staying(model: Any, environment: Environment, logit: float) -> None:
    """Begin with `logit` more for the choice of the last step, where the newest frame shows it; else nothing.

    Without it learning begins as a random walk of costly changes.
    """
    if columns := _columns(environment, "serving"):
        _add_to_skip(model, [(columns, logit / 2)])  # one-hots are -1 and 1 here


def begin_as_rule(model: Any, environment: Environment, rule: str, sharpness: float) -> None:
    """Begin as a linear rule "newest,mean,stay": choose the largest newest * q + mean * (its mean over all frames),
    where q is a cell's RSRQ in dB and the serving cell has `stay` dB more; `sharpness` logits a decibel.

    A network over choices carries the rule in the first unit of each layer, which bends it towards the ends of the
    range but keeps the order of choices. Raises BadRun where the observation has no RSRQ of every choice or the rule is
    not three numbers.
    """
    from mmwave_gym.api.sb3_networks import SetMlp

    try:
        newest, mean, stay = (float(word) for word in rule.split(","))
    except ValueError:
        raise BadRun(f"--rule takes three numbers, newest,mean,stay, got {rule!r}.") from None
    level, serving = _columns(environment, "rsrq_db"), _columns(environment, "serving")
    if level is None or serving is None:
        raise BadRun("--rule needs an observation with rsrq_db and serving of every choice.")
    size = environment.base.scenario.fields.size
    frames = environment.venv.observation_space.shape[0] // size
    decibel = 1.0 / float(environment.base.normalisation.scale[level])  # normalised to dB
    parts = [(level, sharpness * newest * decibel), (serving, sharpness * stay / 2)]
    parts += [(level - size * age, sharpness * mean * decibel / frames) for age in range(frames)]
    over_choices = next((m for m in model.policy.modules() if isinstance(m, SetMlp)), None)
    if over_choices is None:
        _add_to_skip(model, parts)
    else:
        over_choices.begin_linear([(frames * size + start, value) for start, value in parts])


def _columns(environment: Environment, field: str) -> int | None:
    """Where the field begins in the newest frame, counted from its end, if it has a number for every choice."""
    fields = environment.base.scenario.fields
    start = -fields.size
    for f in fields:
        if f.name == field and f.per == "choice":
            return start
        start += f.size
    return None


def _add_to_skip(model: Any, parts: list[tuple[int, float]]) -> None:
    """Add weights from the numbers at each (negative) start, one a choice, to the outputs of those choices."""
    import torch

    from mmwave_gym.api.sb3_networks import SKIP_GAIN, last_layer

    weight = last_layer(model).weight
    choice = torch.arange(weight.shape[0])
    with torch.no_grad():
        for start, value in parts:
            weight[choice, weight.shape[1] + start + choice] += value / SKIP_GAIN


def _directory(args: Arguments, task: Task, algorithm: str) -> Path:
    """The run's directory, which must be new, or hold what is resumed."""
    name = f"{algorithm}-{task.name.replace('/', '-')}-s{args.seed}"
    out = Path(args.out or Path("runs") / name)
    saved = out / "arguments.json"
    given = json.loads(json.dumps(dataclasses.asdict(args)))
    if args.resume:
        if not (out / "checkpoint.zip").exists() or not saved.exists():
            raise BadRun(f"there is no checkpoint in {out}, so nothing to resume; leave out --resume to begin.")
        before = json.loads(saved.read_text(encoding="utf-8"))
        changed = [k for k in given if k not in MAY_CHANGE and given[k] != before.get(k)]
        if changed:
            told = ", ".join(f"--{k.replace('_', '-')} was {before.get(k)!r}, is {given[k]!r}" for k in changed)
            raise BadRun(f"the run in {out} had other arguments: {told}.")
        return out
    if (out / "checkpoint.zip").exists():
        raise BadRun(f"{out} holds a run already: --resume continues it, --out names another directory.")
    try:
        out.mkdir(parents=True, exist_ok=True)
        write(saved, json.dumps(given, indent=1) + "\n")
    except OSError as error:
        raise BadRun(f"cannot write to {out}: {error.strerror}.") from error
    return out


def _model(args: A, build: Build[A], task: Task, out: Path, console: Console) -> tuple[Any, Environment]:
    """The model to go on with, new or from the checkpoint, and its environment."""
    import torch

    if args.resume:
        environment = Environment(args, task, args.seed)
        kind = type(build(args, environment.venv))
        model = kind.load(out / "checkpoint.zip", device="cpu")
        # Other episodes than those it has seen: no copy has had as many as steps were taken.
        environment = Environment(args, task, args.seed, first_episode=model.num_timesteps)
        model.set_env(environment.venv)
        torch.manual_seed(args.seed + model.num_timesteps)
        console.print(f"resuming {out} at {model.num_timesteps:,} steps", highlight=False)
        return model, environment
    environment = Environment(args, task, args.seed)
    model = build(args, environment.venv)
    rule = getattr(args, "rule", "")
    if rule and args.network == "plain":
        raise BadRun("--rule is for --network mlp and set: a plain one has no linear path to begin with.")
    if rule:
        begin_as_rule(model, environment, rule, args.sharpness)  # type: ignore[attr-defined]
    elif args.network == "mlp":
        prefer_staying(model, environment, getattr(args, "stay_logit", 0.0))
    if args.imitate:
        from mmwave_baselines.training.imitation import imitate

        venv = Environment(args, task, args.seed, first_episode=2**30).venv  # worlds that learning will not meet
        try:
            how = args.imitate, task, args.imitate_updates, args.seed, IMITATION_RATE, args.horizon
            loss = imitate(model, venv, *how)
        except AgentError as error:
            raise BadRun(str(error)) from error
        console.print(f"imitated {args.imitate}: cross-entropy {loss:.4f}", highlight=False)
    return model, environment


def _finish(args: Arguments, model: Any, environment: Environment, task: Task, out: Path, console: Console) -> Path:
    """Save the agent in both forms and say how to evaluate it."""
    from mmwave_baselines.training.callbacks import save_model
    from mmwave_gym.agents.files import FORMAT
    from mmwave_gym.agents.policy import field_card
    from mmwave_gym.api.sb3 import network_of

    network, output = network_of(model)
    results = {"split": "train", "episodes": args.eval_episodes, **model.last_scores}
    card = {**card_of(args, environment, task), "output": output, "steps": model.num_timesteps, "results": results}
    save_model(model, out / "model.zip")
    side = {"format": FORMAT, **card, "fields": field_card(environment.base.scenario.fields)}
    write(out / "model.json", json.dumps(side, indent=1) + "\n")
    path = save_policy(out / "policy.npz", network, environment.base.scenario.fields, card)
    told = ", ".join(f"{k} {v:.4f}" for k, v in model.last_scores.items() if "reward" in k or k == "score")
    console.print(f"training split, {args.eval_episodes} episodes: {told}", highlight=False)
    where = ["--task", args.task] if args.task else ["--env", task.env_id]
    settings = [w for pair in args.set for w in ("--set", pair)]
    print(shlex.join(["mmwave-gym", "evaluate", str(path), *where, *settings]))
    return path
