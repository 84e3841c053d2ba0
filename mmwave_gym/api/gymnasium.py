"""The Gymnasium classes: one scenario as an environment and as a vector environment.

They hold no physics. Each turns actions into the batch's arrays, and the batch's arrays into what its API asks for;
`mmwave_gym.api.pettingzoo` does the same for PettingZoo.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from mmwave_gym.agents.others import others_of
from mmwave_gym.api.seeds import RENDER_MODES, check_render_mode, episode_seeds
from mmwave_gym.api.showing import Showing, numbers
from mmwave_gym.core import rooms
from mmwave_gym.core.actions import checked_action
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey, Outcome

KEYS = "0123456789abcdefghijklmnopqrstuvwxyz"


class ScenarioEnv(gymnasium.Env[NDArray[np.float32], Any]):
    """One environment of a scenario, one controlled agent: what `gymnasium.make` returns.

    Observations are float32 arrays in the units of `scenario.fields`; `info` holds the step's metrics, `elapsed_s`,
    and `action_mask` (int8) where actions are masked; at a reset the same keys, numbers 0. With several agents,
    `others=` names who plays the rest; control="all" controls all of them at once, observations and actions side by
    side, rewards summed; always_present=True plays on when the agent has left. `mask` and `normalise`: see `Showing`.
    """

    metadata = {"render_modes": list(RENDER_MODES), "render_fps": 10}  # noqa: RUF012 (Gymnasium's own declaration)

    def __init__(
        self,
        scenario: str,
        render_mode: str | None = None,
        others: Any = None,
        mask: str = "info",
        normalise: bool = False,
        **keywords: Any,
    ):
        check_render_mode(render_mode)
        self.scenario = make_scenario(scenario, **keywords)
        self.batch = Batch(self.scenario, 1)
        self.render_mode = render_mode
        self._showing = Showing(self.scenario, mask, normalise)
        self.observation_space = self._showing.space
        self.action_space = self._showing.action_space
        self._others = others_of(self.batch, others)
        self._running = False
        self._seeded = False
        self._renderer: Any = None

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        if seed is not None or not self._seeded:
            seeds = episode_seeds(seed, 1)
            super().reset(seed=seeds[0])
            self.batch.reset([EpisodeKey(s) for s in seeds])
            self._seeded = True
        else:
            self.batch.restart(np.zeros(1, np.intp))
        if self._others:
            self._others.reset()
        self._running = True
        if self.render_mode is not None:
            self._record(None)
        return self._shown(self._showing.nothing())

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        if not self._running:
            raise ResetNeeded("the episode has ended or was never begun: call reset() before step().")
        own = checked_action(self.scenario.action_space, action, ())[None]
        joint = self._others.actions(own) if self._others else own[None]
        outcome = self.batch.step(joint)
        terminated, truncated = outcome.terminated.item(0), outcome.truncated.item(0)
        self._running = not (terminated or truncated)
        if self.render_mode is not None:
            self._record(outcome)
        observation, info = self._shown({name: value.item(0) for name, value in numbers(outcome).items()})
        return observation, outcome.reward.item(0), terminated, truncated, info

    def get_keys_to_action(self) -> dict[str, Any]:
        """Key -> action for `gymnasium.utils.play`: 0 to 9, then a to z; a continuous action takes ten steps.

        Raises ValueError where an action has several parts or more choices than there are keys.
        """
        space = self.action_space
        if isinstance(space, spaces.Discrete) and space.n <= len(KEYS):
            return dict(zip(KEYS, range(int(space.n)), strict=False))
        if isinstance(space, spaces.Box) and space.shape == (1,):
            values = np.linspace(space.low, space.high, 10, dtype=space.dtype)
            return dict(zip(KEYS, values, strict=False))
        raise ValueError(f"no keys stand for {space}: give some, play(env, keys_to_action=…).")

    def action_masks(self) -> NDArray[np.bool_]:
        """(actions,): True for each allowed action, flat over the parts of a MultiDiscrete; all True without masks.

        sb3-contrib's MaskablePPO asks for this form.
        """
        mask = self.batch.action_mask()
        return np.ones(spaces.flatdim(self.action_space), bool) if mask is None else mask[0, 0].copy()

    def view(self, access: str = "local") -> View:
        """What an agent of that access level may know; the argument of an agent's `begin`."""
        return View(self.batch, access)

    @cached_property
    def table(self) -> Any:
        """The tabular model of a scenario that has one and is small: `num_states`, `num_actions`, `P`, `decode`.

        Raises AttributeError for a scenario that has none, ValueError where it would be too large.
        """
        make = rooms.room(self.scenario.name).load("table")
        if make is None:
            raise AttributeError(f"{self.scenario.name} has no tabular model: its states are not finitely many.")
        return make(self.scenario, self._others and self._others.policy)

    @property
    def P(self) -> dict[int, dict[int, list[tuple[float, int, float, bool]]]]:
        """Gymnasium's `P[state][action] = [(probability, next state, reward, terminated), …]`, from `table`."""
        return self.table.P

    @property
    def s(self) -> int:
        """The number of the present state in `P`."""
        return self.table.now(self.batch)

    def render(self) -> Any:
        if self.render_mode is None:
            gymnasium.logger.warn("render() needs a render_mode: gym.make(…, render_mode='rgb_array').")
            return None
        if not self._seeded:
            raise ResetNeeded("nothing to render: call reset() first.")
        return self._renderer.frame()

    def close(self) -> None:
        if self._renderer is not None:
            self._renderer.close()

    def _record(self, outcome: Outcome | None) -> None:
        """Tell the renderer of a step, or of a new episode where `outcome` is None."""
        if self._renderer is None:
            from mmwave_gym.rendering.renderer import make_renderer  # drawing libraries load only where they are used

            self._renderer = make_renderer(self.batch, str(self.render_mode))
        self._renderer.record(outcome)

    def _shown(self, info: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The observation now, and `info` with the mask where it is told there."""
        mask = self.batch.action_mask()
        own = None if mask is None else mask[0, 0]
        if own is not None and self._showing.mask_told:
            info["action_mask"] = own.astype(np.int8)
        return self._showing.observation(self.batch.observe()[0, 0], own), info


class ScenarioVectorEnv(gymnasium.vector.VectorEnv[NDArray[np.float32], NDArray[Any], NDArray[Any]]):
    """Many environments of a scenario stepped as one, one controlled agent each: what `gymnasium.make_vec` returns.

    `autoreset_mode`: NEXT_STEP (Gymnasium's default: the step after an end ignores the action, gives reward 0 and
    the next episode's first observation), SAME_STEP (it comes at once; the last one is in `info["final_obs"]`) or
    DISABLED (who has ended waits for `reset(options={"reset_mask": …})`). Other keywords: as of `ScenarioEnv`.
    """

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012

    def __init__(
        self,
        scenario: str,
        num_envs: int = 1,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        others: Any = None,
        render_mode: str | None = None,
        mask: str = "info",
        normalise: bool = False,
        **keywords: Any,
    ):
        if render_mode is not None:
            raise ValueError("the vector environment does not render: use gymnasium.make for pictures.")
        if autoreset_mode not in (*AutoresetMode, *(m.value for m in AutoresetMode)):
            known = ", ".join(f"AutoresetMode.{m.name} ({m.value!r})" for m in AutoresetMode)
            raise ValueError(f"autoreset_mode must be one of {known}; got {autoreset_mode!r}.")
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode}
        self.scenario = make_scenario(scenario, **keywords)
        self.batch = Batch(self.scenario, num_envs)
        self.num_envs = num_envs = self.batch.num_envs
        self.render_mode = None
        self._showing = Showing(self.scenario, mask, normalise)
        self.single_observation_space = self._showing.space
        self.single_action_space = self._showing.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._others = others_of(self.batch, others)
        self._ended = np.zeros(num_envs, bool)
        self._seeded = False

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Start episodes in all environments, or in those that `options["reset_mask"]`, (num_envs,) bool, marks."""
        chosen = _reset_mask(options, self.num_envs)
        if chosen.all() or not self._seeded:
            if seed is not None or not self._seeded:
                self.batch.reset([EpisodeKey(s) for s in episode_seeds(seed, self.num_envs)])
                self._seeded = True
            else:
                self.batch.restart(np.arange(self.num_envs), ended=bool(self._ended.all()))
            if self._others:
                self._others.reset()
        else:
            envs = np.flatnonzero(chosen)
            if seed is not None:
                seeds = episode_seeds(seed, self.num_envs)
                self.batch.begin(envs, [EpisodeKey(seeds[i]) for i in envs])
            else:
                self.batch.restart(envs, ended=bool(self._ended[envs].all()))
            if self._others:
                self._others.restarted(envs)
        self._ended[chosen] = False
        told = {name: np.zeros(self.num_envs) for name in self._showing.names}
        return self._shown({**told, **{f"_{name}": chosen.copy() for name in told}}, chosen)

    def step(self, actions: NDArray[Any]) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        if not self._seeded:
            raise ResetNeeded("call reset() before step().")
        own = checked_action(self.scenario.action_space, actions, (self.num_envs,))
        waiting = np.flatnonzero(self._ended)  # they ended in the last step; this one only restarts them
        if len(waiting) and self.autoreset_mode is AutoresetMode.DISABLED:
            which = ", ".join(map(str, waiting[:5].tolist()))
            raise ResetNeeded(f"environments have ended (number {which}): reset(options={{'reset_mask': …}}) first.")
        joint = self._others.actions(own) if self._others else own[:, None]
        if len(waiting):
            self._restart(waiting)
        outcome = self.batch.step(joint)
        # Copies, here and of the metrics: a scenario may go on with its arrays, or give one under several names.
        reward, terminated = np.array(outcome.reward[:, 0]), np.array(outcome.terminated[:, 0])
        truncated = np.array(outcome.truncated)
        if len(waiting):
            self.batch.rewind(waiting)
            reward[waiting], terminated[waiting], truncated[waiting] = 0.0, False, False
        observation, info = self._shown(self._info(outcome, waiting))
        ended = terminated | truncated
        if self.autoreset_mode is not AutoresetMode.SAME_STEP:
            self._ended = ended
        elif ended.any():
            observation, info = self._restart_now(ended, observation, info)
        return observation, reward, terminated, truncated, info

    def action_masks(self) -> NDArray[np.bool_]:
        """(num_envs, actions): True for each allowed action; all True without masks."""
        mask = self.batch.action_mask()
        if mask is None:
            return np.ones((self.num_envs, spaces.flatdim(self.single_action_space)), bool)
        return mask[:, 0].copy()

    def view(self, access: str = "local") -> View:
        """What an agent of that access level may know of all environments."""
        return View(self.batch, access)

    def _restart(self, envs: NDArray[np.intp]) -> None:
        self.batch.restart(envs)
        if self._others:
            self._others.restarted(envs)

    def _restart_now(
        self, ended: NDArray[np.bool_], observation: Any, info: dict[str, Any]
    ) -> tuple[Any, dict[str, Any]]:
        """Start the next episode of environments that just ended; what ended goes into `info`.

        As in Gymnasium, a row's other entries are those of its new episode: the mask, and 0.
        """
        final: dict[str, Any] = {}
        for name in [n for n in info if not n.startswith("_")]:
            final[name] = info[name]
            final[f"_{name}"] = info[f"_{name}"] & ended
            if name != "action_mask":
                info[name] = np.where(ended, 0.0, info[name])
        if isinstance(observation, dict):  # Gymnasium's own vectors have an array of dictionaries here
            rows = np.full(self.num_envs, None, object)
            rows[ended] = [{name: part[i] for name, part in observation.items()} for i in np.flatnonzero(ended)]
            observation = rows
        info.update(final_obs=observation, _final_obs=ended.copy(), final_info=final, _final_info=ended.copy())
        self._restart(np.flatnonzero(ended))
        return self._shown(info)

    def _info(self, outcome: Outcome, waiting: NDArray[np.intp]) -> dict[str, Any]:
        info: dict[str, Any] = {}
        everywhere = np.ones(self.num_envs, bool)
        for name, value in numbers(outcome).items():
            info[name] = np.array(value.reshape(self.num_envs, -1)[:, 0])
            info[name][waiting] = 0.0
            info[f"_{name}"] = everywhere.copy()
        return info

    def _shown(self, info: dict[str, Any], chosen: NDArray[np.bool_] | None = None) -> tuple[Any, dict[str, Any]]:
        """The observations now, and `info` with the masks where they are told there, of `chosen` rows (num_envs,)."""
        mask = self.batch.action_mask()
        own = None if mask is None else mask[:, 0]
        if own is not None and self._showing.mask_told:
            info["_action_mask"] = np.ones(self.num_envs, bool) if chosen is None else chosen.copy()
            info["action_mask"] = (own & info["_action_mask"][:, None]).astype(np.int8)
        observed = np.ascontiguousarray(self.batch.observe()[:, 0])  # JAX refuses gaps between rows
        return self._showing.observation(observed, own), info


def _reset_mask(options: dict[str, Any] | None, num_envs: int) -> NDArray[np.bool_]:
    """(num_envs,): which environments `reset` is for: all, or those of `options["reset_mask"]`."""
    if not options or "reset_mask" not in options:
        return np.ones(num_envs, bool)
    mask = np.asarray(options["reset_mask"])
    if mask.dtype != bool or mask.shape != (num_envs,) or not mask.any():
        raise ValueError(
            f"options['reset_mask'] must be {num_envs} truth values, one True at least, got {options['reset_mask']!r}."
        )
    return mask
