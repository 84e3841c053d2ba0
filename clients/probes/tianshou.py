"""Tianshou: its vector of single environments, and its form of AEC environments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from tianshou.algorithm.modelfree.dqn import DiscreteQLearningPolicy
from tianshou.algorithm.modelfree.sac import SACPolicy
from tianshou.data import Batch
from tianshou.env import DummyVectorEnv, PettingZooEnv
from tianshou.utils.net.common import Net
from tianshou.utils.net.continuous import ContinuousActorProbabilistic

from clients.probing import SEED, STEPS, Case, Trace, flat, script
from mmwave_gym.agents.formats.described import describe


def single(case: Case) -> Trace:
    env = DummyVectorEnv([case.make])
    observation, _ = env.reset(seed=SEED)
    trace = [flat(observation)]
    for _, actions in zip(range(STEPS), script(env.action_space[0]), strict=False):
        observation, reward, *_ = env.step(np.array(actions))
        trace.append(flat(observation, reward))
    return trace


def aec(case: Case) -> Trace:
    env = DummyVectorEnv([lambda: PettingZooEnv(case.aec_env())])
    (observation,), _ = env.reset(seed=SEED)
    names, owed = case.aec_env().possible_agents, 0.0
    trace = []
    for _, (action,) in zip(range(STEPS), script(case.aec_env().action_space(names[0])), strict=False):
        trace.append(flat(observation["obs"], owed))
        (observation,), *_ = env.step(np.array([action]))
        owed = env.workers[0].env.env.last()[1]
    return trace


def agent(case: Case, folder: Path) -> tuple[Path, Any]:
    """An untrained DQN, or the actor of SAC where actions are continuous."""
    env, path = case.make(normalise=True), folder / "agent.pt"
    seen, space = env.observation_space, env.action_space
    told: dict[str, Any]
    if hasattr(space, "n"):
        net: Any = Net(state_shape=seen.shape, action_shape=space.n, hidden_sizes=[32, 32])
        policy: Any = DiscreteQLearningPolicy(model=net, action_space=space, observation_space=seen)
        torch.save(policy.state_dict(), path)
        told = {"output": "q"}
    else:
        net = ContinuousActorProbabilistic(
            preprocess_net=Net(state_shape=seen.shape, hidden_sizes=[32, 32]), action_shape=space.shape, unbounded=True,
            conditioned_sigma=True,
        )  # fmt: skip
        policy = SACPolicy(actor=net, action_space=space, observation_space=seen)
        torch.save(net.state_dict(), path)
        told = {"output": "squashed", "layers": ["preprocess.model.model", "mu.model"]}
    describe(path, case.env_id, case.one, normalised=True, activation="relu", **told)
    policy.eval()

    def own(observation: Any) -> Any:
        with torch.no_grad():
            done = policy(Batch(obs=observation, info={})).act
        return policy.map_action(done.numpy() if isinstance(done, torch.Tensor) else done)

    return path, own
