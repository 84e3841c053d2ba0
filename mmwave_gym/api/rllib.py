"""RLlib: ids in its registry, for one agent or for all, with masks where its masking module looks for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
from gymnasium import spaces
from gymnasium.wrappers import TransformObservation
from ray.rllib.env.multi_agent_env import MultiAgentEnv
from ray.rllib.env.wrappers.pettingzoo_env import ParallelPettingZooEnv, PettingZooEnv
from ray.tune.registry import register_env

from mmwave_gym.api import pettingzoo
from mmwave_gym.core.registration import entry, room_of


def register(env_id: str, *, agents: str = "one", **keywords: Any) -> str:
    """Register an environment with RLlib and return its name there: `PPOConfig().environment(register(id))`.

    agents: "one" is the view of `gymnasium.make`, "all" a `MultiAgentEnv` with every agent. keywords: as for
    `gymnasium.make`; those of `env_config` go before them. Observations are normalised to [-1, 1] unless
    normalise=False. Where actions are masked an observation is {"observations", "action_mask"}, as RLlib's
    `ActionMaskingTorchRLModule` reads it. Raises ValueError for an unknown id or another word for `agents`.
    """
    if agents not in ("one", "all"):
        raise ValueError(f"agents must be 'one' or 'all', got {agents!r}.")
    name = f"{entry(env_id).id}, {agents}"

    def make(config: Mapping[str, Any]) -> Any:
        given = {"normalise": True, "mask": "observation", **keywords, **config}
        return _one(env_id, given) if agents == "one" else _all(env_id, given)

    register_env(name, make)
    return name


def _one(env_id: str, keywords: dict[str, Any]) -> Any:
    env = gymnasium.make(env_id, **keywords)
    return TransformObservation(env, _renamed, _renamed_space(env.observation_space))


def _all(env_id: str, keywords: dict[str, Any]) -> MultiAgentEnv:
    room = room_of(env_id)
    keywords = {**entry(env_id).overrides, **keywords}
    if room.load("scenario").turn_based:
        return _RenamedTurns(pettingzoo.env(room.name, **keywords))
    return _RenamedParallel(pettingzoo.parallel_env(room.name, **{"always_present": True, **keywords}))


def _renamed(observation: Any) -> Any:
    if not isinstance(observation, dict):
        return observation
    return {"action_mask": observation["action_mask"], "observations": observation["observation"]}


def _renamed_space(space: Any) -> Any:
    return spaces.Dict(_renamed(dict(space.spaces))) if isinstance(space, spaces.Dict) else space


class _Renamed(MultiAgentEnv):
    """The name of the observation beside its mask is that of RLlib's masking module."""

    def __init__(self, env: Any):
        super().__init__(env)  # type: ignore[call-arg]
        own: Any = self.observation_space
        self.observation_space = spaces.Dict({agent: _renamed_space(space) for agent, space in own.items()})

    def reset(self, **words: Any) -> Any:
        observations, infos = super().reset(**words)
        return {agent: _renamed(own) for agent, own in observations.items()}, infos

    def step(self, action_dict: Any) -> Any:
        observations, *answers = super().step(action_dict)
        return {agent: _renamed(own) for agent, own in observations.items()}, *answers


class _RenamedParallel(_Renamed, ParallelPettingZooEnv):
    pass


class _RenamedTurns(_Renamed, PettingZooEnv):
    pass
