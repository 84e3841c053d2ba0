"""Training with Stable-Baselines3: environment, pretraining, learning with checkpoints, evaluation, the saved agent.

Beside the files of every run (`training.run`) the directory holds model.zip with model.json, an archive of
Stable-Baselines3. policy.npz runs without it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from rich.console import Console
from stable_baselines3.common.logger import configure
from stable_baselines3.common.vec_env import VecFrameStack

from mmwave_baselines.training import run as runs
from mmwave_baselines.training.arguments import Arguments
from mmwave_baselines.training.callbacks import (
    NEVER,
    Checkpoints,
    EntropyDecay,
    Evaluation,
    Metrics,
    ProgressBar,
    save_model,
)
from mmwave_baselines.training.concatenated import ConcatenatedVecEnv
from mmwave_baselines.training.imitation import imitate
from mmwave_baselines.training.per_agent_gae import TurnTakingVecEnv
from mmwave_baselines.training.recipes import credit_metric
from mmwave_baselines.training.run import BadRun, Run, as_json, in_words, metadata_of
from mmwave_baselines.training.shaping import TrainingReward
from mmwave_gym.agents.files import FORMAT, kind_of
from mmwave_gym.agents.policy import Policy, action_metadata, field_metadata
from mmwave_gym.api.sb3 import make_sb3_vec_env, network_of
from mmwave_gym.api.sb3_networks import SKIP_GAIN, SetMlp, last_layer
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.files import write

A = TypeVar("A", bound=Arguments)
Build = Callable[[A, Any], Any]
"""From arguments and a VecEnv to a model of Stable-Baselines3."""
IMITATION_RATE = 0.01
WORLD_SPACING = 2**26
"""Episodes between those of worlds with other keywords, which else would share their routes and buildings."""


def main(kind: type[A], build: Build[A], argv: Sequence[str] | None = None) -> None:
    """Run a script, see `training.run.main`."""
    runs.main(kind, lambda args, console: train(args, build, console), argv)


class Environment:
    """The training environment of a run: `base` counts and knows the scenario, `venv` is what the algorithm gets."""

    def __init__(self, args: Arguments, task: Task, seed: int, first_episode: int = 0):
        venvs = [
            make_sb3_vec_env(
                task.env_id, args.n_envs, seed, first_episode=first_episode + i * WORLD_SPACING, **keywords
            )
            for i, keywords in enumerate(args.varied_keywords(task))
        ]
        self.base: Any = venvs[0]
        self.venv: Any
        if credit_metric(venvs[0].scenario):
            self.base = self.venv = TurnTakingVecEnv(venvs, args.reward_scale, getattr(args, "per_agent_gae", False))
            return
        rewarded: Any = [TrainingReward(venv, args.reward_scale, args.regret, args.usual_per_s) for venv in venvs]
        if len(venvs) > 1:
            self.base = ConcatenatedVecEnv(rewarded)
        alike = self.base if len(venvs) > 1 else rewarded[0]
        self.venv = VecFrameStack(alike, args.frame_stack) if args.frame_stack > 1 else alike


def train(args: A, build: Build[A], console: Console) -> Path:
    """Train as `args` say and return the path of the saved policy. Raises BadRun or AgentError."""
    prepare_torch()
    run = Run(args, "checkpoint.zip", console)
    model, environment = _model(run, build)
    scores = learn(run, model, environment)
    return _finish(run, model, environment, scores)


def prepare_torch() -> None:
    """Set what small networks on one core want of torch, for the whole process."""
    torch.set_num_threads(1)  # networks this small lose time to threads
    # Its checks take 4 % of the time; what is not a number fails when an action is drawn from it.
    torch.distributions.Distribution.set_default_validate_args(False)


def learn(run: Run[A], model: Any, environment: Environment) -> dict[str, float]:
    """Learn until `--steps`, with scalars, evaluations and checkpoints; returns the scores of the network to save."""
    args, task = run.args, run.task
    model.set_logger(configure(str(run.out / "tensorboard"), ["tensorboard"]))
    best = task.primary if args.keep_best else ""
    agent = lambda m: agent_of(m, args, environment, task)  # noqa: E731
    evaluation = Evaluation(lambda: run.yardstick, agent, args.eval_every or NEVER, best, run.curve)
    bar = ProgressBar(args.steps, run.console, lambda: evaluation.last)
    checkpoints = Checkpoints(run.checkpoint, args.checkpoint_every)
    callbacks = [evaluation, Metrics(environment.base), checkpoints, bar]  # Metrics may write for both
    if entropy := getattr(args, "entropy", 0.0):
        callbacks.append(EntropyDecay(entropy))
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
        save_model(model, run.checkpoint)
    scores = run.yardstick.score(agent(model))
    run.curve.add(model.num_timesteps, scores)
    kept = evaluation.best
    if kept is None or kept.scores[best] <= scores[best]:
        return scores
    model.policy.load_state_dict(kept.policy)
    run.tell(f"kept the network of {kept.steps:,} steps")
    return {**kept.scores, "steps": kept.steps}


def agent_of(model: Any, args: Arguments, environment: Environment, task: Task) -> Policy:
    """The agent that a model is now: the very one that will be saved."""
    network, output = network_of(model)
    metadata = {**about(args, environment, task), "output": output}
    return kind_of(metadata)(network, {**metadata, "fields": field_metadata(environment.base.scenario.fields)})


def about(args: Arguments, environment: Environment, task: Task) -> dict[str, Any]:
    """The metadata of a policy, but for what is known at the end."""
    arguments = {k: v for k, v in as_json(dataclasses.asdict(args)).items() if k not in ("out", "resume")}
    return metadata_of(
        args,
        task,
        type(args).__name__.upper(),
        arguments=arguments,
        training_kwargs=args.training_keywords(task),
        action=action_metadata(environment.base.scenario.action_space),
        normalised=True,
        frame_stack=args.frame_stack,
    )


def prefer_staying(model: Any, environment: Environment, logit: float) -> None:
    """Add `logit` to the output of the last step's choice, where the observation marks it; else change nothing.

    Without it learning begins with a random walk of costly changes.
    """
    if columns := _columns(environment, "serving"):
        _add_to_skip(model, [(columns, logit / 2)])  # one-hots are -1 and 1 here


def begin_as_rule(model: Any, environment: Environment, rule: str, sharpness: float) -> None:
    """Begin as a linear rule "newest,mean,stay": choose the largest newest * q + mean * (its mean over all frames),
    where q is a choice's RSRQ in dB and the last choice has `stay` dB more; `sharpness` logits a decibel.

    A network over choices carries the rule in the first unit of each layer, which bends it towards the ends of the
    range but keeps the order of choices. Raises BadRun where the observation has no RSRQ of every choice or the rule is
    not three numbers.
    """
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
    """Where the field begins in the newest frame, counted from its end; None where it has no number for each choice."""
    fields = environment.base.scenario.fields
    start = -fields.size
    for f in fields:
        if f.name == field and f.per == "choice":
            return start
        start += f.size
    return None


def _add_to_skip(model: Any, parts: list[tuple[int, float]]) -> None:
    """Add weights from the numbers at each (negative) start, one a choice, to the outputs of those choices."""
    weight = last_layer(model).weight
    choice = torch.arange(weight.shape[0])
    with torch.no_grad():
        for start, value in parts:
            weight[choice, weight.shape[1] + start + choice] += value / SKIP_GAIN


def _model(run: Run[A], build: Build[A]) -> tuple[Any, Environment]:
    """The model to go on with, new or from the checkpoint, and its environment."""
    args, task = run.args, run.task
    environment = Environment(args, task, args.seed)
    model = build(args, environment.venv)
    if args.resume:
        model = run.restored(lambda checkpoint: type(model).load(checkpoint, device="cpu"))
        # Other episodes than those it has seen: no environment has had as many as steps were taken.
        environment = Environment(args, task, args.seed, first_episode=model.num_timesteps)
        model.set_env(environment.venv)
        torch.manual_seed(args.seed + model.num_timesteps)
        run.tell(f"resuming {run.out} at {model.num_timesteps:,} steps")
        return model, environment
    rule = getattr(args, "rule", "")
    if rule and args.network == "plain":
        raise BadRun("--rule is for --network mlp and set: a plain one has no linear path to begin with.")
    if rule:
        begin_as_rule(model, environment, rule, getattr(args, "sharpness"))  # noqa: B009
    elif args.network == "mlp":
        prefer_staying(model, environment, getattr(args, "stay_logit", 0.0))
    if args.imitate:
        run.tell(f"imitated {args.imitate}: cross-entropy {pretrain(model, args, task):.4f}")
    return model, environment


def pretrain(model: Any, args: Arguments, task: Task) -> float:
    """Behaviour cloning of --imitate; the last cross-entropy."""
    venv = Environment(args, task, args.seed, first_episode=2**30).venv  # worlds that learning will not meet
    return imitate(model, venv, args.imitate, task, args.imitate_updates, args.seed, IMITATION_RATE, args.horizon)


def _finish(run: Run[A], model: Any, environment: Environment, scores: dict[str, float]) -> Path:
    """Save the agent in both forms and say how to evaluate it."""
    args, fields = run.args, environment.base.scenario.fields
    network, output = network_of(model)
    results = {"split": "train", "episodes": args.eval_episodes, **scores}
    metadata = {
        **about(args, environment, run.task),
        "output": output,
        "steps": model.num_timesteps,
        "results": results,
    }
    save_model(model, run.out / "model.zip")
    side = {"format": FORMAT, **metadata, "fields": field_metadata(fields)}
    write(run.out / "model.json", json.dumps(side, indent=1) + "\n")
    run.tell(f"training split, {args.eval_episodes} episodes: {in_words(scores)}")
    return run.save(network, fields, metadata)
