"""Episodes of an agent as data: every transition of every agent slot, with masks and metrics.

They are the episodes that `evaluate(agent, task, split="train")` plays, step by step: what learns from a data set has
not seen a test episode.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from mmwave_gym.agents.others import batch_of
from mmwave_gym.agents.protocol import AgentError
from mmwave_gym.agents.rollout import Player, Rollout
from mmwave_gym.benchmark.evaluation import BLOCK
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.checks import at_least
from mmwave_gym.core.scenario import Outcome

SPLIT = "train"


@dataclass(frozen=True)
class Life:
    """One agent's time in an episode: T steps, and T + 1 observations and infos.

    observations: (T + 1, F) in the units of the task's fields. actions: (T, …). rewards, terminations, truncations:
    (T,). infos: by name (T + 1, …), those of `gymnasium.make`: metrics, the agent's own numbers, `elapsed_s`, and
    `action_mask` where actions are masked; 0 at the beginning.
    """

    episode: int
    """The task's training episode."""
    slot: int
    """The agent slot; 0 where agents take turns."""
    observations: NDArray[np.float32]
    actions: NDArray[Any]
    rewards: NDArray[np.float64]
    terminations: NDArray[np.bool_]
    truncations: NDArray[np.bool_]
    infos: dict[str, NDArray[Any]]


def lives(
    player: Any, task: Task, episodes: int, on_episodes: Callable[[int], None] = lambda count: None
) -> Iterator[Life]:
    """Play an agent that is loaded on the first `episodes` training episodes of a task, and yield every agent's life.

    on_episodes: called with how many episodes are done. Raises AgentError as `evaluate`, and for tasks whose episodes
    share a memory; ValueError for a number below 1.
    """
    at_least("episodes", episodes, 1, integer=True)
    if task.carry > 1:
        raise AgentError(f"in {task.name} agents keep their memory over {task.carry} episodes: it has no data sets.")
    block = min(BLOCK, task.episodes)  # as evaluation plays it, so that sums have the same last bits
    for first in range(0, episodes, block):
        wanted = list(range(first, min(first + block, episodes)))
        with threadpool_limits(limits=1):
            yield from _Block(player, task, wanted, block).lives()
        on_episodes(len(wanted))


class _Acting(Rollout):
    """Remembers what was done."""

    action: NDArray[Any]

    def act(self) -> NDArray[Any]:
        """As `Rollout.act`: actions (N, A, …) in their own units."""
        self.action = super().act()
        return self.action


class _Block:
    """Some episodes, played side by side, and copies of the last that fill the block."""

    def __init__(self, player: Any, task: Task, wanted: list[int], block: int):
        self._task, self._wanted = task, wanted
        episodes = wanted + [wanted[-1]] * (block - len(wanted))
        scenario = task.scenario()
        self._batch = batch = batch_of(scenario, block, draws_ahead=False)
        batch.reset(task.keys(episodes, SPLIT))
        key = (0, zlib.crc32(task.name.encode()))  # of the agent's own chance, as in an evaluation
        chance = ((*key, e, slot) for e in episodes for slot in range(scenario.num_agents))
        self._rollout = _Acting(batch, [Player(player, batch, chance, slice(0, block))])
        self._steps: list[dict[str, NDArray[Any]]] = []
        self._names = (*(m.name for m in (*scenario.metrics, *scenario.own)), "elapsed_s")

    def lives(self) -> Iterator[Life]:
        """Play to the end of every episode, and tell its lives then."""
        batch, rollout, scenario = self._batch, self._rollout, self._batch.scenario
        limit = self._task.warmup_steps + (self._task.scored_steps or scenario.horizon)
        playing = np.arange(batch.num_envs) < len(self._wanted)
        seen = self._seen()
        while playing.any():
            outcome = rollout.step()
            after = self._seen()
            self._steps.append({**seen, **self._told_by(outcome), "action": rollout.action})
            over = rollout.ended(outcome) | (len(self._steps) >= limit)
            for env in np.flatnonzero(over & playing).tolist():
                yield from self._lives_of(env, after)
            playing = playing & ~over
            if over.any():
                batch.rewind(np.flatnonzero(over))  # what is over plays on uncounted
                rollout.follow(outcome.terminated | over[:, None])
                after = self._seen()
            seen = after

    def _seen(self) -> dict[str, NDArray[Any]]:
        """What is seen before a step: observations (N, A, F), who is there (N, A), and masks (N, A, actions)."""
        mask = self._batch.action_mask()
        masks = {} if mask is None else {"action_mask": mask.astype(np.int8)}
        return {"observation": self._rollout.observation.copy(), "who": self._batch.agent_ids().copy(), **masks}

    def _told_by(self, outcome: Outcome) -> dict[str, NDArray[Any]]:
        """An outcome's numbers for every agent slot, (N, A)."""
        shape = outcome.reward.shape
        told = {**outcome.metrics, **outcome.own, "elapsed_s": outcome.elapsed_s}
        numbers = {n: np.broadcast_to(v if v.ndim == 2 else v[:, None], shape).copy() for n, v in told.items()}
        return {"reward": outcome.reward.copy(), "terminated": outcome.terminated.copy(), **numbers}

    def _lives_of(self, env: int, after: dict[str, NDArray[Any]]) -> Iterator[Life]:
        """The lives of an environment's agents. after: what is seen after the last step, as of `_seen`."""
        steps = self._steps
        turns = self._batch.scenario.turn_based
        for slot in range(self._batch.scenario.num_agents):
            who = [0 if turns else int(step["who"][env, slot]) for step in steps]
            start = 0
            for t in range(1, len(steps) + 1):
                if t < len(steps) and who[t] == who[start]:
                    continue
                if who[start] >= 0:
                    last = {name: a[env, slot] for name, a in (steps[t] if t < len(steps) else after).items()
                            if name in ("observation", "action_mask")}  # fmt: skip
                    yield self._life(env, slot, slice(start, t), last)
                start = t

    def _life(self, env: int, slot: int, span: slice, last: dict[str, NDArray[Any]]) -> Life:
        """last: what is seen after the last step, (F,) and a mask (actions,)."""
        steps = self._steps[span]

        def column(name: str) -> NDArray[Any]:
            return np.stack([step[name][env, slot] for step in steps])

        terminations = column("terminated").astype(bool)
        truncations = np.zeros(len(steps), bool)
        truncations[-1] = not terminations[-1]
        infos = {name: np.concatenate(([0.0], column(name))) for name in self._names}
        if "action_mask" in last:
            infos["action_mask"] = np.concatenate((column("action_mask"), last["action_mask"][None]))
        observations = np.concatenate((column("observation"), last["observation"][None]))
        actions = _in_space(column("action"), self._batch.scenario.action_space)
        rewards = column("reward").astype(np.float64)
        return Life(self._wanted[env], slot, observations, actions, rewards, terminations, truncations, infos)


def _in_space(actions: NDArray[Any], space: spaces.Space[Any]) -> NDArray[Any]:
    """Actions (T, …) as the environment of `gymnasium.make` takes them: a single continuous number has shape (1,)."""
    if isinstance(space, spaces.Box):
        actions = actions.reshape(len(actions), *(space.shape or (1,)))
        return actions.astype(space.dtype)
    return actions.astype(np.int64)


__all__ = ["SPLIT", "Life", "lives"]
