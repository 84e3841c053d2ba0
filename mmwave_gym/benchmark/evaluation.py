"""Evaluation: an agent plays a task's episodes, and each episode becomes a row.

Every policy meets the same episodes. An agent plays in blocks of a fixed number of rows on one thread, so that a
network's matrix products have one shape and a row does not depend on how many episodes run at once.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from mmwave_gym.agents.loading import load_agent
from mmwave_gym.agents.protocol import AgentError, RowRng, learns, sees
from mmwave_gym.benchmark.suite import task as find_task
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.batch import Batch, View
from mmwave_gym.core.checks import at_least
from mmwave_gym.core.scenario import Metric, Outcome, Scenario

BLOCK = 64
"""Chains of episodes that one call of `predict` sees; a task with fewer has blocks of all."""

Row = dict[str, Any]


def evaluate(
    agent: Any,
    task: str | Task,
    *,
    episodes: int | None = None,
    num_envs: int = 2 * BLOCK,
    agent_seed: int = 0,
    split: str = "test",
    skip: frozenset[int] = frozenset(),
    on_rows: Callable[[list[Row]], None] | None = None,
) -> list[Row]:
    """Play a task and return one row an episode, in order.

    agent: a name, "package:Class", a file, or an object with `predict`. episodes: how many of the task's test
    episodes (default: all it names). num_envs: how many run at once; rows do not depend on it. agent_seed: the
    agent's own chance. split: "test", or "train" for tuning. skip: episodes that are done already. on_rows: called
    with finished rows as they come, so that an interrupted run loses little.

    A row holds `episode`, `interactions` (steps lived, warm-up included), `scored_steps`, `warmup_reward`, and over
    the scored steps `reward` a step and every metric of the scenario; None where no step was scored.
    Raises AgentError for an agent that cannot be used, ValueError for a task that does not fit.
    """
    found = find_task(task)
    at_least("episodes", found.episodes if episodes is None else episodes, 1, integer=True)
    at_least("num_envs", num_envs, 1, integer=True)
    at_least("agent_seed", agent_seed, 0, integer=True)
    player = load_agent(agent, found.scenario_name, found)
    scenario = found.scenario()
    wanted = [e for e in range(found.episodes if episodes is None else episodes) if e not in skip]
    rows: list[Row] = []
    with threadpool_limits(limits=1):
        for group in _groups(wanted, num_envs, found.carry, _block(found)):
            played = _Play(player, found, scenario, group, agent_seed, split).rows()
            new = [row for row in played if row["episode"] in wanted]  # chains are played whole
            rows += new
            if on_rows:
                on_rows(new)
    return sorted(rows, key=lambda row: row["episode"])


def metric_units(scenario: Scenario[Any, Any]) -> dict[str, str]:
    """Units of a row's columns."""
    return {"reward": scenario.reward_unit, **{m.name: m.unit for m in scenario.metrics}}


def _block(task: Task) -> int:
    """Rows of a block. It depends on the task alone, so that a row does not depend on how many are played."""
    return min(BLOCK, -(-task.episodes // task.carry))


def _groups(wanted: list[int], num_envs: int, carry: int, block: int) -> Iterator[list[list[int]]]:
    """Groups of chains; a chain is `carry` consecutive episodes that share a memory, and is played whole."""
    chains = sorted({e // carry for e in wanted})
    size = -(-max(1, num_envs // carry) // block) * block
    for start in range(0, len(chains), size):
        yield [[c * carry + i for i in range(carry)] for c in chains[start : start + size]]


class _Tally:
    """Sums of what a row needs, (episodes,) each."""

    def __init__(self, metrics: tuple[Metric, ...], episodes: int):
        self._metrics = metrics
        self.steps = np.zeros(episodes, np.int64)
        self._agent_steps = np.zeros(episodes)
        self._seconds = np.zeros(episodes)
        self._agent_seconds = np.zeros(episodes)
        self._sums = {name: np.zeros(episodes) for name in ("reward", *(m.name for m in metrics))}
        self._per_agent: dict[str, bool] = {"reward": True}

    def add(
        self, outcome: Outcome, present: NDArray[np.bool_], alive: NDArray[np.bool_], at: NDArray[np.intp] | slice
    ) -> None:
        """Count a step of the copies that are `alive` (N,), in which agents (N, A) were `present`, in entries `at`."""
        counted = present & alive[:, None]
        agents = counted.sum(axis=1)
        self.steps[at] += alive
        self._agent_steps[at] += agents
        self._seconds[at] += outcome.elapsed_s * alive
        self._agent_seconds[at] += outcome.elapsed_s * agents
        for name, value in (("reward", outcome.reward), *outcome.metrics.items()):
            self._per_agent[name] = value.ndim == 2
            self._sums[name][at] += (value * counted).sum(axis=1) if value.ndim == 2 else value * alive

    def means(self) -> dict[str, list[float | None]]:
        """Columns of the rows: the reward a step, and each metric as it says."""
        per = {"reward": "step", **{m.name: m.per for m in self._metrics}}
        columns: dict[str, list[float | None]] = {}
        for name, total in self._sums.items():
            own = self._per_agent.get(name, True)
            weights = {
                "step": self._agent_steps if own else self.steps,
                "second": self._agent_seconds if own else self._seconds,
                "all": np.ones(len(total)),
            }
            weight = weights[per[name]]
            columns[name] = [
                float(t / w) if w > 0 and s > 0 else None for t, w, s in zip(total, weight, self.steps, strict=True)
            ]
        return columns


class _Play:
    """One group of chains, played side by side."""

    def __init__(
        self, agent: Any, task: Task, scenario: Scenario[Any, Any], chains: list[list[int]], agent_seed: int, split: str
    ):
        self._agent, self._task, self._chains, self._split = agent, task, chains, split
        # Blocks are filled up with repetitions of the last chain, whose rows are dropped.
        self._block = block = _block(task)
        self._padded = chains + [chains[-1]] * (-len(chains) % block)
        self._batch = Batch(scenario, len(self._padded), draws_ahead=task.carry > 1)
        self._places = scenario.num_agents
        self._blocks = [slice(i, i + block) for i in range(0, len(self._padded), block)]
        self._agent_key = (agent_seed, zlib.crc32(task.name.encode()))
        self._learns = learns(agent)

    def rows(self) -> list[Row]:
        """Play every chain. A copy goes on to its chain's next episode by itself, so a memory meets nothing else."""
        batch, carry = self._batch, self._task.carry
        n = batch.num_envs
        batch.reset(self._task.keys([chain[0] for chain in self._padded], self._split))
        # One entry an episode: those of position 0 in the chains first.
        warmup, scored = (_Tally(batch.scenario.metrics, n * carry) for _ in range(2))
        limit = self._task.warmup_steps + (self._task.scored_steps or batch.scenario.horizon)
        copy = np.arange(n)
        position = np.zeros(n, np.int64)
        lived = np.zeros(n, np.int64)
        playing = np.ones(n, bool)
        started = np.ones((n, self._places), bool)
        memory = [self._begin(block) if hasattr(self._agent, "begin") else None for block in self._blocks]
        observation = batch.observe()
        while playing.any():
            action = self._actions(observation, started, memory)
            present = batch.agent_ids() >= 0
            outcome = batch.step(action)
            warming = lived < self._task.warmup_steps
            for tally, counts in ((warmup, playing & warming), (scored, playing & ~warming)):
                if counts.any():
                    tally.add(outcome, present, counts, position * n + copy if carry > 1 else slice(None))
            lived += 1
            ended = outcome.truncated | (outcome.terminated[:, 0] if self._places == 1 else False)
            following = batch.observe()
            if self._learns:
                self._learn(memory, observation, action, outcome, following, ended)
            over = ended | (lived >= limit)
            started = outcome.terminated | over[:, None]
            if over.any():
                onwards = over & (position < carry - 1)
                position[onwards] += 1
                lived[over] = 0
                playing &= ~over | onwards
                if onwards.any():
                    batch.restart(np.flatnonzero(onwards))
                # What is over plays on uncounted, from its start, so that it never runs over its end.
                batch.rewind(np.flatnonzero(over & ~onwards))
                following = batch.observe()
            observation = following
        return self._as_rows(warmup, scored)

    def _begin(self, block: slice) -> Any:
        view = View(self._batch, sees(self._agent), block)
        generators = [
            np.random.default_rng([*self._agent_key, chain[0], place])
            for chain in self._padded[block]
            for place in range(self._places)
        ]
        return self._agent.begin(view, RowRng(generators))

    def _actions(self, observation: NDArray[Any], started: NDArray[np.bool_], memory: list[Any]) -> NDArray[Any]:
        joint = []
        for i, block in enumerate(self._blocks):
            rows = observation[block].reshape(self._block * self._places, -1)
            answer = self._agent.predict(
                rows, state=memory[i], episode_start=started[block].ravel(), deterministic=True
            )
            if not isinstance(answer, tuple) or len(answer) != 2:
                raise AgentError(f"predict must return (action, state), got {type(answer).__name__}.")
            action, memory[i] = answer
            joint.append(self._checked(np.asarray(action)))
        return np.concatenate(joint)

    def _checked(self, action: NDArray[Any]) -> NDArray[Any]:
        space = self._batch.scenario.action_space
        shape = (self._block * self._places, *(space.shape or ()))
        if action.shape != shape:
            raise AgentError(f"predict must return actions of shape {shape}, got {action.shape}.")
        discrete = not isinstance(space, spaces.Box)
        if action.dtype.kind not in ("iu" if discrete else "iuf"):
            numbers = "integers" if discrete else "numbers"
            raise AgentError(f"predict must return {numbers}, got dtype {action.dtype}.")
        count = getattr(space, "n", getattr(space, "nvec", None))
        low, high = (0, count - 1) if count is not None else (space.low, space.high)  # type: ignore[attr-defined]
        if not ((action >= low) & (action <= high)).all():
            raise AgentError(f"predict returned actions outside {space}: from {action.min()} to {action.max()}.")
        return action.reshape(self._block, self._places, *(space.shape or ())).astype(
            np.int64 if discrete else np.float64
        )

    def _learn(
        self,
        memory: list[Any],
        observation: NDArray[Any],
        action: NDArray[Any],
        outcome: Outcome,
        following: NDArray[Any],
        ended: NDArray[np.bool_],
    ) -> None:
        rows = self._block * self._places
        done = outcome.terminated | ended[:, None]
        for i, block in enumerate(self._blocks):
            info = {"elapsed_s": np.repeat(outcome.elapsed_s[block], self._places)}
            memory[i] = self._agent.learn(
                memory[i],
                observation[block].reshape(rows, -1),
                action[block].reshape(rows, *action.shape[2:]),
                outcome.reward[block].ravel(),
                following[block].reshape(rows, -1),
                done[block].ravel(),
                info,
            )

    def _as_rows(self, warmup: _Tally, scored: _Tally) -> list[Row]:
        before, columns, n = warmup.means()["reward"], scored.means(), len(self._padded)
        return [
            {
                "episode": episode,
                "interactions": int(warmup.steps[at] + scored.steps[at]),
                "scored_steps": int(scored.steps[at]),
                "warmup_reward": before[at],
                **{name: column[at] for name, column in columns.items()},
            }
            for i, chain in enumerate(self._chains)
            for at, episode in zip(range(i, n * len(chain), n), chain, strict=True)
        ]
