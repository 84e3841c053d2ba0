"""BenchMARL: every environment with several agents as a task of its experiments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarl.environments.common import TaskClass
from gymnasium import spaces
from torchrl.data import Composite
from torchrl.envs import EnvBase, PettingZooWrapper

from mmwave_gym.api import pettingzoo
from mmwave_gym.core.registration import entry, make_registered, room_of

GROUP = "agents"


class MmwaveTask(TaskClass):
    """A task of all agents of an environment, who are one group: `Experiment(task=MmwaveTask(id, **keywords), …)`.

    keywords: as for the environment. Observations are normalised to [-1, 1] unless normalise=False; agents are always
    present, `state` is what all observe. Raises ValueError or TypeError for a wrong id or keyword.
    """

    def __init__(self, env_id: str, **keywords: Any):
        room, known = room_of(env_id), entry(env_id)
        super().__init__(known.id, {"normalise": True, "always_present": True, **known.overrides, **keywords})
        self._room = room.name
        shown = ("normalise", "mask", "render_mode")
        self._scenario = make_registered(env_id, **{k: v for k, v in self.config.items() if k not in shown})

    def get_env_fun(
        self, num_envs: int, continuous_actions: bool, seed: int | None, device: Any
    ) -> Callable[[], EnvBase]:
        def make() -> EnvBase:
            env = pettingzoo.parallel_env(self._room, **self.config)
            groups = {GROUP: list(env.possible_agents)}
            return PettingZooWrapper(
                env, categorical_actions=True, return_state=True, group_map=groups, seed=seed, device=device
            )

        return make

    def supports_continuous_actions(self) -> bool:
        return isinstance(self._scenario.action_space, spaces.Box)

    def supports_discrete_actions(self) -> bool:
        return not self.supports_continuous_actions()

    def max_steps(self, env: EnvBase) -> int:
        return self._scenario.horizon

    def has_render(self, env: EnvBase) -> bool:
        return "render_mode" in self.config

    def group_map(self, env: EnvBase) -> dict[str, list[str]]:
        return env.group_map

    def observation_spec(self, env: EnvBase) -> Composite:
        return self._only(env, "observation")

    def info_spec(self, env: EnvBase) -> Composite | None:
        return self._only(env, "info")

    def action_mask_spec(self, env: EnvBase) -> Composite | None:
        return self._only(env, "action_mask") if self._scenario.masked else None

    def state_spec(self, env: EnvBase) -> Composite | None:
        return Composite({"state": env.observation_spec["state"].clone()})

    def action_spec(self, env: EnvBase) -> Composite:
        return env.full_action_spec

    @staticmethod
    def env_name() -> str:
        return "mmwave_gym"

    @staticmethod
    def _only(env: EnvBase, name: str) -> Composite:
        group = env.observation_spec[GROUP]
        return Composite({GROUP: Composite({name: group[name].clone()}, shape=group.shape)})
