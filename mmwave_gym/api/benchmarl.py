"""BenchMARL: every environment with several agents as a task of its experiments, on the native batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from benchmarl.environments.common import TaskClass
from gymnasium import spaces
from numpy.typing import NDArray
from tensordict import TensorDict, TensorDictBase
from torchrl.data import Composite
from torchrl.envs import EnvBase, PettingZooWrapper

from mmwave_gym.api import pettingzoo
from mmwave_gym.api.seeds import episode_seeds
from mmwave_gym.api.showing import Showing, action_space_of, numbers
from mmwave_gym.core.actions import checked_action
from mmwave_gym.core.batch import Batch
from mmwave_gym.core.registration import entry, make_registered, room_of
from mmwave_gym.core.scenario import EpisodeKey, Outcome, Scenario

GROUP = "agents"


class MmwaveTask(TaskClass):
    """A task of all agents of an environment, who are one group: `Experiment(task=MmwaveTask(id, **keywords), …)`.

    keywords: as for the environment. Observations are normalised to [-1, 1] unless normalise=False; agents are always
    present, `state` is what all observe. Environment copies are stepped as one batch, except where agents take turns,
    actions are masked, agents come and go, or a render_mode is given: those are PettingZoo environments side by side.
    Raises ValueError or TypeError for a wrong id or keyword.
    """

    def __init__(self, env_id: str, **keywords: Any):
        room, known = room_of(env_id), entry(env_id)
        super().__init__(known.id, {"normalise": True, "always_present": True, **known.overrides, **keywords})
        self._room = room.name
        shown = ("normalise", "mask", "render_mode")
        self._scenario = make_registered(env_id, **{k: v for k, v in self.config.items() if k not in shown})

    @property
    def native(self) -> bool:
        """Are environment copies stepped as one batch?"""
        apart = self._scenario.turn_based or self._scenario.masked or self.config.get("render_mode")
        return bool(self.config["always_present"]) and not apart

    def get_env_fun(
        self, num_envs: int, continuous_actions: bool, seed: int | None, device: Any
    ) -> Callable[[], EnvBase]:
        def one() -> EnvBase:
            env = pettingzoo.parallel_env(self._room, **self.config)
            groups = {GROUP: list(env.possible_agents)}
            return PettingZooWrapper(
                env, categorical_actions=True, return_state=True, group_map=groups, seed=seed, device=device
            )

        def many() -> EnvBase:
            showing = Showing(self._scenario, "info", self.config["normalise"])
            return ScenarioBatchEnv(one(), self._scenario, showing, num_envs, seed)

        return many if self.native else one

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
        return Composite({"state": env.full_observation_spec_unbatched["state"].clone()})

    def action_spec(self, env: EnvBase) -> Composite:
        return env.full_action_spec_unbatched

    @staticmethod
    def env_name() -> str:
        return "mmwave_gym"

    @staticmethod
    def _only(env: EnvBase, name: str) -> Composite:
        group = env.full_observation_spec_unbatched[GROUP]
        return Composite({GROUP: Composite({name: group[name].clone()}, shape=group.shape)})


class ScenarioBatchEnv(EnvBase):
    """The native batch as an environment of TorchRL, all agents in one group; specs are those of `like`, one copy.

    Copy i has the episodes of `reset(seed=seed + i)`.
    """

    def __init__(
        self, like: PettingZooWrapper, scenario: Scenario[Any, Any], showing: Showing, num_envs: int, seed: int | None
    ):
        super().__init__(device=like.device, batch_size=[num_envs])
        self.group_map = like.group_map
        self._batch = Batch(scenario, num_envs)
        self._showing, self._space = showing, action_space_of(scenario)
        self._rows = (num_envs, scenario.num_agents)
        self._begins_with: int | None = seed
        ends = like.full_done_spec.clone()
        del ends[GROUP]
        for name, spec in {
            "observation_spec": like.observation_spec,
            "action_spec": like.full_action_spec,
            "reward_spec": like.full_reward_spec,
            "done_spec": ends,
        }.items():
            setattr(self, name, spec.expand(num_envs, *spec.shape))

    def _set_seed(self, seed: int | None) -> None:
        self._begins_with = seed

    def _reset(self, tensordict: TensorDictBase | None = None, seed: int | None = None, **kwargs: Any) -> TensorDict:
        asked = None if tensordict is None else tensordict.get("_reset", None)
        self._begins_with = self._begins_with if seed is None else seed
        if self._batch.episodes is None or self._begins_with is not None:
            seeds = episode_seeds(self._begins_with, self._rows[0])
            self._batch.reset([EpisodeKey(s) for s in seeds])
            self._begins_with = None
        elif asked is None:
            self._batch.restart(np.arange(self._rows[0]), ended=False)
        else:
            self._batch.restart(np.flatnonzero(asked.numpy()))
        nobody = np.zeros(self._rows[0], bool)
        return self._tensors({"done": nobody, "terminated": nobody, "truncated": nobody}, None, {})

    def _step(self, tensordict: TensorDictBase) -> TensorDict:
        action = checked_action(self._space, tensordict[GROUP, "action"].numpy(), self._rows)
        scored = self._batch.scenario.action_space.shape or ()
        outcome = self._batch.step(action.reshape(*self._rows, *scored))
        over = np.asarray(outcome.terminated.all(axis=1))
        ends = {"done": over | outcome.truncated, "terminated": over, "truncated": outcome.truncated}
        reward = torch.as_tensor(outcome.reward.astype(np.float32))[..., None]
        return self._tensors(ends, outcome, {"reward": reward})

    def _tensors(self, ends: dict[str, NDArray[np.bool_]], outcome: Outcome | None, more: dict[str, Any]) -> TensorDict:
        observed = torch.as_tensor(np.array(self._showing.array(self._batch.observe())))
        known = self._showing.nothing() if outcome is None else numbers(outcome)
        info = {name: self._each(known[name]) for name in self._showing.names}
        flags = {name: torch.as_tensor(np.array(value))[:, None] for name, value in ends.items()}
        group = TensorDict({"observation": observed, "info": TensorDict(info, self._rows), **more}, self._rows)
        state = observed.reshape(self._rows[0], -1)
        return TensorDict({**flags, GROUP: group, "state": state}, self.batch_size, device=self.device)

    def _each(self, value: Any) -> torch.Tensor:
        """A number of each agent (N, A), of each environment (N,) or of all, as (N, A)."""
        own = np.asarray(value, np.float32)
        whole = own[:, None] if own.ndim == 1 else own
        return torch.as_tensor(np.array(np.broadcast_to(whole, self._rows)))
