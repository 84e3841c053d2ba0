"""The PettingZoo classes: every agent of a scenario is played from outside.

`ScenarioParallelEnv` is for scenarios in which all agents act at once. `ScenarioTurnEnv` (AEC) and
`ScenarioTurnParallelEnv` are for those in which each step is the decision of one agent. The modules
`mmwave_gym.<name>_v0` offer them under PettingZoo's usual names.
"""

from __future__ import annotations

import copy
from functools import cached_property
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray
from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils import wrappers
from pettingzoo.utils.conversions import parallel_to_aec

from mmwave_gym.api.seeds import RENDER_MODES, check_render_mode, episode_seeds
from mmwave_gym.api.showing import Showing, numbers, observation_box
from mmwave_gym.core import rooms
from mmwave_gym.core.actions import checked_action
from mmwave_gym.core.batch import Batch
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.core.scenario import EpisodeKey, Outcome

METADATA: dict[str, Any] = {"render_modes": list(RENDER_MODES), "render_fps": 10, "is_parallelizable": True}


class _OneCopy:
    """What the PettingZoo classes share: a batch of one, spaces, seeding, rendering.

    `mask` and `normalise`: see `Showing`. always_present=True: nobody comes or goes, see `AlwaysPresent`. `infos` have
    the same keys at every step and at the reset, where numbers are 0.
    """

    metadata: dict[str, Any] = METADATA
    agents: list[str]

    def __init__(
        self,
        scenario: str,
        render_mode: str | None = None,
        mask: str = "observation",
        normalise: bool = False,
        **keywords: Any,
    ):
        check_render_mode(render_mode)
        self.scenario = make_scenario(scenario, **keywords)
        self.batch = Batch(self.scenario, 1)
        self.metadata = {**METADATA, "name": f"{scenario}_v0"}
        self.render_mode = render_mode
        self.possible_agents = [self._name(i) for i in range(self.scenario.max_agent_ids)]
        self.agents = []
        self._showing = Showing(self.scenario, mask, normalise)
        own, slots = observation_box(self.scenario, bool(normalise)), self.scenario.num_agents
        self.state_space = spaces.Box(np.tile(own.low, slots), np.tile(own.high, slots), dtype=np.float32)
        self._action_spaces: dict[str, spaces.Space[Any]] = {}
        self._seeded = False
        self._renderer: Any = None

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return self._showing.space

    def action_space(self, agent: str) -> spaces.Space[Any]:
        """One space an agent, because each is seeded and sampled on its own."""
        if agent not in self._action_spaces:
            self._action_spaces[agent] = copy.deepcopy(self._showing.action_space)
        return self._action_spaces[agent]

    @cached_property
    def observation_spaces(self) -> dict[str, spaces.Space[Any]]:
        """Agent -> space, for libraries that ask for all at once."""
        return {agent: self.observation_space(agent) for agent in self.possible_agents}

    @cached_property
    def action_spaces(self) -> dict[str, spaces.Space[Any]]:
        """Agent -> space, for libraries that ask for all at once."""
        return {agent: self.action_space(agent) for agent in self.possible_agents}

    def state(self) -> NDArray[np.float32]:
        """(A * F,): observations of all A agent slots side by side, as agents see them; empty ones too."""
        return self._showing.array(self.batch.observe()[0]).ravel()

    def render(self) -> Any:
        if self.render_mode is None:
            return None
        if not self._seeded:
            raise ResetNeeded("nothing to render: call reset() first.")
        return self._renderer.frame()

    def close(self) -> None:
        if self._renderer is not None:
            self._renderer.close()

    def _name(self, agent_id: int) -> str:
        return f"{self.scenario.agent_noun}_{agent_id}"

    def _begin(self, seed: int | None) -> None:
        if seed is not None or not self._seeded:
            self.batch.reset([EpisodeKey(s) for s in episode_seeds(seed, 1)])
            self._seeded = True
        else:
            self.batch.restart(np.zeros(1, np.intp))
        self._record(None)

    def _record(self, outcome: Outcome | None) -> None:
        if self.render_mode is None:
            return
        if self._renderer is None:
            from mmwave_gym.rendering.renderer import make_renderer  # drawing libraries load only where they are used

            self._renderer = make_renderer(self.batch, self.render_mode)
        self._renderer.record(outcome)

    def _observations(self, slots: dict[str, int]) -> dict[str, Any]:
        observed, mask = self.batch.observe()[0], self.batch.action_mask()
        return {a: self._observation(observed[p], None if mask is None else mask[0, p]) for a, p in slots.items()}

    def _observation(self, observed: NDArray[np.float32], mask: NDArray[np.bool_] | None) -> Any:
        """An agent's own observation from what its slot observes, (F,), and may do, (actions,)."""
        return self._showing.observation(observed.copy(), mask)

    def _nothing_observed(self) -> Any:
        """Nobody's observation: that of agents whose turn it is not."""
        mask = np.ones(spaces.flatdim(self.scenario.action_space), bool)
        return self._observation(self.scenario.fields.absent, mask)

    def _numbers(self, outcome: Outcome | None, slot: int) -> dict[str, Any]:
        if outcome is None:
            return self._showing.nothing()
        return {n: float(v[0, slot] if v.ndim == 2 else v[0]) for n, v in numbers(outcome).items()}

    def _info(self, outcome: Outcome | None, slot: int) -> dict[str, Any]:
        """What the agent of a slot is told of a step; of a reset, or of a step before it came, where that is None."""
        info: dict[str, Any] = self._numbers(outcome, slot)
        if self._showing.mask_told:
            info["action_mask"] = self.batch.action_mask()[0, slot].astype(np.int8)  # type: ignore[index]
        return info


class ScenarioParallelEnv(_OneCopy, ParallelEnv[str, Any, Any]):
    """One environment of a scenario whose agents act at once: PettingZoo's parallel API.

    Agents are named `<noun>_<id>`; they come and go as the scenario says and never come back. Where actions are
    masked an observation is {"observation", "action_mask"}.
    """

    def __init__(self, scenario: str, render_mode: str | None = None, **keywords: Any):
        super().__init__(scenario, render_mode, **keywords)
        if self.scenario.turn_based:
            raise ValueError(f"in {scenario} one agent decides at a time: use parallel_env() or env().")
        self._slots: dict[str, int] = {}  # of the agents present

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        self._begin(seed)
        self._slots = self._seated()
        self.agents = list(self._slots)
        return self._observations(self._slots), {agent: self._info(None, p) for agent, p in self._slots.items()}

    def step(self, actions: dict[str, Any]) -> tuple[dict[str, Any], Any, Any, Any, dict[str, dict[str, Any]]]:
        if not self.agents:
            raise ResetNeeded("the episode has ended or was never begun: call reset() before step().")
        outcome = self.batch.step(self._joint(actions))
        self._record(outcome)
        truncated = bool(outcome.truncated[0])
        # Newcomers are told of with their first observation, but nobody arrives when all is over.
        before, after = self._slots, {} if truncated else self._seated()
        everyone = {**before, **after}
        over = {a: a in before and bool(outcome.terminated[0, p]) for a, p in everyone.items()}
        observations = self._observations(everyone)
        rewards = {a: float(outcome.reward[0, p]) if a in before else 0.0 for a, p in everyone.items()}
        infos = {a: self._info(outcome if a in before else None, p) for a, p in everyone.items()}
        self._slots = after
        self.agents = list(self._slots)
        return observations, rewards, over, dict.fromkeys(everyone, truncated), infos

    def _seated(self) -> dict[str, int]:
        return {self._name(i): slot for slot, i in enumerate(self.batch.agent_ids()[0].tolist()) if i >= 0}

    def _joint(self, actions: dict[str, Any]) -> NDArray[Any]:
        if missing := [a for a in self.agents if a not in actions]:
            raise ValueError(f"every agent needs an action; none was given for {', '.join(missing[:5])}.")
        if strangers := [a for a in actions if a not in self._slots]:
            raise ValueError(f"there is no agent {strangers[0]!r} now; present are {', '.join(self.agents[:5])} ….")
        space = self.scenario.action_space
        kind = np.float64 if isinstance(space, spaces.Box) else np.int64
        idle = np.zeros((self.scenario.num_agents, *(space.shape or ())), kind)  # what empty slots do means nothing
        for agent, slot in self._slots.items():
            idle[slot] = checked_action(space, actions[agent], ())
        return idle[None]


class _TurnTaking(_OneCopy):
    """An environment in which each step is one agent's decision; all agents are present for the whole episode."""

    def __init__(self, scenario: str, render_mode: str | None = None, **keywords: Any):
        super().__init__(scenario, render_mode, **keywords)
        if not self.scenario.turn_based:
            raise ValueError(f"in {scenario} all agents act at once: use parallel_env() or env().")

    def _turn(self) -> str:
        return self._name(int(self.batch.agent_ids()[0, 0]))

    def _told(self, outcome: Outcome | None, decides: bool = False) -> dict[str, Any]:
        """The info of an agent: numbers of its decision, 0 where it made none; its mask where it `decides` now."""
        if decides or not self._showing.mask_told:
            return self._info(outcome, 0)
        info: dict[str, Any] = self._numbers(outcome, 0)
        return {**info, "action_mask": np.ones(spaces.flatdim(self.scenario.action_space), np.int8)}


class ScenarioTurnEnv(_TurnTaking, AECEnv[str, Any, Any]):
    """One environment of a scenario in which each step is one agent's decision: PettingZoo's AEC API.

    All agents are present for the whole episode; `agent_selection` is the one whose turn it is. The reward of a
    step goes to the agent that decided. Only two entries of each dictionary change a step, so that thousands of
    agents cost little.
    """

    def __init__(self, scenario: str, render_mode: str | None = None, **keywords: Any):
        super().__init__(scenario, render_mode, **keywords)
        self.metadata["is_parallelizable"] = False

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        self._begin(seed)
        self.agents = self.possible_agents[:]
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.agent_selection = self._rewarded = self._turn()
        self.infos = {agent: self._told(None, agent == self.agent_selection) for agent in self.agents}

    def observe(self, agent: str) -> Any:
        """The observation of the agent whose turn it is; the others see nobody's and may choose anything."""
        if agent == self.agent_selection and agent in self.infos and not self._over(agent):
            return self._observations({agent: 0})[agent]
        return self._nothing_observed()

    def step(self, action: Any) -> None:
        if not self.agents:
            raise ResetNeeded("the episode has ended or was never begun: call reset() before step().")
        agent = self.agent_selection
        if self._over(agent):
            self._was_dead_step(action)
            return
        self.rewards[self._rewarded] = 0.0
        self._cumulative_rewards[agent] = 0.0
        outcome = self.batch.step(checked_action(self.scenario.action_space, action, ())[None, None])
        self._record(outcome)
        self._rewarded = agent
        self.rewards[agent] = float(outcome.reward[0, 0])
        self._cumulative_rewards[agent] += self.rewards[agent]
        self.infos[agent] = self._told(outcome)
        if outcome.truncated[0] or outcome.terminated[0, 0]:
            self.terminations = dict.fromkeys(self.agents, bool(outcome.terminated[0, 0]))
            self.truncations = dict.fromkeys(self.agents, bool(outcome.truncated[0]))
            self._deads_step_first()
        else:
            self.agent_selection = following = self._turn()
            if self._showing.mask_told:
                self.infos[following]["action_mask"] = self._told(None, decides=True)["action_mask"]

    def _over(self, agent: str) -> bool:
        return self.terminations[agent] or self.truncations[agent]


class ScenarioTurnParallelEnv(_TurnTaking, ParallelEnv[str, Any, Any]):
    """The same environment in PettingZoo's parallel API: all agents give actions, that of the one who decides counts.

    `infos[agent]["turn"]` is 1 for the agent that decides next, 0 for the others, who observe nothing (`fields.absent`)
    and may leave out their actions. A step's reward and numbers go to the agent that decided.
    """

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        self._begin(seed)
        self.agents = self.possible_agents[:]
        return self._everybody_s(None, "")

    def step(self, actions: dict[str, Any]) -> tuple[dict[str, Any], Any, Any, Any, dict[str, dict[str, Any]]]:
        if not self.agents:
            raise ResetNeeded("the episode has ended or was never begun: call reset() before step().")
        decider, space = self._turn(), self.scenario.action_space
        if decider not in actions:
            raise ValueError(f"it is the turn of {decider}, which needs an action.")
        outcome = self.batch.step(checked_action(space, actions[decider], ())[None, None])
        self._record(outcome)
        terminated, truncated = bool(outcome.terminated[0, 0]), bool(outcome.truncated[0])
        agents, over = self.agents, terminated or truncated
        observations, infos = self._everybody_s(outcome, decider, over)
        rewards = {**dict.fromkeys(agents, 0.0), decider: float(outcome.reward[0, 0])}
        self.agents = [] if over else agents
        return observations, rewards, dict.fromkeys(agents, terminated), dict.fromkeys(agents, truncated), infos

    def _everybody_s(
        self, outcome: Outcome | None, decider: str, over: bool = False
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Observations and infos of all agents after a step of the decider, or after a reset."""
        observations = {agent: self._nothing_observed() for agent in self.agents}
        following = "" if over else self._turn()
        infos = {
            a: {**self._told(outcome if a == decider else None, a == following), "turn": float(a == following)}
            for a in self.agents
        }
        if following:
            observations[following] = self._observations({following: 0})[following]
        return observations, infos


def parallel_env(scenario: str, **keywords: Any) -> ScenarioParallelEnv | ScenarioTurnParallelEnv:
    """The environment of the parallel API, whether its agents act at once or in turn."""
    turns = rooms.room(scenario).load("scenario").turn_based
    return (ScenarioTurnParallelEnv if turns else ScenarioParallelEnv)(scenario, **keywords)


def raw_env(scenario: str, **keywords: Any) -> AECEnv[str, Any, Any]:
    """The AEC environment without wrappers."""
    if rooms.room(scenario).load("scenario").turn_based:
        return ScenarioTurnEnv(scenario, **keywords)
    return parallel_to_aec(ScenarioParallelEnv(scenario, **keywords))


def env(scenario: str, **keywords: Any) -> AECEnv[str, Any, Any]:
    """The AEC environment behind PettingZoo's usual guards."""
    guarded: Any = raw_env(scenario, **keywords)
    if isinstance(guarded.action_space(guarded.possible_agents[0]), spaces.Discrete):
        guarded = wrappers.AssertOutOfBoundsWrapper(guarded)
    return wrappers.OrderEnforcingWrapper(guarded)
