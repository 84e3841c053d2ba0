"""skrl: `wrap_env` around a single environment, the native vector and the parallel form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from skrl import config
from skrl.envs.wrappers.torch import wrap_env
from skrl.models.torch import CategoricalMixin, Model
from torch import nn

from clients.probing import NUM_ENVS, SEED, STEPS, Case, Trace, flat, script
from mmwave_gym.agents.formats.described import describe

ACTS = ("discrete",)


def _played(made: Any, space: Any, count: int) -> Trace:
    config.torch._key = SEED
    env = wrap_env(made, verbose=False)
    observation, _ = env.reset()
    trace = [flat(observation.numpy())]
    for _, actions in zip(range(STEPS), script(space, count), strict=False):
        observation, reward, *_ = env.step(torch.as_tensor(np.array(actions)).reshape(count, -1))
        trace.append(flat(observation.numpy(), reward.numpy()))
    return trace


def single(case: Case) -> Trace:
    made = case.make()
    return _played(made, made.action_space, 1)


def batch(case: Case) -> Trace:
    made = case.make_vec()
    return _played(made, made.single_action_space, NUM_ENVS)


def parallel(case: Case) -> Trace:
    config.torch._key = SEED
    made = case.parallel_env(always_present=True, mask="info")
    env = wrap_env(made, wrapper="pettingzoo", verbose=False)
    names = env.possible_agents
    assert set(env.observation_spaces) == set(env.action_spaces) == set(names)
    observations, _ = env.reset()
    env.state()
    trace = [flat(*(observations[a].numpy() for a in names))]
    for _, actions in zip(range(STEPS), script(made.action_space(names[0]), len(names)), strict=False):
        given = {a: torch.as_tensor(np.array(x)).reshape(1, -1) for a, x in zip(names, actions, strict=True)}
        observations, rewards, *_ = env.step(given)
        trace.append(flat(*(observations[a].numpy() for a in names), *(rewards[a].numpy() for a in names)))
    return trace


class Actor(CategoricalMixin, Model):
    def __init__(self, env: Any):
        Model.__init__(self, observation_space=env.observation_space, action_space=env.action_space, device="cpu")
        CategoricalMixin.__init__(self)
        self.net = nn.Sequential(nn.Linear(self.num_observations, 32), nn.ReLU(), nn.Linear(32, self.num_actions))

    def compute(self, inputs: Any, role: str = "") -> Any:
        return self.net(inputs["observations"]), {}


def agent(case: Case, folder: Path) -> tuple[Path, Any]:
    """An untrained categorical model, saved by its own `save`."""
    actor, path = Actor(case.make(normalise=True)), folder / "actor.pt"
    actor.save(str(path))
    describe(path, case.env_id, case.one, normalised=True, activation="relu")

    def own(observation: Any) -> Any:
        with torch.no_grad():
            return actor.compute({"observations": torch.as_tensor(observation)})[0].argmax(dim=1).numpy()

    return path, own
