"""What learning brings in shared streets, from committed rows: python -m bench.shared_learning

Differences of the score `utility` are paired by episode; +0.01 is about 1 % of the geometric mean rate. 95 % intervals
resample training seeds, then maps (`mmwave_gym.benchmark.statistics`). The share of an agent on a task is

    (U(agent) - U(A3)) / (U(ascent) - U(A3))

with the ascent in hindsight, which is the best that is known and no bound. The gap between seen and unseen maps is the
gain of the network over greedy + CHO on the maps that it was trained on, less that on maps that it never met.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from mmwave_gym.benchmark.committed import committed_runs
from mmwave_gym.benchmark.leaderboard.rows import Run
from mmwave_gym.benchmark.statistics import Groups, Interval, Sample, align, difference_interval, score_interval
from mmwave_gym.benchmark.suite import task as find_task

METRIC = "utility"
MAIN, LOCAL, SEEN = "shared_street/main", "shared_street/local", "shared_street/seen"
AWAY = ("shared_street/dense", "shared_street/transfer")
NETWORK, GREEDY, PLANNER, REWARDS = "regret", "greedy-cho", "map-planner", "ppo-rewards"


class NoRows(ValueError):
    """There are no committed rows of an agent on a task."""


class Rows:
    """Committed rows by task and agent."""

    def __init__(self, runs: Sequence[Run]):
        self._runs: dict[tuple[str, str], list[Run]] = {}
        for run in runs:
            if not run.stale and run.episodes:
                self._runs.setdefault((run.task["name"], run.agent["name"].rpartition("/")[2]), []).append(run)

    def sample(self, task: str, agent: str) -> Sample:
        """Scores (seed, episode). Raises NoRows."""
        runs = self._runs.get((task, agent))
        if not runs:
            raise NoRows(f"no committed rows of {agent} on {task}")
        each = [{int(r["episode"]): float(r[METRIC]) for r in run.episodes} for run in runs]
        return Sample.of(each, find_task(task).groups)

    def seeds(self, task: str, agent: str) -> int:
        """How many training seeds of an agent have rows, 0 for none."""
        return len(self._runs.get((task, agent), []))

    def trained(self, task: str, agent: str) -> str:
        """How many decisions and how much processor time the training of an agent took, a training seed on average."""
        told = [run.agent.get("training") or {} for run in self._runs.get((task, agent), [])]
        decisions, spent = ([t[name] for t in told if t.get(name)] for name in ("decisions", "processor_s"))
        if not (decisions and spent):
            return "not told"
        return f"{np.mean(decisions) / 1e6:.2f} million decisions, {np.mean(spent):.0f} s of processor time"

    def less(self, task: str, agent: str, other: str, other_task: str = "") -> Interval:
        """The mean of an agent's score less that of another, on the same worlds."""
        a, b = self.sample(task, agent), self.sample(other_task or task, other)
        values, others = align(a, b)
        return difference_interval(values, others, shared(a, b))

    def share(self, task: str, agent: str) -> Interval:
        """An agent's share of the distance from A3 to the ascent."""
        samples = [self.sample(task, name) for name in (agent, "a3", "ascent")]
        values, floor, ceiling = align(*samples)
        return score_interval(values, floor, ceiling, shared(*samples))

    def gap(self) -> Interval:
        """The network's gain over greedy + CHO on seen maps less that on unseen maps; the two are independent."""
        seen, unseen = (self.less(task, NETWORK, GREEDY) for task in (SEEN, MAIN))
        widths = [(i.high or np.nan) - (i.low or np.nan) for i in (seen, unseen)]
        half = math.hypot(*widths) / 2.0
        mean = seen.mean - unseen.mean
        return Interval(mean, mean - half, mean + half)


def shared(*samples: Sample) -> Groups:
    """(episode,): groups of the episodes that all samples have."""
    numbers = set.intersection(*(set(s.episodes.tolist()) for s in samples))
    of = samples[0].groups
    return None if of is None else of[np.isin(samples[0].episodes, list(numbers))]


@dataclass(frozen=True)
class Claim:
    """A number that was asked for.

    least: the mean must be at least the goal, else at most. reason: why it is missed, as far as is known.
    """

    what: str
    goal: float
    number: Callable[[Rows], Interval]
    least: bool = True
    reason: str = ""

    def row(self, rows: Rows) -> str:
        """A line of the table."""
        goal = f"{'>=' if self.least else '<='} {self.goal:g}"
        try:
            found = self.number(rows)
        except NoRows as missing:
            return f"| {self.what} | - | {goal} | not measured: {missing} |"
        met = found.mean >= self.goal if self.least else found.mean <= self.goal
        verdict = "met" if met else f"MISSED{': ' if self.reason else ''}{self.reason}"
        return f"| {self.what} | {said(found)} | {goal} | {verdict} |"


def said(found: Interval) -> str:
    """A mean with its interval."""
    ends = "" if found.low is None or found.high is None else f" [{found.low:+.4f}, {found.high:+.4f}]"
    return f"{found.mean:+.4f}{ends}"


CLAIMS = (
    Claim("network with map less greedy + CHO, main", 0.035, lambda rows: rows.less(MAIN, NETWORK, GREEDY)),
    Claim("network with map less map planner + CHO, main", 0.010, lambda rows: rows.less(MAIN, NETWORK, PLANNER)),
    Claim("gain over greedy + CHO, seen maps less unseen maps", 0.01, Rows.gap, least=False),
    Claim(
        "share of A3 to ascent, network with map, main",
        0.75,
        lambda rows: rows.share(MAIN, NETWORK),
        reason="the ascent knows everybody's links to the end; see the share of a clairvoyant of one second",
    ),
    *(
        Claim(f"the same as it is, {task.partition('/')[2]}", 0.60, partial(Rows.share, task=task, agent=NETWORK))
        for task in AWAY
    ),
    Claim("share of A3 to ascent, PPO on rewards, main", 0.60, lambda rows: rows.share(MAIN, REWARDS)),
)


def beside(rows: Rows) -> list[str]:
    """Lines of what belongs to the claims: the network without the map, and everybody's share."""
    found = [
        ("network with map less network without, main and local", lambda: rows.less(MAIN, NETWORK, NETWORK, LOCAL))
    ]
    found.append(("network without map less greedy + CHO, local", lambda: rows.less(LOCAL, NETWORK, GREEDY)))
    for task in (MAIN, LOCAL, *AWAY):
        for agent in ("cho-a3", GREEDY, PLANNER, REWARDS, NETWORK, "clairvoyant"):
            if rows.seeds(task, agent):
                name = f"share of A3 to ascent, {agent}, {task.partition('/')[2]}"
                found.append((name, partial(rows.share, task, agent)))
    lines = []
    for what, number in found:
        try:
            lines.append(f"| {what} | {said(number())} |")
        except NoRows as missing:
            lines.append(f"| {what} | not measured: {missing} |")
    return lines


def report(rows: Rows) -> str:
    """Both tables, as Markdown."""
    measured = [
        f"{task.partition('/')[2]}: {rows.seeds(task, NETWORK)} training seeds, {len(sample.episodes)} episodes on "
        f"{len(np.unique(sample.groups if sample.groups is not None else sample.episodes))} maps"
        for task in (MAIN, LOCAL, SEEN, *AWAY)
        if rows.seeds(task, NETWORK)
        for sample in [rows.sample(task, NETWORK)]
    ]
    claims = ["| what | measured | goal | |", "|---|---|---|---|", *(claim.row(rows) for claim in CLAIMS)]
    trained = [
        f"training of {agent} on {task.partition('/')[2]}, a seed: {rows.trained(task, agent)}"
        for task, agent in ((MAIN, NETWORK), (LOCAL, NETWORK), (MAIN, REWARDS))
        if rows.seeds(task, agent)
    ]
    measured = [*trained, *measured]
    return "\n".join([*claims, "", "| beside it | measured |", "|---|---|", *beside(rows), "", *measured])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=Path, help="a folder of packed rows; default: those of installed packages")
    args = parser.parse_args()
    print(report(Rows(committed_runs([MAIN, LOCAL, SEEN, *AWAY], args.rows))))


if __name__ == "__main__":
    main()
