"""Imitation before reinforcement: the network learns to say what another agent would do, as the paper begins its A3C.

Z. Wang et al., arXiv 1801.02077, section IV: supervised learning from event A3, by cross-entropy on the actor.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mmwave_gym.agent import AgentError, RowRng, load_agent, sees
from mmwave_gym.suite import Task

BATCH = 2048


def imitate(
    model: Any,
    venv: Any,
    expert: str,
    task: Task,
    updates: int,
    seed: int,
    learning_rate: float,
    most_steps: int | None = None,
) -> float:
    """Fit `model`'s actor to the expert's actions in one horizon of every copy of `venv`; returns the last loss.

    venv: a VecEnv over a ScenarioVecEnv of its own, or several as a TurnVecEnv, whose observations are those of the
    model. most_steps: the horizon is at most this.
    """
    if not hasattr(model.policy, "get_distribution"):
        raise AgentError(f"{type(model).__name__} has no actor that could imitate.")
    agent = load_agent(expert, task.scenario_name, task)
    parts = getattr(venv.unwrapped, "parts", (venv,))
    shown = [
        np.concatenate(columns) for columns in zip(*(watch(agent, v, seed, most_steps) for v in parts), strict=True)
    ]
    inputs, labels, masks, _ = (torch.as_tensor(column) for column in shown)
    masked = {"action_masks": masks} if venv.unwrapped.scenario.masked else {}
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.policy.parameters(), lr=learning_rate)
    loss = torch.zeros(())
    for update in range(updates):
        optimizer.param_groups[0]["lr"] = learning_rate * (1.0 - update / updates)
        chosen = torch.randint(len(inputs), (BATCH,), generator=generator)
        given = {name: value[chosen] for name, value in masked.items()}
        loss = -model.policy.get_distribution(inputs[chosen], **given).log_prob(labels[chosen]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return float(loss.detach())


def watch(agent: Any, venv: Any, seed: int, most_steps: int | None) -> tuple[NDArray[Any], ...]:
    """What a network is shown, what the agent did, what was allowed, and whether an episode began.

    A row each step of each copy, all copies of a step together.
    """
    base = venv.unwrapped
    observation = venv.reset()
    memory = None
    if hasattr(agent, "begin"):
        memory = agent.begin(base.view(sees(agent)), RowRng.from_seed(seed, base.num_envs))
    started = np.ones(base.num_envs, bool)
    rows = []
    for _ in range(min(base.scenario.horizon, most_steps or base.scenario.horizon)):
        allowed = base.action_masks()
        action, memory = agent.predict(base.raw_observation(), state=memory, episode_start=started)
        rows.append((np.array(observation), np.array(action), allowed, np.array(started)))
        observation, _, started, _ = venv.step(action)
    return tuple(np.concatenate(column) for column in zip(*rows, strict=True))
