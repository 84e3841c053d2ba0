"""A few steps of an agent, recorded, and the same shown to it again: in another order, in other batches, once more.

All that an agent is shown at a step is data: observations, masks, what its access level grants. So a second play
needs no environment, and what it is shown does not depend on what it answers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmwave_gym.agents.protocol import RowRng, learns, sees
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.types import Int64Array

_CHANCE = 41  # of the agents that are recorded; any number


@dataclass
class Frame:
    """One step of all environments; arrays are (num_envs, num_agents, …), `elapsed_s` is (num_envs,)."""

    observation: NDArray[np.float32]
    started: NDArray[np.bool_]
    present: NDArray[np.bool_]
    mask: NDArray[np.bool_] | None
    known: dict[str, NDArray[Any]]  # what the access level grants, (num_envs, …) each
    known_after: dict[str, NDArray[Any]] = field(default_factory=dict)  # the same after the step, for `learn`
    mask_after: NDArray[np.bool_] | None = None
    action: NDArray[Any] = field(default_factory=lambda: np.empty(0))
    reward: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    done: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, bool))
    following: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    elapsed_s: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))

    def experience(self) -> dict[str, NDArray[Any]]:
        """The arguments of `learn`: observations, actions, rewards (num_envs, num_agents, …).

        With them stands `elapsed_s` (num_envs,).
        """
        names = {"observation": self.observation, "action": self.action, "reward": self.reward}
        return {**names, "next_observation": self.following, "done": self.done, "elapsed_s": self.elapsed_s}


class RecordedView(View):
    """A view of some environments of a recording. `behind` is another world, for an agent that reads the batch.

    sources: (n, A), indices of the recorded environments, one for each agent slot that is shown. What belongs to the
    whole environment is that of the first slot's.
    """

    def __init__(self, frames: list[Frame], sources: Int64Array, access: str, behind: Batch):
        super().__init__(behind, access, slice(0, len(sources)))
        self.frames, self.envs = frames, sources[:, 0]
        self._sources = sources
        self._mixed = bool((sources != sources[:, :1]).any())
        self.at = np.zeros(len(sources), np.int64)
        """(n,): the step at which each environment is shown."""
        self.after = False
        """Are environments shown as they are after that step?"""

    def shown(self, what: str) -> NDArray[Any]:
        """The array `what` of the frames that are shown now, (n, …), in its unit."""
        steps = zip(self.at.tolist(), self.envs.tolist(), strict=True)
        seen = np.stack([getattr(self.frames[t], what)[c] for t, c in steps])
        if self._mixed and seen.ndim > 1:
            for i, t in enumerate(self.at.tolist()):
                seen[i] = [getattr(self.frames[t], what)[c][slot] for slot, c in enumerate(self._sources[i].tolist())]
        return seen

    def look(self, *names: str) -> dict[str, NDArray[Any]]:
        seen, which = {}, "known_after" if self.after else "known"
        for name in names or self.frames[0].known:
            steps = zip(self.at.tolist(), self.envs.tolist(), strict=True)
            seen[name] = _stacked([getattr(self.frames[t], which)[name][c] for t, c in steps])
            seen[name].flags.writeable = False
        return seen

    def action_mask(self) -> NDArray[np.bool_] | None:
        if self.frames[0].mask is None:
            return None
        return self.shown("mask_after" if self.after else "mask").reshape(self.num_rows, -1)


def _stacked(parts: list[Any]) -> NDArray[Any]:
    if isinstance(parts[0], np.ndarray | np.generic):
        return np.stack(parts)
    stacked = np.empty(len(parts), object)  # such as sparse matrices
    stacked[:] = parts
    return stacked


@dataclass
class Call:
    """The arguments of `predict` or `learn`, rows first, to see afterwards whether somebody has written to them."""

    method: str
    arguments: dict[str, NDArray[Any]]


class Play:
    """An agent with a state of its own in some environments; sources: (n, A), see `RecordedView`."""

    def __init__(self, agent: Any, view: View, sources: Int64Array):
        self.agent, self.view = agent, view
        self.rng = RowRng([self.chance(c, slot) for envs in sources.tolist() for slot, c in enumerate(envs)])
        self.begins = hasattr(agent, "begin")
        self.state = agent.begin(view, self.rng) if self.begins else None
        self.calls: list[Call] = []

    @staticmethod
    def chance(copy: int, slot: int) -> np.random.Generator:
        return np.random.default_rng([_CHANCE, copy, slot])

    def predict(self, observation: NDArray[Any], started: NDArray[np.bool_]) -> Any:
        """The agent's unchecked answer to observations (n, num_agents, features) and those started (n, num_agents)."""
        rows = self.view.num_rows
        given = {"observation": observation.reshape(rows, -1).copy(), "episode_start": started.ravel().copy()}
        self.calls = [Call("predict", {name: a.copy() for name, a in given.items()}), Call("predict", given)]
        answer = self.agent.predict(
            given["observation"], state=self.state, episode_start=given["episode_start"], deterministic=True
        )
        if isinstance(answer, tuple) and len(answer) == 2:
            self.state = answer[1]
        return answer

    def learn(self, experience: dict[str, NDArray[Any]]) -> None:
        """Let an agent that learns learn from an experience: observations, actions, rewards (n, num_agents, …).

        With them stands `elapsed_s` (n,).
        """
        rows = self.view.num_rows
        elapsed_s = np.repeat(experience["elapsed_s"], self.view.num_agents)
        given = {name: a.reshape(rows, *a.shape[2:]).copy() for name, a in experience.items() if name != "elapsed_s"}
        self.calls = [Call("learn", {name: a.copy() for name, a in given.items()}), Call("learn", given)]
        self.state = self.agent.learn(self.state, **given, info={"elapsed_s": elapsed_s})


class Recording:
    """Steps of an agent in a batch that has been reset.

    carries: do environments go on to new episodes, or play their first one again?
    """

    def __init__(self, agent: Any, batch: Batch, behind: Batch, carries: bool):
        self.agent, self.batch, self.behind, self._carries = agent, batch, behind, carries
        self.envs = np.arange(batch.num_envs)
        self.frames: list[Frame] = []
        self._view = View(batch, sees(agent))  # the agent has another one, so that it cannot change this one
        self.play = Play(agent, View(batch, sees(agent)), self._sources(self.envs))
        self._started = np.ones((batch.num_envs, batch.scenario.num_agents), bool)

    def show(self) -> Frame:
        """The next frame, without what the agent does."""
        known = self._look(self.frames[-1].known if self.frames else {})
        present = self.batch.agent_ids() >= 0
        frame = Frame(self.batch.observe(), self._started, present, self._mask(), known)
        self.frames.append(frame)
        return frame

    def step(self, action: NDArray[Any]) -> None:
        """Do `action` (num_envs, num_agents, …) and complete the last frame."""
        frame, batch = self.frames[-1], self.batch
        outcome = batch.step(action)
        ended = outcome.truncated | (outcome.terminated[:, 0] if batch.scenario.num_agents == 1 else False)
        frame.action, frame.reward, frame.elapsed_s = action, outcome.reward, outcome.elapsed_s
        frame.done, frame.following = outcome.terminated | ended[:, None], batch.observe()
        if learns(self.agent):
            frame.known_after, frame.mask_after = self._look(frame.known), self._mask()
            self.play.learn(frame.experience())
        if ended.any():
            (batch.restart if self._carries else batch.rewind)(np.flatnonzero(ended))
        self._started = frame.done

    def _look(self, before: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """What is granted now; what has not changed since `before` is kept once."""
        return {n: before[n] if n in before and _same(before[n], a) else a for n, a in self._view.look().items()}

    def _mask(self) -> NDArray[np.bool_] | None:
        mask = self.batch.action_mask()
        return None if mask is None else mask.copy()

    def again(self, envs: Any = None) -> Replay:
        """A second play of the same frames: all environments, or `envs` (n,) in their order."""
        return Replay(self, self._sources(self.envs if envs is None else envs))

    def mixed(self) -> Replay:
        """A second play in which the agent slots of an environment are shown as they were in different ones."""
        return Replay(self, (self.envs[:, None] + np.arange(self._view.num_agents)) % len(self.envs))

    def _sources(self, envs: Any) -> Int64Array:
        return np.repeat(np.asarray(envs)[:, None], self._view.num_agents, axis=1)


class Replay:
    """A second play of a recording."""

    def __init__(self, recording: Recording, sources: Int64Array):
        agent = recording.agent
        self.view = RecordedView(recording.frames, sources, sees(agent), recording.behind)
        self.play = Play(agent, self.view, sources)
        self._learns = learns(agent)

    def step(self, at: int | Int64Array, starts: NDArray[np.bool_] | bool = False, ends: Any = False) -> NDArray[Any]:
        """The agent's actions (n, num_agents, …) at the step `at` of the recording.

        at: one number, or (n,). starts, ends: (n,), environments whose episode begins, or ends, here though it did not
        in the recording.
        """
        view = self.view
        view.at = np.broadcast_to(at, view.at.shape).copy()
        shape = (view.num_envs, view.num_agents)
        started = view.shown("started") | np.broadcast_to(starts, view.at.shape)[:, None]
        observation = view.shown("observation")
        action = np.asarray(self.play.predict(observation, started)[0])
        if self._learns:
            done = view.shown("done") | np.broadcast_to(ends, view.at.shape)[:, None]
            given = {n: view.shown(n) for n in ("action", "reward", "elapsed_s")}
            experience = {"observation": observation, **given, "next_observation": view.shown("following")}
            view.after = True
            self.play.learn({**experience, "done": done})
            view.after = False
        return action.reshape(*shape, *action.shape[1:])

    def recorded(self) -> NDArray[Any]:
        """(n, num_agents, …): the agent's actions at this step when it was recorded."""
        return self.view.shown("action")

    def restart_chance(self, envs: Int64Array) -> None:
        """Start the agent's chance again from its first draw, in the environments `envs`, (k,) indices below n."""
        slots = self.view.num_agents
        rows = [(c, slot) for c in np.asarray(envs).tolist() for slot in range(slots)]
        generators = [self.play.chance(int(self.view.envs[c]), slot) for c, slot in rows]
        self.play.rng.restart(np.array([c * slots + slot for c, slot in rows]), generators)


def _same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    return one.dtype != object and one.shape == other.shape and np.array_equal(one, other)
