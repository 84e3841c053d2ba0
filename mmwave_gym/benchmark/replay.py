"""Committed rows played again: do they repeat?

On the kind of processor that made them (`made_on` in the header) every number repeats to the last digit. On another
kind two deviations are allowed, because last bits differ there. Numbers are *close* within 1e-6 of their size. A row is
*drifted* where a decision on the edge fell otherwise: then each number stays within half a standard deviation of the
run's episodes. Whatever is further away *differs*.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmwave_gym.agents.protocol import AgentError
from mmwave_gym.agents.supervised import USUAL, Limits, playing
from mmwave_gym.benchmark import suite
from mmwave_gym.benchmark.evaluation import BLOCK, Layout, Row, play_episodes
from mmwave_gym.benchmark.leaderboard.rows import Run
from mmwave_gym.benchmark.processor import processor
from mmwave_gym.benchmark.statistics import CLOSE
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.errors import error_text

DRIFT = 0.5
"""Of the standard deviation over the run's episodes; ours."""


@dataclass(frozen=True)
class Comparison:
    """What came of playing a run's episodes again."""

    run: Run
    same_processor: bool
    verdicts: dict[int, str]
    """Episode -> "equal", "close", "drifted" or "differs"."""
    details: tuple[str, ...] = ()
    """A sentence for each row that is not equal."""
    failed: str = ""
    """Why it could not be played."""
    rows: tuple[Row, ...] = ()
    """The rows as they were played now."""

    @property
    def passed(self) -> bool:
        """Equal to the last digit, or within the tolerance where another kind of processor made the rows."""
        allowed = {"equal"} if self.same_processor else {"equal", "close", "drifted"}
        return not self.failed and set(self.verdicts.values()) <= allowed

    def sentence(self) -> str:
        """One line for people."""
        task, agent, seed = self.run.identity
        who = f"{task} {agent}{'' if seed is None else f'@{seed}'}"
        if self.failed:
            return f"{who}: cannot be played: {self.failed}"
        shown = ", ".join(f"episode {e} {v}" for e, v in self.verdicts.items())
        where = "the same kind of processor" if self.same_processor else "another kind of processor"
        return " ".join((f"{who}: {shown} ({where}).", *self.details))


def spec_of(run: Run) -> str:
    """A run's agent as the command line names it, "ppo@3"."""
    _, agent, seed = run.identity
    return agent if seed is None else f"{agent}@{seed}"


def replay(run: Run, episodes: Iterable[int], block: int | None = None, limits: Limits = USUAL) -> Comparison:
    """Play episodes of a run again, in this order, and compare the rows.

    The agent is found by the name in the header, the task by its name in the suite. block: so many episodes (chains of
    them where they share a memory) are shown to the agent at once, None: as many as when the rows were made. limits: of
    an agent that is not shipped. Raises ValueError for an episode that the run has no row of.
    """
    wanted = list(dict.fromkeys(episodes))
    before = {row["episode"]: row for row in run.episodes}
    if absent := [e for e in wanted if e not in before]:
        raise ValueError(f"the run has no rows of the episodes {absent}.")
    same = run.header.get("made_on") == processor()  # not so for a run that was extended on another kind
    try:
        task: Task = suite.task(run.task["name"])
        layout = Layout(num_envs=(block or BLOCK) * task.carry, block=block, in_place=block is None)
        with playing(spec_of(run), task.scenario_name, task, limits=limits) as player:
            rows = play_episodes(player, task, wanted, task.keys, layout)
    except (AgentError, ValueError) as error:
        return Comparison(run, same, {}, failed=error_text(error))
    verdicts, details = {}, []
    for row in rows:
        verdict, detail = _compared(before[row["episode"]], row, run)
        verdicts[row["episode"]] = verdict
        details += [f"Episode {row['episode']}: {detail}."] if detail else []
    return Comparison(run, same, verdicts, tuple(details), rows=tuple(rows))


def _compared(before: Any, after: Any, run: Run) -> tuple[str, str]:
    """The verdict of a row, and the column that deviates most."""
    if dict(before) == dict(after):
        return "equal", ""
    worst, verdict, detail = -1.0, "close", ""
    for name in before.keys() | after.keys():
        old, new = before.get(name), after.get(name)
        if old is None or new is None:
            if old is not new:
                return "differs", f"{name} was {old!r}, is {new!r}"
            continue
        if math.isclose(old, new, rel_tol=CLOSE, abs_tol=1e-12):
            continue
        spread = float(np.std([row[name] for row in run.episodes if row.get(name) is not None]))
        far = abs(new - old) / spread if spread else math.inf
        if far > worst:
            worst, detail = far, f"{name} was {old!r}, is {new!r}"
    if worst >= 0.0:
        verdict = "drifted" if worst <= DRIFT else "differs"
    return verdict, detail or "the last bits differ"


def sample(runs: Sequence[Run], rows: int, seed: str, most_s: float = math.inf) -> list[tuple[Run, int]]:
    """Rows drawn at random by a text: (run, episode), each of another run as long as there are enough.

    most_s: processor time in seconds that playing one of them may take, by what was noted when the run was made; runs
    of which nothing was noted count as too long where it is finite.
    """
    fit = [run for run in runs if run.episodes and run.failed is None and _seconds(run) <= most_s]
    fit.sort(key=lambda run: (run.identity[0], run.identity[1], run.identity[2] or 0))
    chance = random.Random(seed)
    chosen = chance.sample(fit, min(rows, len(fit)))
    return [(run, chance.choice(run.episodes)["episode"]) for run in chosen]


def _seconds(run: Run) -> float:
    """About what one row takes: a block of chains is played at once, whatever is wanted of it."""
    if run.processor_s is None:
        return math.inf
    carry = int(run.task.get("carry") or 1)
    return run.processor_s * min(1.0, BLOCK * carry / max(len(run.episodes), 1))
