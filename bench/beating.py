"""How long training takes until it beats the best rule: a recipe of `train.ppo`, from random weights, on one core."""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np

from bench.measure import Row, seconds

TASK = "street/car-sparse"
GOAL_S = 20.0
EPISODES = 256
EVERY = 8
"""Updates of 4,096 decisions between two looks at where the network stands; looks are not counted."""


def time_to_beat(quick: bool) -> Row:
    """Until the mean of training episodes is above that of the best rule, with a 95 % interval of the difference."""
    what, goal = "street PPO: CPU seconds until it beats the best rule", f"<= {GOAL_S:.0f}"
    try:
        import stable_baselines3  # noqa: F401
    except ImportError as error:
        return Row(what, None, goal, f"not measured: {error}")
    rule, rates = best_rule()
    found = [until_better(seed, rates) for seed in range(1 if quick else 3)]
    took = [took_s for took_s, _ in found if took_s is not None]
    if len(took) < len(found):
        return Row(what, None, goal, f"--task {TASK}: {len(found) - len(took)} of {len(found)} seeds never beat {rule}")
    decisions = ", ".join(f"{n:,}" for _, n in found)
    setup = (
        f"--task {TASK}, from random weights, imitation counted: {len(found)} seeds beat {rule} after {decisions} "
        f"decisions; paired on {EPISODES} training episodes"
    )
    return Row(what, statistics.median(took), goal, setup, (min(took), max(took)))


def best_rule() -> tuple[str, np.ndarray]:
    """The local rule with the greatest mean on training episodes, and its rate in each of them, in bit/s/Hz."""
    import mmwave_gym
    from mmwave_gym.agents.facts import facts
    from mmwave_gym.agents.loading import load_agent
    from mmwave_gym.agents.protocol import NotApplicable
    from mmwave_gym.benchmark.suite import task as find_task

    task, rates = find_task(TASK), {}
    for name in mmwave_gym.agents(task.scenario_name):
        try:
            about: dict[str, Any] = facts(load_agent(name, task.scenario_name, task))
        except NotApplicable:
            continue
        if about["kind"] == "rule" and about["access"] == "local":
            rates[name] = played(name)
    return max(rates.items(), key=lambda item: item[1].mean())


def played(agent: Any) -> np.ndarray:
    """The primary metric in each training episode."""
    from mmwave_gym.benchmark.evaluation import evaluate
    from mmwave_gym.benchmark.suite import task as find_task

    rows = evaluate(agent, TASK, episodes=EPISODES, split="train")
    return np.array([row[find_task(TASK).primary] for row in rows])


def until_better(seed: int, rates: np.ndarray) -> tuple[float | None, int]:
    """CPU seconds of a training until it is better than `rates` (episode,), None if never; and its decisions."""
    from mmwave_baselines.training.command import parse
    from mmwave_baselines.training.ppo import Ppo, build
    from mmwave_baselines.training.session import Environment, agent_of, prepare_torch, pretrain
    from mmwave_gym.benchmark.statistics import difference_interval

    prepare_torch()
    args = parse(Ppo, ["--task", TASK, "--seed", str(seed)])
    task = args.target()

    began = time.process_time()
    environment = Environment(args, task, args.seed)
    model = build(args, environment.venv)
    pretrain(model, args, task)
    spent_s = time.process_time() - began
    frame = args.n_envs * args.n_steps
    while model.num_timesteps < args.steps:
        spent_s += seconds(lambda: model.learn(EVERY * frame, reset_num_timesteps=False))
        now = played(agent_of(model, args, environment, task))
        if (difference_interval(now[None], rates[None]).low or 0.0) > 0.0:
            return spent_s, model.num_timesteps
    return None, model.num_timesteps
