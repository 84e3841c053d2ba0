"""What the contract is checked on, and how its checks play: scripted actions and transcripts."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.vector import AutoresetMode
from scipy import sparse

from mmwave_gym.api import pettingzoo as multiagent
from mmwave_gym.core import registration
from mmwave_gym.core.batch import Batch
from mmwave_gym.core.scenario import EpisodeKey, Outcome, Scenario

NEXT_STEP, SAME_STEP = AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP
OTHERS = f"{__name__}:Stirring"


@dataclass(frozen=True, eq=False)
class Case:
    """An environment with keywords."""

    name: str
    env_id: str
    scenario: str
    keywords: dict[str, Any] = field(default_factory=dict)

    def make_scenario(self) -> Scenario[Any, Any]:
        return registration.make_scenario(self.scenario, **self.keywords)

    @property
    def env_keywords(self) -> dict[str, Any]:
        """Those of the one-agent view, which needs to know who plays the other agents."""
        return {**self.keywords, **({"others": OTHERS} if self.make_scenario().num_agents > 1 else {})}

    def make(self, **more: Any) -> Any:
        return gymnasium.make(self.env_id, **self.env_keywords, **more)

    def make_vec(self, num_envs: int, **more: Any) -> Any:
        return gymnasium.make_vec(self.env_id, num_envs=num_envs, **self.env_keywords, **more)

    def batch(self, num_envs: int, seed: int = 0) -> Batch:
        """A batch whose environment i plays the episodes of seed + i, as `make_vec` has it."""
        batch = Batch(self.make_scenario(), num_envs)
        batch.reset([EpisodeKey(seed + i) for i in range(num_envs)])
        return batch

    def parallel_env(self, **more: Any) -> multiagent.ScenarioParallelEnv:
        return multiagent.parallel_env(self.scenario, **self.keywords, **more)

    def aec_env(self, **more: Any) -> Any:
        return multiagent.env(self.scenario, **self.keywords, **more)

    def __str__(self) -> str:
        return self.name


class Stirring:
    """A policy with chance, memory and masks: code that mixes up environments or episodes changes its actions."""

    def begin(self, view: Any, rng: Any) -> dict[str, Any]:
        return {"view": view, "rng": rng, "lived": np.zeros(view.num_rows, np.int64)}

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = True
    ) -> tuple[Any, Any]:
        """Actions (rows, …) for observations (rows, features) and episode starts (rows,), and the next state."""
        space, lived = state["view"].action_space, np.where(episode_start, 0, state["lived"])
        u = (state["rng"].random() + 0.1 * lived + observation.astype(np.float64).sum(axis=1)) % 1.0
        mask = state["view"].action_mask()
        return scripted(space, u, mask), {**state, "lived": lived + 1}


def scripted(space: Any, u: Any, mask: Any = None) -> Any:
    """Actions for numbers `u` in [0, 1), shape (rows,), among those that a mask (rows, n) allows."""
    if isinstance(space, spaces.Discrete):
        allowed = np.ones((len(u), int(space.n)), bool) if mask is None else np.asarray(mask, bool)
        rank = (u * allowed.sum(axis=1)).astype(np.int64)
        return (allowed.cumsum(axis=1) > rank[:, None]).argmax(axis=1)
    parts = (u[:, None] * 7.0 ** np.arange(1, 1 + np.prod(space.shape))) % 1.0
    if isinstance(space, spaces.MultiDiscrete):
        return (parts.reshape(len(u), *space.shape) * space.nvec).astype(np.int64)
    return space.low + parts.reshape(len(u), *space.shape) * (space.high.astype(np.float64) - space.low)


class Script:
    """The actions of one environment, by seed and by how many steps it made; every third ignores the mask."""

    def __init__(self, space: Any, seed: int, steps: int):
        self._space = space
        self._u = np.random.default_rng(seed).random((steps + 1, 1))

    def u(self, step: int) -> Any:
        return self._u[step % len(self._u)]

    def __call__(self, step: int, mask: Any = None) -> Any:
        u = self.u(step)
        return scripted(self._space, u, None if mask is None or step % 3 == 2 else np.asarray(mask)[None])[0]


Transcript = list[tuple[Any, ...]]
"""("reset", observation, info) and ("step", observation, reward, terminated, truncated, info), in order."""


def play(env: Any, seed: int, steps: int) -> Transcript:
    """So many steps of a single environment through as many episodes as they take."""
    script = Script(env.action_space, seed, steps)
    observation, info = env.reset(seed=seed)
    transcript: Transcript = [("reset", observation, info)]
    for t in range(steps):
        observation, reward, terminated, truncated, info = env.step(script(t, info.get("action_mask")))
        transcript.append(("step", observation, reward, terminated, truncated, info))
        if (terminated or truncated) and t + 1 < steps:
            observation, info = env.reset()
            transcript.append(("reset", observation, info))
    return transcript


def play_vector(env: Any, seed: int, steps: int) -> list[Transcript]:
    """The same of every environment, each at least `steps` steps."""
    n = env.num_envs
    scripts = [Script(env.single_action_space, seed + i, 4 * steps) for i in range(n)]
    same_step = env.metadata["autoreset_mode"] is SAME_STEP
    observation, info = env.reset(seed=seed)
    transcripts: list[Transcript] = [[("reset", observation[i], row_of(info, i))] for i in range(n)]
    made, waiting = np.zeros(n, int), np.zeros(n, bool)
    while made.min() < steps:
        mask = info.get("action_mask")
        chosen = [scripts[i](made[i], None if mask is None else mask[i]) for i in range(n)]
        observation, reward, terminated, truncated, info = env.step(np.array(chosen))
        for i in range(n):
            now, about = observation[i], row_of(info, i)
            if waiting[i]:
                assert (reward[i], terminated[i], truncated[i]) == (0.0, False, False)
                transcripts[i].append(("reset", now, about))
                waiting[i] = False
                continue
            made[i] += 1
            over = bool(terminated[i] or truncated[i])
            ended = same_step and over
            last = (info["final_obs"][i], row_of(info["final_info"], i)) if ended else (now, about)
            transcripts[i].append(("step", last[0], reward[i], terminated[i], truncated[i], last[1]))
            if ended:
                assert info["_final_obs"][i]
                assert info["_final_info"][i]
                transcripts[i].append(("reset", now, about))
            waiting[i] = over and not same_step
        if same_step and not (terminated | truncated).any():
            assert "final_obs" not in info
    return transcripts


def row_of(info: dict[str, Any], i: int) -> dict[str, Any]:
    """What a vector info says of environment i."""
    names = [n for n in info if not n.startswith(("_", "final_"))]
    return {n: info[n][i] for n in names if info[f"_{n}"][i]}


def ends(transcript: Transcript) -> int:
    return sum(entry[0] == "reset" for entry in transcript) - 1


def same(one: Any, other: Any) -> bool:
    """Equal to the last bit, whatever holds them."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, str):
        return one == other
    if sparse.issparse(one):
        return same([one.data, one.indices, one.indptr], [other.data, other.indices, other.indptr])
    a, b = np.asarray(one), np.asarray(other)
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def joint_action(batch: Batch, scripts: list[Script], made: Any) -> Any:
    """Actions of all agents, (N, A, …): the environment's script, other for each agent slot."""
    space, a = batch.scenario.action_space, batch.scenario.num_agents
    mask = batch.action_mask()
    return np.stack(
        [
            scripted(space, (script.u(made[i]) + 0.37 * np.arange(a)) % 1.0, None if mask is None else mask[i])
            for i, script in enumerate(scripts)
        ]
    )


def over(batch: Batch, outcome: Outcome) -> Any:
    """(num_envs,): True for each environment that has ended for all agents."""
    gone = (batch.agent_ids() < 0).all(axis=1)
    return outcome.truncated | gone | (outcome.terminated.all(axis=1) & batch.scenario.turn_based)


def play_batch(batch: Batch, seed: int, steps: int) -> list[list[dict[str, Any]]]:
    """Everything that `steps` joint steps bring, for each environment, restarting whoever ends."""
    n = batch.num_envs
    scripts = [Script(batch.scenario.action_space, seed + i, steps) for i in range(n)]
    log: list[list[dict[str, Any]]] = [[] for _ in range(n)]
    for t in range(steps):
        action = joint_action(batch, scripts, np.full(n, t))
        outcome = batch.step(action)
        seen, ids, mask = batch.observe(), np.array(batch.agent_ids()), batch.action_mask()
        ended = over(batch, outcome)
        for i in range(n):
            entry = {f.name: getattr(outcome, f.name) for f in dataclasses.fields(outcome)}
            entry = {k: v[i] for k, v in entry.items() if k not in ("metrics", "own")} | {
                k: v[i] for k, v in outcome.metrics.items()
            }
            entry["own"] = {k: v[i] for k, v in outcome.own.items()}
            entry |= {"action": action[i], "observation": seen[i], "ids": ids[i], "ended": ended[i]}
            log[i].append(entry if mask is None else {**entry, "mask": mask[i]})
        if ended.any():
            batch.restart(np.flatnonzero(ended))
    return log


@lru_cache
def several_episodes(case: Case) -> int:
    """Steps that hold two ends at least."""
    log = play_batch(case.batch(3), 0, case.make_scenario().horizon)
    longest = max(next(t for t, entry in enumerate(copy_log) if entry["ended"]) for copy_log in log)
    return int(2.5 * (longest + 1)) + 3


def spoil(*arrays: Any) -> None:
    """Overwrite arrays, as a careless caller may do with what was returned."""
    for array in arrays:
        array[...] = 77 if array.dtype != bool else ~array


@contextlib.contextmanager
def raises(kind: type[Exception], match: str = "") -> Iterator[None]:
    """AssertionError unless the block raises an error of this kind whose text has the pattern."""
    raised: Exception | None = None
    try:
        yield
    except kind as error:
        raised = error
    assert raised is not None, f"no {kind.__name__} was raised"
    assert re.search(match, str(raised)), f"{raised!r} does not say {match!r}"
