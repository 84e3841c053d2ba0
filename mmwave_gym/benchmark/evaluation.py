"""Evaluation: an agent plays a task's episodes, and each episode becomes a row.

Every policy meets the same episodes. An agent plays in blocks of a fixed number of rows on one thread, so that a
network's matrix products have one shape and a row does not depend on how many episodes run at once.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from mmwave_gym.agents.others import batch_of
from mmwave_gym.agents.rollout import Player, Rollout
from mmwave_gym.agents.supervised import USUAL, Limits, playing
from mmwave_gym.benchmark.jobs import Call, Done, Job, run_all
from mmwave_gym.benchmark.suite import task as find_task
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.checks import at_least
from mmwave_gym.core.metrics import Condenser
from mmwave_gym.core.scenario import EpisodeKey, Scenario

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
    trusted: bool = False,
    limits: Limits = USUAL,
) -> list[Row]:
    """Play a task and return one row an episode, in order.

    agent: a name, "package:Class", a file, or an object with `predict`. episodes: how many of the task's test
    episodes (default: all it names). num_envs: how many run at once; rows do not depend on it. agent_seed: the
    agent's own chance. split: "test", or "train" for tuning. skip: episodes that are done already. on_rows: called
    with finished rows as they come, so that an interrupted run loses little. trusted: an agent that is named and not
    shipped plays in this process too, instead of one of its own with `limits` (docs/foreign_agents.md).

    A row holds `episode`, `interactions` (steps lived, warm-up included), `scored_steps`, `warmup_reward`, and over
    the scored steps `reward` a step and every metric of the scenario; None where no step was scored.
    Raises AgentError for an agent that cannot be used, ValueError for a task that does not fit.
    """
    found = find_task(task)
    at_least("episodes", found.episodes if episodes is None else episodes, 1, integer=True)
    at_least("num_envs", num_envs, 1, integer=True)
    at_least("agent_seed", agent_seed, 0, integer=True)
    wanted = [e for e in range(found.episodes if episodes is None else episodes) if e not in skip]
    with playing(agent, found.scenario_name, found, trusted=trusted, limits=limits) as player:
        layout = Layout(num_envs=num_envs, agent_seed=agent_seed)
        rows = play_episodes(player, found, wanted, lambda e: found.keys(e, split), layout, on_rows)
    return sorted(rows, key=lambda row: row["episode"])


def evaluate_together(agent: str, task: str | Task, jobs: int, **keywords: Any) -> list[Row]:
    """`evaluate` with the episodes divided among `jobs` processes of this machine: the same rows.

    agent: a name, "package:Class" or a file, which every process loads. keywords: those of `evaluate`; `on_rows` is
    called here. Parts are whole blocks of episodes, so an agent's calls see what they see in one process.
    """
    found = find_task(task)
    at_least("jobs", jobs, 1, integer=True)
    on_rows = keywords.pop("on_rows", None) or (lambda rows: None)
    count, block = keywords.get("episodes") or found.episodes, _block(found) * found.carry
    blocks = [range(first, min(first + block, count)) for first in range(0, count, block)]
    shares = [[e for part in blocks[i::jobs] for e in part] for i in range(min(jobs, len(blocks)))]
    calls = [Call(f"{agent}, {len(share)} episodes", _share, (agent, found, share, keywords)) for share in shares]
    rows: list[Row] = []

    def take(_: Job, done: Done) -> None:
        rows.extend(Call.result(done))
        on_rows(Call.result(done))

    run_all(calls, workers=len(calls), on_done=take)
    return sorted(rows, key=lambda row: row["episode"])


def _share(agent: str, task: Task, share: Sequence[int], keywords: dict[str, Any]) -> list[Row]:
    """Rows of some episodes."""
    count = keywords.get("episodes") or task.episodes
    return evaluate(agent, task, skip=frozenset(range(count)) - set(share), **keywords)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """How episodes are laid out for an agent. Rows of an agent whose rows are independent do not depend on it."""

    num_envs: int = 2 * BLOCK
    """Episodes at once."""
    block: int | None = None
    """Chains of episodes that one call of `predict` sees; None: as many as published rows are made with."""
    agent_seed: int = 0
    """Of the agent's own chance. Rows depend on this one."""
    in_place: bool = False
    """Each chain stands in its block where it stands when all episodes are played, and copies fill the gaps: the last
    bits of a matrix product depend on where a row stands."""


def play_episodes(
    player: Any,
    task: Task,
    episodes: Sequence[int],
    keys: Callable[[list[int]], list[EpisodeKey]],
    layout: Layout | None = None,
    on_rows: Callable[[list[Row]], None] | None = None,
) -> list[Row]:
    """Rows of these episodes of a task, in the order in which they were played: that of `episodes`, by chains.

    player: an agent that is loaded, see `playing`. keys: the worlds of episodes, such as `task.keys`. on_rows: as for
    `evaluate`. Raises AgentError for an agent that cannot be used, ValueError for a task that does not fit.
    """
    layout = layout or Layout()
    scenario, block, wanted = task.scenario(), layout.block or _block(task), set(episodes)
    rows: list[Row] = []
    with threadpool_limits(limits=1):
        size = -(-max(1, layout.num_envs // task.carry) // block) * block
        for group in _groups(episodes, size, task.carry, block, layout.in_place):
            played = _Play(player, task, scenario, group, block, keys, layout.agent_seed).rows()
            new = [row for row in played if row["episode"] in wanted]  # chains are played whole
            rows += new
            if on_rows:
                on_rows(new)
    return rows


def metric_units(scenario: Scenario[Any, Any]) -> dict[str, str]:
    """Units of a row's columns."""
    return {"reward": scenario.reward_unit, **{m.name: m.unit for m in scenario.metrics}}


def _block(task: Task) -> int:
    """Rows of a block. It depends on the task alone, so that a row does not depend on how many are played."""
    return min(BLOCK, -(-task.episodes // task.carry))


@dataclass(frozen=True)
class _Group:
    """Chains that are played side by side: whole blocks, filled up with copies whose rows are dropped."""

    chains: list[list[int]]
    """The episodes of each; a chain is `carry` consecutive episodes that share a memory, and is played whole."""
    wanted: list[int]
    """Which of the chains are no copies."""


def _groups(episodes: Sequence[int], size: int, carry: int, block: int, in_place: bool) -> Iterator[_Group]:
    """Groups of at most `size` chains that hold all these episodes."""

    def group(chains: list[int], wanted: list[int]) -> _Group:
        return _Group([[c * carry + i for i in range(carry)] for c in chains], wanted)

    numbers = list(dict.fromkeys(e // carry for e in episodes))
    if in_place:
        for first in dict.fromkeys(c // block * block for c in numbers):
            here = [c for c in numbers if c // block * block == first]
            yield group([c if c in here else here[0] for c in range(first, first + block)], [c - first for c in here])
        return
    for start in range(0, len(numbers), size):
        here = numbers[start : start + size]
        yield group(here + [here[-1]] * (-len(here) % block), list(range(len(here))))


class _Play:
    """One group of chains, played side by side."""

    def __init__(
        self,
        agent: Any,
        task: Task,
        scenario: Scenario[Any, Any],
        group: _Group,
        block: int,
        keys: Callable[[list[int]], list[EpisodeKey]],
        agent_seed: int,
    ):
        self._agent, self._task, self._group, self._keys = agent, task, group, keys
        self._batch = batch_of(scenario, len(group.chains), draws_ahead=task.carry > 1)
        self._slots = scenario.num_agents
        self._blocks = [slice(i, i + block) for i in range(0, len(group.chains), block)]
        self._agent_key = (agent_seed, zlib.crc32(task.name.encode()))

    def rows(self) -> list[Row]:
        """Play every chain. Its environment goes on to its next episode by itself, so a memory meets nothing else."""
        batch, carry = self._batch, self._task.carry
        n = batch.num_envs
        batch.reset(self._keys([chain[0] for chain in self._group.chains]))
        # One entry an episode: those of position 0 in the chains first.
        warmup, scored = (Condenser(batch.scenario.metrics, n * carry) for _ in range(2))
        limit = self._task.warmup_steps + (self._task.scored_steps or batch.scenario.horizon)
        env = np.arange(n)
        position = np.zeros(n, np.int64)
        lived = np.zeros(n, np.int64)
        playing = np.ones(n, bool)
        rollout = Rollout(batch, self._players())
        while playing.any():
            present = batch.agent_ids() >= 0
            outcome = rollout.step()
            warming = lived < self._task.warmup_steps
            for condenser, counts in ((warmup, playing & warming), (scored, playing & ~warming)):
                if counts.any():
                    condenser.add(outcome, present, counts, position * n + env if carry > 1 else None)
            lived += 1
            over = rollout.ended(outcome) | (lived >= limit)
            if over.any():
                onwards = over & (position < carry - 1)
                position[onwards] += 1
                lived[over] = 0
                playing &= ~over | onwards
                if onwards.any():
                    batch.restart(np.flatnonzero(onwards))
                # What is over plays on uncounted, from its start, so that it never runs over its end.
                batch.rewind(np.flatnonzero(over & ~onwards))
                rollout.follow(outcome.terminated | over[:, None])
        return self._as_rows(warmup, scored)

    def _players(self) -> list[Player]:
        """One a block; an agent's chance belongs to the seed, the task, the first episode of the chain and the slot."""
        chains = self._group.chains
        return [
            Player(
                self._agent,
                self._batch,
                ((*self._agent_key, chain[0], slot) for chain in chains[block] for slot in range(self._slots)),
                block,
            )
            for block in self._blocks
        ]

    def _as_rows(self, warmup: Condenser, scored: Condenser) -> list[Row]:
        n, steps, before = len(self._group.chains), scored.steps, _written(warmup)["reward"]
        interactions, columns = warmup.steps + steps, _written(scored)
        return [
            {
                "episode": episode,
                "interactions": int(interactions[at]),
                "scored_steps": int(steps[at]),
                "warmup_reward": before[at],
                **{name: column[at] for name, column in columns.items()},
            }
            for i in self._group.wanted
            for at, episode in zip(range(i, n * self._task.carry, n), self._group.chains[i], strict=True)
        ]


def _written(condenser: Condenser) -> dict[str, list[float | None]]:
    """Columns of the rows. None where nothing was lived; a metric that is not a number stays NaN, and is refused."""
    return {
        name: [
            None if math.isnan(value) and not math.isnan(total) else value
            for value, total in zip(column.tolist(), condenser.sums(name).tolist(), strict=True)
        ]
        for name, column in condenser.episodes().items()
    }
