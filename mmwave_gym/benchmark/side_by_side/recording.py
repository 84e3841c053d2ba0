"""An agent plays one episode of a task, as `evaluate` does, and what its scene tells of every step is kept."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from mmwave_gym.agents.others import batch_of
from mmwave_gym.agents.rollout import Player, Rollout
from mmwave_gym.agents.supervised import USUAL, Limits, playing
from mmwave_gym.benchmark.suite import task as find_task
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core import rooms
from mmwave_gym.core.batch import Batch
from mmwave_gym.core.checks import at_least
from mmwave_gym.core.joint import JointScenario
from mmwave_gym.core.metrics import Condenser
from mmwave_gym.core.scenario import Outcome
from mmwave_gym.core.types import Float64Array
from mmwave_gym.rendering.generic import GenericScene
from mmwave_gym.rendering.stage import Moment, Replayed, Stage

MOST_STEPS = 2000
"""Of a warm-up that is shown with the episode; a longer one is not shown. Ours."""
MOST_LOOKS = 2500
"""So often at most a scene is asked what there is: more frames than a browser shows."""


@dataclass
class Recording:
    """An agent's episode. time_s: (S + 1,), the end of each step, 0 before the first; reward: (S,), of all agents.

    moments are told by a scene with a stage, texts (time, text) by any other. scored_s: when the warm-up ended.
    row: the metrics of the scored steps, as a row of the board has them. hidden_s: seconds of warm-up not shown.
    """

    task: Task
    episode: int
    agent: str
    label: str
    scored_s: float = 0.0
    hidden_s: float = 0.0
    stage: Stage | None = None
    moments: list[Moment] = field(default_factory=list)
    texts: list[tuple[float, str]] = field(default_factory=list)
    time_s: Float64Array = field(default_factory=lambda: np.zeros(1))
    reward: Float64Array = field(default_factory=lambda: np.zeros(0))
    row: dict[str, float] = field(default_factory=dict)


def recorded(
    agent: Any,
    task: str | Task,
    episode: int = 0,
    *,
    agent_seed: int = 0,
    trusted: bool = False,
    limits: Limits = USUAL,
    on_step: Callable[[], None] = lambda: None,
) -> Recording:
    """Play test episode `episode` of a task and return its recording.

    agent: a name, "ppo@3", "package:Class", a file or an object with `predict`. Where episodes share an agent's memory,
    those before it in the chain are played, too. Raises AgentError and ValueError as `evaluate` does.
    """
    found = find_task(task)
    at_least("episode", episode, 0, integer=True)
    if episode >= found.episodes:
        raise ValueError(f"{found.name} has the test episodes 0 to {found.episodes - 1}, got {episode}.")
    with (
        playing(agent, found.scenario_name, found, trusted=trusted, limits=limits) as player,
        threadpool_limits(limits=1),
    ):
        name = str(agent) if isinstance(agent, str | Path) else type(agent).__name__
        label = str(getattr(player, "label", name))
        return _Play(found, episode, player, agent_seed).recording(Recording(found, episode, name, label), on_step)


class _Play:
    """One chain of episodes, alone in its batch."""

    def __init__(self, task: Task, episode: int, player: Any, agent_seed: int):
        self._task, self._last = task, episode % task.carry
        first = episode - self._last
        scenario = task.scenario()
        self._batch: Batch = batch_of(scenario, 1, draws_ahead=False)
        self._batch.reset(task.keys([first]))
        key = (agent_seed, zlib.crc32(task.name.encode()), first)
        chance = ((*key, slot) for slot in range(scenario.num_agents))
        self._rollout = Rollout(self._batch, [Player(player, self._batch, chance)])
        self._limit = task.warmup_steps + (task.scored_steps or scenario.horizon)

    def recording(self, into: Recording, on_step: Callable[[], None]) -> Recording:
        for _ in range(self._last):  # what the agent has learnt by then
            outcome = self._played(on_step)
            self._batch.restart(np.arange(1))
            self._rollout.follow(outcome.terminated | True)
        warmup = self._task.warmup_steps
        told = _Told(into, self._batch, warmup if warmup > MOST_STEPS else 0, self._limit)
        self._played(on_step, told)
        told.finish(warmup)
        return into

    def _played(self, on_step: Callable[[], None], told: _Told | None = None) -> Outcome:
        """Play the running episode to its end; the last outcome."""
        for lived in range(self._limit):
            present = self._batch.agent_ids() >= 0
            outcome = self._rollout.step()
            on_step()
            over = bool(self._rollout.ended(outcome)[0]) or lived + 1 >= self._limit
            if told is not None:
                told.add(outcome, present, over)
            if over:
                break
        return outcome


class _Told:
    """What the scene tells, step by step."""

    def __init__(self, into: Recording, batch: Batch, hidden: int, limit: int):
        self._into, self._batch, self._hidden = into, batch, hidden
        room = rooms.rooms().get(batch.scenario.name)
        scene: Any = (room and room.load("scene")) or GenericScene
        if isinstance(batch.scenario, JointScenario):
            scene = GenericScene
        self._scene = scene(batch)
        self._every = max(1, -(-(min(limit, batch.scenario.horizon) - hidden) // MOST_LOOKS))
        self._scored = Condenser(batch.scenario.metrics, 1)
        self._steps = 0
        self._elapsed: list[float] = []
        self._reward: list[float] = []
        self._scene.record(None)
        if not hidden:
            self._look()

    def add(self, outcome: Outcome, present: Any, over: bool) -> None:
        self._scene.record(outcome)
        self._steps += 1
        self._elapsed.append(float(outcome.elapsed_s[0]))
        self._reward.append(float(outcome.reward[0].sum()))
        if self._steps > self._into.task.warmup_steps:
            self._scored.add(outcome, present, np.ones(1, bool), None)
        if self._steps >= self._hidden and (over or self._steps == self._hidden or self._steps % self._every == 0):
            self._look()

    def _look(self) -> None:
        into, scene = self._into, self._scene
        if isinstance(scene, Replayed):
            if into.stage is None:
                into.stage = scene.stage()
                into.moments = scene.moments()[-1:]
            else:
                into.moments += scene.moments()
        else:
            into.texts.append((sum(self._elapsed), scene.text()))

    def finish(self, warmup: int) -> None:
        """Set what is known at the end."""
        into, hidden = self._into, self._hidden
        time_s = np.concatenate(([0.0], np.cumsum(self._elapsed)))
        into.hidden_s = float(time_s[min(hidden, len(time_s) - 1)])
        into.time_s, into.reward = time_s[hidden:] - into.hidden_s, np.array(self._reward[hidden:])
        into.scored_s = float(time_s[min(warmup, len(time_s) - 1)]) - into.hidden_s
        begin_s = into.moments[0].time_s if into.moments else 0.0  # a scene's clock may start before the first step
        into.moments = [replace(m, time_s=m.time_s - begin_s) for m in into.moments]
        into.texts = [(t - into.hidden_s, text) for t, text in into.texts]
        into.row = {name: float(column[0]) for name, column in self._scored.episodes().items()}
