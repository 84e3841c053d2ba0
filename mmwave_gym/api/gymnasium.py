"""The Gymnasium classes: one scenario as an environment and as a vector environment.

They hold no physics. Each turns actions into the batch's arrays, and the batch's arrays into what its API asks for;
`mmwave_gym.api.pettingzoo` does the same for PettingZoo.
"""

from __future__ import annotations

import secrets
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

from mmwave_gym.core import rooms
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.joint import controlled
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng, Outcome, Scenario

RENDER_MODES = ("human", "rgb_array", "ansi")
AUTORESET_MODES = (AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP)
MAX_SEED = 2**63 - 1
PLAIN_INTEGERS = (int, np.int64)


class _Others:
    """The one-agent view: agent 0 is played from outside, a policy plays the rest.

    This is no `agents.rollout`: the user steps and restarts environments, and others' chance belongs to the episode.
    """

    def __init__(self, batch: Batch, policy: Any):
        if policy is None:
            raise ValueError(
                f"this environment has {batch.scenario.num_agents} agents and one of them is controlled: "
                "name the policy of the others, others='…' (mmwave_gym.agents() lists names) or an object with predict."
            )
        from mmwave_gym.agents.loading import load_agent

        self.policy = load_agent(policy, batch.scenario.name)
        self._batch = batch
        self._memory: Any = None
        self._rng: Any = None
        self._started = np.ones(batch.num_envs * batch.scenario.num_agents, bool)

    def reset(self) -> None:
        self._memory = None
        self._started[:] = True
        if hasattr(self.policy, "begin"):
            from mmwave_gym.agents.protocol import RowRng

            batch = self._batch
            view = View(batch, getattr(self.policy, "access", "local"))
            self._rng = RowRng(self._generators(np.arange(batch.num_envs)), batch.scenario.num_agents)
            self._memory = self.policy.begin(view, self._rng)

    def restarted(self, envs: NDArray[np.intp]) -> None:
        """Begin a new episode in the environments `envs` (n,)."""
        self._started.reshape(self._batch.num_envs, -1)[envs] = True
        if self._rng is not None:
            self._rng.restart(envs, self._generators(envs))

    def _generators(self, envs: NDArray[np.intp]) -> list[np.random.Generator]:
        """The others' chance belongs to the episode, so that it does not depend on `num_envs`."""
        return [EpisodeRng(self._batch.key(i))["others"] for i in envs.tolist()]

    def actions(self, first: NDArray[Any]) -> NDArray[Any]:
        """Joint actions (N, A, …) with `first` (N, …) in agent slot 0."""
        observation = self._batch.observe()
        n, a = observation.shape[:2]
        rows = observation.reshape(n * a, -1)
        action, self._memory = self.policy.predict(
            rows, state=self._memory, episode_start=self._started, deterministic=True
        )
        self._started = np.zeros(n * a, bool)
        try:
            joint = checked_action(self._batch.scenario.action_space, action, (n * a,))
        except (TypeError, ValueError) as error:
            raise type(error)(f"the policy of the others, {self.policy!r}: {error}") from error
        joint = np.array(joint).reshape(n, a, *first.shape[1:])
        joint[:, 0] = first
        return joint


def episode_seeds(seed: int | Sequence[int | None] | None, num_envs: int) -> list[int]:
    """One seed for each environment. An integer s gives environment i the seed s + i (Gymnasium's rule), None draws.

    Raises ValueError for a number out of range, or another number of seeds than environments.
    """
    seeds: list[Any]
    if isinstance(seed, Sequence | np.ndarray) and not isinstance(seed, str):
        seeds = list(seed)
        if len(seeds) != num_envs:
            raise ValueError(f"seed must be an integer or {num_envs} of them, got {len(seeds)} of them.")
    elif isinstance(seed, int | np.integer) and not isinstance(seed, bool):
        seeds = [int(seed) + i for i in range(num_envs)]
    else:
        seeds = [seed] * num_envs
    for s in seeds:
        wrong = isinstance(s, bool) or not isinstance(s, int | np.integer)
        if s is not None and (wrong or not 0 <= s <= MAX_SEED):
            raise ValueError(f"seed must be an integer between 0 and {MAX_SEED}, got {s!r}.")
    return [secrets.randbits(62) if s is None else int(s) for s in seeds]


def observation_box(scenario: Scenario[Any, Any]) -> spaces.Box:
    return spaces.Box(scenario.fields.low, scenario.fields.high, dtype=np.float32)


def checked_action(space: spaces.Space[Any], action: Any, leading: tuple[int, ...]) -> NDArray[Any]:
    """`action` as an array (*leading, *parts) inside the space, or an error that says what is wrong."""
    if not leading and type(action) in PLAIN_INTEGERS and isinstance(space, spaces.Discrete) and 0 <= action < space.n:
        return np.array(action)  # the usual step of a single environment; the checks below would be a fifth of it
    shape = (*leading, *(space.shape or ()))
    try:
        array = np.asarray(action)
    except ValueError:
        raise ValueError(f"the action must have shape {shape}, got {action!r}.") from None
    if array.shape != shape:
        raise ValueError(f"the action must have shape {shape}, got {array.shape}: {action!r}.")
    if isinstance(space, spaces.Box):
        if array.dtype.kind not in "fiu":
            raise TypeError(f"the action must be numbers, got dtype {array.dtype}: {action!r}.")
        if not ((array >= space.low) & (array <= space.high)).all():
            raise ValueError(f"the action must be in [{space.low.min():g}, {space.high.max():g}], got {action!r}.")
        return array.astype(np.float64)
    if array.dtype.kind not in "iu":
        raise TypeError(f"the action must be of an integer type, got dtype {array.dtype}: {action!r}.")
    count = space.n if isinstance(space, spaces.Discrete) else space.nvec  # type: ignore[attr-defined]
    if np.count_nonzero((array < 0) | (array >= count)):  # `.any()` takes several times as long
        last = np.subtract(count, 1).tolist()
        raise ValueError(f"the action must be an integer from 0 to {last}, got {action!r}.")
    return array.astype(np.int64, copy=False)


def check_render_mode(mode: str | None) -> None:
    if mode is not None and mode not in RENDER_MODES:
        raise ValueError(f"render_mode must be None or one of {', '.join(RENDER_MODES)}, got {mode!r}.")


class ScenarioEnv(gymnasium.Env[NDArray[np.float32], Any]):
    """One environment of a scenario, one controlled agent: what `gymnasium.make` returns.

    Observations are float32 arrays in the units of `scenario.fields`; `info` holds the step's metrics, `elapsed_s`,
    and `action_mask` (int8) where actions are masked. With several agents, `others=` names who plays the rest;
    control="all" controls all of them at once, observations and actions side by side, rewards summed.
    """

    metadata = {"render_modes": list(RENDER_MODES), "render_fps": 10}  # noqa: RUF012 (Gymnasium's own declaration)

    def __init__(
        self, scenario: str, render_mode: str | None = None, others: Any = None, control: str = "first", **keywords: Any
    ):
        check_render_mode(render_mode)
        self.scenario = controlled(make_scenario(scenario, **keywords), control)
        self.batch = Batch(self.scenario, 1)
        self.render_mode = render_mode
        self.observation_space: spaces.Box = observation_box(self.scenario)  # type: ignore[assignment]
        self.action_space = self.scenario.action_space
        self._others = _Others(self.batch, others) if self.scenario.num_agents > 1 else None
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
        return self.batch.observe()[0, 0], self._masked({})

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        if not self._running:
            raise ResetNeeded("the episode has ended or was never begun: call reset() before step().")
        own = checked_action(self.action_space, action, ())[None]
        joint = self._others.actions(own) if self._others else own[None]
        outcome = self.batch.step(joint)
        terminated, truncated = outcome.terminated.item(0), outcome.truncated.item(0)
        self._running = not (terminated or truncated)
        if self.render_mode is not None:
            self._record(outcome)
        info = {name: value.item(0) for name, value in outcome.metrics.items()}
        info["elapsed_s"] = outcome.elapsed_s.item(0)
        observation = self.batch.observe()[0, 0]
        return observation, outcome.reward.item(0), terminated, truncated, self._masked(info)

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

    def _masked(self, info: dict[str, Any]) -> dict[str, Any]:
        mask = self.batch.action_mask()
        if mask is not None:
            info["action_mask"] = mask[0, 0].astype(np.int8)
        return info


class ScenarioVectorEnv(gymnasium.vector.VectorEnv[NDArray[np.float32], NDArray[Any], NDArray[Any]]):
    """Many environments of a scenario stepped as one, one controlled agent each: what `gymnasium.make_vec` returns.

    `autoreset_mode`: NEXT_STEP (Gymnasium's default: the step after an end ignores the action, gives reward 0 and
    the next episode's first observation) or SAME_STEP (it comes at once; the last one is in `info["final_obs"]`).
    """

    metadata = {"render_modes": [], "autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012

    def __init__(
        self,
        scenario: str,
        num_envs: int = 1,
        autoreset_mode: AutoresetMode | str = AutoresetMode.NEXT_STEP,
        others: Any = None,
        render_mode: str | None = None,
        control: str = "first",
        **keywords: Any,
    ):
        if render_mode is not None:
            raise ValueError("the vector environment does not render: use gymnasium.make for pictures.")
        if autoreset_mode not in (*AUTORESET_MODES, *(m.value for m in AUTORESET_MODES)):
            raise ValueError(
                f"autoreset_mode must be AutoresetMode.NEXT_STEP ('NextStep') or AutoresetMode.SAME_STEP "
                f"('SameStep'), because environments restart by themselves; got {autoreset_mode!r}."
            )
        mode = AutoresetMode(autoreset_mode)
        self.metadata = {**self.metadata, "autoreset_mode": mode}
        self.scenario = controlled(make_scenario(scenario, **keywords), control)
        self.batch = Batch(self.scenario, num_envs)
        self.num_envs = num_envs = self.batch.num_envs
        self.render_mode = None
        self.single_observation_space = observation_box(self.scenario)
        self.single_action_space = self.scenario.action_space
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._same_step = mode is AutoresetMode.SAME_STEP
        self._others = _Others(self.batch, others) if self.scenario.num_agents > 1 else None
        self._ended = np.zeros(num_envs, bool)
        self._seeded = False

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        if seed is not None or not self._seeded:
            self.batch.reset([EpisodeKey(s) for s in episode_seeds(seed, self.num_envs)])
            self._seeded = True
        else:
            self.batch.restart(np.arange(self.num_envs), ended=bool(self._ended.all()))
        self._ended[:] = False
        if self._others:
            self._others.reset()
        return self._observe(), self._masked({})

    def step(self, actions: NDArray[Any]) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        if not self._seeded:
            raise ResetNeeded("call reset() before step().")
        own = checked_action(self.single_action_space, actions, (self.num_envs,))
        joint = self._others.actions(own) if self._others else own[:, None]
        waiting = np.flatnonzero(self._ended)  # they ended in the last step; this one only restarts them
        if len(waiting):
            self._restart(waiting)
        outcome = self.batch.step(joint)
        reward, terminated, truncated = outcome.reward[:, 0], outcome.terminated[:, 0], outcome.truncated
        if len(waiting):
            self.batch.rewind(waiting)
            reward, terminated, truncated = reward.copy(), terminated.copy(), truncated.copy()
            reward[waiting], terminated[waiting], truncated[waiting] = 0.0, False, False
        info = self._masked(self._info(outcome, waiting))
        ended = terminated | truncated
        observation = self._observe()
        if not self._same_step:
            self._ended = ended
        elif ended.any():
            observation = self._restart_now(ended, observation, info)
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

    def _observe(self) -> NDArray[np.float32]:
        return self.batch.observe()[:, 0]

    def _restart(self, envs: NDArray[np.intp]) -> None:
        self.batch.restart(envs)
        if self._others:
            self._others.restarted(envs)

    def _restart_now(
        self, ended: NDArray[np.bool_], observation: NDArray[np.float32], info: dict[str, Any]
    ) -> NDArray[np.float32]:
        """Start the next episode of environments that just ended; what ended goes into `info`.

        As in Gymnasium, a row's other entries are those of its new episode, which has no metrics yet.
        """
        final: dict[str, Any] = {}
        for name in [n for n in info if not n.startswith("_")]:
            final[name] = info[name].copy()
            final[f"_{name}"] = info[f"_{name}"] & ended
            info[f"_{name}"] &= ~ended
        info.update(final_obs=observation, _final_obs=ended.copy(), final_info=final, _final_info=ended.copy())
        self._restart(np.flatnonzero(ended))
        self._masked(info)
        return self._observe()

    def _info(self, outcome: Outcome, waiting: NDArray[np.intp]) -> dict[str, Any]:
        info: dict[str, Any] = {}
        everywhere = np.ones(self.num_envs, bool)
        everywhere[waiting] = False
        for name, value in (*outcome.metrics.items(), ("elapsed_s", outcome.elapsed_s)):
            value = value if value.ndim == 1 else value[:, 0]
            info[name] = np.where(everywhere, value, 0.0) if len(waiting) else value
            info[f"_{name}"] = everywhere.copy()
        return info

    def _masked(self, info: dict[str, Any]) -> dict[str, Any]:
        mask = self.batch.action_mask()
        if mask is not None:
            info["action_mask"] = mask[:, 0].astype(np.int8)
            info["_action_mask"] = np.ones(self.num_envs, bool)
        return info
