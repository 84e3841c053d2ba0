"""Imitation before reinforcement: the network learns to say what another agent would do, as the paper begins its A3C.

Z. Wang et al., arXiv 1801.02077, section IV: supervised learning from event A3, by cross-entropy on the actor.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from mmwave_gym.agent import AgentError, RowRng, load_agent, sees
from mmwave_gym.suite import Task

BATCH = 2048


def imitate(model: Any, venv: Any, expert: str, task: Task, updates: int, seed: int, learning_rate: float) -> float:
    """Fit `model`'s actor to the expert's actions in one horizon of every copy of `venv`; returns the last loss.

    venv: a VecEnv over a ScenarioVecEnv of its own, whose observations are those of the model.
    """
    if not hasattr(model.policy, "get_distribution"):
        raise AgentError(f"{type(model).__name__} has no actor that could imitate.")
    base = venv.unwrapped
    agent = load_agent(expert, task.scenario_name, task)
    observation = venv.reset()
    memory = None
    if hasattr(agent, "begin"):
        memory = agent.begin(base.view(sees(agent)), RowRng.from_seed(seed, base.num_envs))
    started = np.ones(base.num_envs, bool)
    seen, said = [], []
    for _ in range(base.scenario.horizon):
        action, memory = agent.predict(base.raw_observation(), state=memory, episode_start=started)
        seen.append(np.array(observation))
        said.append(np.array(action))
        observation, _, started, _ = venv.step(action)
    inputs, labels = torch.as_tensor(np.concatenate(seen)), torch.as_tensor(np.concatenate(said))
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.policy.parameters(), lr=learning_rate)
    loss = torch.zeros(())
    for update in range(updates):
        optimizer.param_groups[0]["lr"] = learning_rate * (1.0 - update / updates)
        chosen = torch.randint(len(inputs), (BATCH,), generator=generator)
        loss = -model.policy.get_distribution(inputs[chosen]).log_prob(labels[chosen]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return float(loss.detach())
