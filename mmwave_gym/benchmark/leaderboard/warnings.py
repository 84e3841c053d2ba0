"""What on a task's board contradicts the board: a ceiling that is beaten, a local agent that knows too much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmwave_gym.benchmark import statistics
from mmwave_gym.benchmark.leaderboard.ceilings import Ceiling
from mmwave_gym.benchmark.leaderboard.digits import ends, number
from mmwave_gym.benchmark.leaderboard.entries import Entry, sign_of
from mmwave_gym.benchmark.statistics import Sample

MOST_EQUAL = 0.5
"""Share of episodes in which an agent may equal one that knows the whole episode. Honest rules reach 0.34; ours."""


def warnings_of(
    task: Mapping[str, Any], entries: Sequence[Entry], samples: Mapping[str, Sample], stored: Sequence[Ceiling]
) -> list[str]:
    """Sentences for a task's page. samples: values of the primary metric by agent. stored: ceilings that are kept."""
    told = [f"The ceiling {c.name} ({c.kind}) is not shown: {c.stale}." for c in stored if c.stale]
    for ceiling in (c for c in stored if not c.stale):
        for entry in entries:
            if entry.agent in samples and ceiling.holds_for(entry.access):
                told += _above(task, entry.agent, samples[entry.agent], ceiling)
    return told + _equal_to_hindsight(entries, samples)


def _above(task: Mapping[str, Any], agent: str, own: Sample, ceiling: Ceiling) -> list[str]:
    """Whether an agent is above a ceiling that holds for it: in single episodes, or in the mean."""
    values, limit = statistics.align(own, ceiling.sample)
    if not values.size:
        return []
    difference = statistics.difference_interval(values, limit, statistics.shared_groups(own, ceiling.sample))
    by = f"by {number(difference.mean, difference)} {ends(difference)} of {task['primary']}".replace("  ", " ")
    if ceiling.per_episode:
        excess = statistics.above_ceiling(values, limit, bool(task["higher_is_better"]))
        if not (count := int(np.count_nonzero(excess))):
            return []
        where = f"in {count} of {excess.size} episodes (by up to {excess.max():.3g})"
        if not ceiling.proven:
            mean = f", in the mean {by}" if difference.mean * sign_of(task) > 0 else ""
            return [
                f"{agent} beats what was best known, {ceiling.name}, {where}{mean}: it is the best known there now."
            ]
        return [f"{agent} beats the {ceiling.kind} ceiling {ceiling.name} {where}: the ceiling or the rows are wrong."]
    if difference.mean * sign_of(task) <= difference.rounding:
        return []
    if difference.excludes_zero:
        return [f"{agent} beats the ceiling {ceiling.name} ({ceiling.kind}) in the mean, {by}: one of them is wrong."]
    return [f"{agent} is above the ceiling {ceiling.name} ({ceiling.kind}) in the mean, {by}: not told apart from it."]


def _equal_to_hindsight(entries: Sequence[Entry], samples: Mapping[str, Sample]) -> list[str]:
    """Local agents that do as well as one that knows the whole episode, in most episodes."""
    knowing = [entry for entry in entries if entry.access == "hindsight" and entry.agent in samples]
    warnings = []
    for entry in entries:
        if entry.access != "local" or entry.agent not in samples:
            continue
        for other in knowing:
            values, best = statistics.align(samples[entry.agent], samples[other.agent])
            if not values.size:
                continue
            equal = np.isclose(values, best.mean(axis=0), rtol=statistics.CLOSE, atol=0.0).sum(axis=1).max()
            if equal > MOST_EQUAL * values.shape[1]:
                warnings.append(
                    f"{entry.agent} is local and equals {other.agent}, which knows the whole episode, in {equal} of "
                    f"{values.shape[1]} episodes: it may know more than it says. Verify it on hidden episodes."
                )
                break
    return warnings
