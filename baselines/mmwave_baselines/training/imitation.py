"""Pretraining by behaviour cloning of another agent, as the paper begins its A3C.

Z. Wang et al., arXiv 1801.02077, section IV: supervised learning from event A3, by cross-entropy on the actor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from mmwave_gym.agents.loading import load_agent
from mmwave_gym.agents.protocol import AgentError
from mmwave_gym.agents.rollout import Rollout
from mmwave_gym.benchmark.task import Task

BATCH = 2048
STRETCH = 32
"""Steps that an LSTM is shown together; gradients go back no further."""


class Record(NamedTuple):
    """What an expert observed and did, (steps, num_envs, …)."""

    inputs: torch.Tensor
    labels: torch.Tensor
    masks: torch.Tensor  # which actions were allowed
    started: torch.Tensor  # whether an episode began


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
    """Fit `model`'s actor to the expert's actions in one horizon of every environment copy; returns the last loss.

    venv: a VecEnv over a ScenarioVecEnv of its own, or a ConcatenatedVecEnv of several, whose observations are those
    of the model. most_steps: the horizon is at most this. A model with memory is trained on episodes from their
    beginning, others on single observations.
    """
    if not hasattr(model.policy, "get_distribution"):
        raise AgentError(f"{type(model).__name__} has no actor that could imitate.")
    agent = load_agent(expert, task.scenario_name, task)
    venvs = getattr(venv.unwrapped, "venvs", (venv,))
    shown = [watch(agent, v, seed, most_steps) for v in venvs]
    generator = torch.Generator().manual_seed(seed)
    if hasattr(model.policy, "lstm_actor"):
        losses = _along_episodes(model.policy, shown, generator)
    else:
        losses = _of_observations(model.policy, shown, generator, venv.unwrapped.scenario.masked)
    optimizer = torch.optim.Adam(model.policy.parameters(), lr=learning_rate)
    loss = torch.zeros(())
    for update in range(updates):
        optimizer.param_groups[0]["lr"] = learning_rate * (1.0 - update / updates)
        loss = next(losses)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return float(loss.detach())


def _of_observations(
    policy: Any, shown: Sequence[Record], generator: torch.Generator, masked: bool
) -> Iterator[torch.Tensor]:
    """Cross-entropies of draws from all observations."""
    inputs, labels, masks, _ = (torch.cat([c.flatten(0, 1) for c in columns]) for columns in zip(*shown, strict=True))
    while True:
        chosen = torch.randint(len(inputs), (BATCH,), generator=generator)
        given = {"action_masks": masks[chosen]} if masked else {}
        yield -policy.get_distribution(inputs[chosen], **given).log_prob(labels[chosen]).mean()


def _along_episodes(policy: Any, shown: Sequence[Record], generator: torch.Generator) -> Iterator[torch.Tensor]:
    """Cross-entropies of stretches of drawn environment copies, from the first step to the last.

    A stretch begins with what was remembered at the end of the one before it.
    """
    while True:
        for record in shown:
            steps, num_envs = record.labels.shape[:2]
            chosen = torch.randperm(num_envs, generator=generator)[: BATCH // STRETCH]
            memory = (torch.zeros(1, len(chosen), policy.lstm_actor.hidden_size),) * 2
            for first in range(0, steps, STRETCH):
                part = [c[first : first + STRETCH, chosen].transpose(0, 1).flatten(0, 1) for c in record]
                inputs, labels, _, started = part
                said, memory = policy.get_distribution(inputs, memory, started)
                yield -said.log_prob(labels).mean()
                memory = (memory[0].detach(), memory[1].detach())


def watch(agent: Any, venv: Any, seed: int, most_steps: int | None) -> Record:
    """What the agent observed and did in one horizon of every environment copy; episodes follow one another."""
    base = venv.unwrapped
    observation = venv.reset()
    rollout = Rollout.of(agent, base.batch, seed)
    rows = []
    for _ in range(min(base.scenario.horizon, most_steps or base.scenario.horizon)):
        allowed = base.action_masks()
        action = rollout.act().reshape(base.num_envs, *base.action_space.shape)
        rows.append((np.array(observation), action, allowed, rollout.started.ravel().astype(np.float32)))
        observation, _, done, _ = venv.step(action)
        rollout.follow(done.reshape(rollout.started.shape))
    return Record(*(torch.as_tensor(np.stack(column)) for column in zip(*rows, strict=True)))
