"""What an agent is measured by: the best rule that knows no more than it does. Who leads and what is left to win.

The one definition of both: sentences, tables, the CSV file and the docs pages read what `against_rules` gives.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mmwave_gym.benchmark import statistics
from mmwave_gym.benchmark.leaderboard.ceilings import Ceiling, ceiling_of
from mmwave_gym.benchmark.leaderboard.entries import Entry, sign_of
from mmwave_gym.benchmark.statistics import Interval, Sample
from mmwave_gym.core.access import ACCESS_LEVELS

Samples = Mapping[str, Sample]


def against_rules(
    task: Mapping[str, Any], entries: Sequence[Entry], samples: Samples, ceilings: Sequence[Ceiling]
) -> list[Entry]:
    """The entries, each ranked one with its best rule, its difference to that rule, the rule's headroom, and its own.

    samples: values of the primary metric by agent. The floor and agents of hindsight are left as they are.
    """
    return [
        e if e.agent not in samples or e.group == "bound" else _measured(e, task, entries, samples, ceilings)
        for e in entries
    ]


def _measured(
    entry: Entry, task: Mapping[str, Any], entries: Sequence[Entry], samples: Samples, ceilings: Sequence[Ceiling]
) -> Entry:
    ceiling, headroom = ceiling_of(ceilings, entry.access, sign_of(task)), None
    if ceiling is not None:
        entry = replace(entry, left=paired(ceiling.sample, samples[entry.agent]))
    rule = best_rule(task, entries, samples, entry.access)
    if rule is None:
        return entry
    if ceiling is not None:
        headroom = paired(ceiling.sample, samples[rule.agent])
    gain = None if rule.agent == entry.agent else paired(samples[entry.agent], samples[rule.agent])
    return replace(entry, best_rule=rule.agent, gain=gain, gain_verdict=verdict(task, gain), headroom=headroom)


def best_rule(task: Mapping[str, Any], entries: Sequence[Entry], samples: Samples, access: str) -> Entry | None:
    """The best agent of kind "rule" among those that know no more than `access` grants, or None."""
    knows = ACCESS_LEVELS.index(access)
    rules = [e for e in entries if e.kind == "rule" and e.group != "bound" and e.agent in samples]
    rules = [e for e in rules if ACCESS_LEVELS.index(e.access) <= knows]
    merit = merits(task, samples)
    return min(rules, key=lambda e: (-merit(e.agent), e.agent), default=None)


def verdict(task: Mapping[str, Any], difference: Interval | None) -> str:
    """What a paired difference says: "better", "worse", "tied" where its interval holds 0, or "alike".

    "alike" is a difference that is told apart from 0 and smaller than the task's `smallest_difference`.
    """
    if difference is None:
        return ""
    if not difference.excludes_zero:
        return "tied"
    if abs(difference.mean) < (task.get("smallest_difference") or 0.0):
        return "alike"
    return "better" if difference.mean * sign_of(task) > 0 else "worse"


def merits(task: Mapping[str, Any], samples: Samples) -> Callable[[str], float]:
    """How good an agent is, by its name: larger is better.

    It is the paired difference to one agent (reference, else floor). If all have the same episodes this
    is the order of the means; if not, an agent gains nothing from having had easy ones.
    """
    anchor = next((task[r] for r in ("reference", "floor") if task.get(r) in samples), None)

    def merit(agent: str) -> float:
        if anchor is None:
            return sign_of(task) * float(samples[agent].values.mean())
        own, other = statistics.align(samples[agent], samples[anchor])
        return sign_of(task) * float(own.mean() - other.mean()) if own.size else float("-inf")

    return merit


def paired(own: Sample, other: Sample) -> Interval | None:
    """The difference of two agents on the episodes that both have; None where they share none."""
    values, others = statistics.align(own, other)
    return statistics.difference_interval(values, others, statistics.shared_groups(own, other)) if values.size else None
