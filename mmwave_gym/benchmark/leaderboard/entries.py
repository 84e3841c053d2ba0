"""What a leaderboard holds: tasks, entries, and the overall table of a scenario."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mmwave_gym.benchmark.leaderboard.ceilings import Ceiling, ceiling_of
from mmwave_gym.benchmark.leaderboard.rows import Run
from mmwave_gym.benchmark.leaderboard.verified import mark
from mmwave_gym.benchmark.statistics import Interval
from mmwave_gym.core.suites import OWN


def sign_of(task: Mapping[str, Any]) -> float:
    """1 where more of the task's primary metric is better, else -1."""
    return 1.0 if task["higher_is_better"] else -1.0


@dataclass(frozen=True)
class Entry:
    """One agent on one task.

    ``status`` is "scored", "failed", "skipped" or "empty"; only a scored entry has numbers. ``group`` is the
    level it is ranked in, or "bound" for the floor and hindsight agents, which have no rank. ``tied`` says
    that the difference to the agent ranked just above is not distinguishable from 0. ``mean`` and
    ``difference`` are in the primary metric's unit, ``score`` and ``iqm`` have none (0 is the floor, 1 the
    ceiling of the agent's access level), ``metrics`` holds the secondary metrics' means. ``left_out`` counts the
    episodes that have no scored step, or that not all training seeds have; ``seeds`` the training seeds, 0 for an
    agent that is not trained. ``notes`` are sentences to be shown.

    ``best_rule`` is the best agent of kind "rule" that knows no more than this one, perhaps itself. ``gain`` is the
    paired difference to it, None for the rule itself, and ``headroom`` the ceiling less that rule. ``left`` is the
    ceiling less the agent itself.
    """

    agent: str
    label: str
    kind: str
    access: str
    group: str
    status: str
    runs: tuple[Run, ...]
    notes: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    episodes: int = 0
    planned: int = 0
    left_out: int = 0
    seeds: int = 0
    mean: Interval | None = None
    difference: Interval | None = None
    verdict: str = ""
    score: Interval | None = None
    iqm: float | None = None
    metrics: Mapping[str, Interval] = field(default_factory=dict)
    rank: int | None = None
    tied: bool = False
    best_rule: str = ""
    gain: Interval | None = None
    gain_verdict: str = ""
    headroom: Interval | None = None
    left: Interval | None = None

    @property
    def leads(self) -> bool:
        """Whether it is better than the best rule, by a difference that is told apart from 0 and that matters."""
        return self.gain_verdict == "better"

    @property
    def share(self) -> float | None:
        """The share of the headroom that it takes; None where either is unknown or the rule is no worse."""
        if self.gain is None or self.headroom is None or self.headroom.mean == 0.0:
            return None
        return self.gain.mean / self.headroom.mean

    @property
    def share_of_reference(self) -> float | None:
        """The share of what the reference leaves to the ceiling that it takes; None where either is unknown."""
        if self.difference is None or self.left is None or self.difference.mean + self.left.mean == 0.0:
            return None
        return self.difference.mean / (self.difference.mean + self.left.mean)

    @property
    def committed(self) -> bool:
        """Whether the rows are the committed ones and not from this evaluation."""
        return any(run.committed for run in self.runs)

    @property
    def verified(self) -> str:
        """What `mmwave-gym verify` found of all of its rows: "verified", "repeats" without hidden episodes, or ""."""
        return mark(run.verified for run in self.runs if run.episodes)

    @property
    def created(self) -> str:
        """Date of the oldest run (ISO 8601)."""
        return min((run.created for run in self.runs), default="")

    @property
    def training(self) -> Mapping[str, Any] | None:
        """What the rows say of the training, numbers as means over the seeds; None for what was not trained."""
        trainings = [run.agent["training"] for run in self.runs if run.agent.get("training")]
        if not trainings:
            return None
        means = {}
        for name in ("decisions", "processor_s"):
            values = [one.get(name) for one in trainings]
            known = all(isinstance(value, int | float) for value in values)
            means[name] = sum(values) / len(values) if known else None
        return {**trainings[0], **means}

    @property
    def commands(self) -> tuple[str, ...]:
        """The commands that make the rows again, one per training seed."""
        return tuple(str(run.header["command"]) for run in self.runs if run.header.get("command"))


@dataclass(frozen=True)
class TaskBoard:
    """One task with its entries, best first within each group.

    ``units`` maps each metric to its unit, the primary one first. ``no_score`` says why there are no scores,
    or is None. ``warnings`` are sentences about the task as a whole. ``ceilings`` are those that hold, ``outdated``
    agents whose rows hold no longer.
    """

    task: Mapping[str, Any]
    entries: tuple[Entry, ...]
    units: Mapping[str, str]
    no_score: str | None = None
    warnings: tuple[str, ...] = ()
    ceilings: tuple[Ceiling, ...] = ()
    outdated: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The task's name, such as ``relay/four``."""
        return str(self.task["name"])

    @property
    def suite(self) -> str:
        """The suite that the task is in."""
        return str(self.task.get("suite") or OWN)

    @property
    def scenario(self) -> str:
        """The part of the name before the first slash."""
        return self.name.split("/")[0]

    @property
    def rules(self) -> Mapping[str, tuple[str, Interval | None]]:
        """The best rule and its headroom by access level, of the levels that agents are ranked in."""
        return {e.group: (e.best_rule, e.headroom) for e in self.entries if e.rank and e.best_rule}

    def ceiling(self, access: str) -> Ceiling | None:
        """What agents of an access level are scored against, None where there is nothing."""
        return ceiling_of(self.ceilings, access, sign_of(self.task))

    @property
    def levels(self) -> tuple[str, ...]:
        """The access levels that agents are ranked in, in the order of the entries."""
        return tuple(dict.fromkeys(e.group for e in self.entries if e.rank))

    def entry(self, agent: str | None) -> Entry | None:
        """Return the scored entry of that agent, or None."""
        return next((e for e in self.entries if e.agent == agent and e.status == "scored"), None)


@dataclass(frozen=True)
class OverallRow:
    """One agent over the tasks of a scenario in one suite: its scores in the tasks' order, their mean and IQM.

    A score is None on a task that gives none, and `empty` says why, in the tasks' order; mean and IQM are then None.
    """

    entry: Entry
    label: str
    scores: tuple[float | None, ...]
    empty: tuple[str, ...]
    mean: float | None
    iqm: float | None

    @property
    def whole(self) -> bool:
        """Whether it has a score on every task."""
        return self.mean is not None


@dataclass(frozen=True)
class Overall:
    """One scenario's agents over its tasks in one suite, those with a score on every task first."""

    suite: str
    scenario: str
    tasks: tuple[str, ...]
    rows: tuple[OverallRow, ...]


@dataclass(frozen=True)
class Leaderboard:
    """All tasks by suite, and one overall table per suite and scenario that has scores on several tasks."""

    tasks: tuple[TaskBoard, ...]
    overall: tuple[Overall, ...]

    @property
    def suites(self) -> tuple[str, ...]:
        """Names of the suites, in the order of the tasks."""
        return tuple(dict.fromkeys(board.suite for board in self.tasks))
