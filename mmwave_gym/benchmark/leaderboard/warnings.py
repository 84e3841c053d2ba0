"""What on a task's board contradicts the board: a ceiling that is beaten, a local agent that knows too much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from mmwave_gym.benchmark import statistics
from mmwave_gym.benchmark.leaderboard.entries import Entry, sign_of
from mmwave_gym.benchmark.leaderboard.tables import ends, number
from mmwave_gym.benchmark.statistics import Sample
from mmwave_gym.core.access import ACCESS_LEVELS

MOST_EQUAL = 0.5
"""Share of episodes in which an agent may equal one that knows the whole episode. Honest rules reach 0.34; ours."""


def warnings_of(task: Mapping[str, Any], entries: Sequence[Entry], samples: Mapping[str, Sample]) -> list[str]:
    """Sentences for a task's page. samples: values of the primary metric by agent."""
    beaten = _ceiling_beaten(task, entries, samples)
    return [
        *beaten.values(),
        *_scores_above_one(task, entries, beaten),
        *_equal_to_hindsight(entries, samples),
        *_bound_beaten(task, entries),
    ]


def _ceiling_beaten(task: Mapping[str, Any], entries: Sequence[Entry], samples: Mapping[str, Sample]) -> dict[str, str]:
    """By agent, what contradicts the ceiling's claim: single episodes if it holds per episode, else the mean."""
    name, kind = str(task.get("ceiling")), task.get("ceiling_kind")
    warnings: dict[str, str] = {}
    for entry in _bounded(task, entries):
        if name not in samples or entry.agent not in samples:
            continue
        values, ceiling = statistics.align(samples[entry.agent], samples[name])
        if not values.size:
            continue
        if kind == "hindsight-exact":
            excess = statistics.above_ceiling(values, ceiling, bool(task["higher_is_better"]))
            if count := int(np.count_nonzero(excess)):
                warnings[entry.agent] = (
                    f"{entry.agent} beats the hindsight-exact ceiling {name} in {count} of {excess.size} "
                    f"episodes (by up to {excess.max():.3g}): the ceiling or the rows are wrong."
                )
            continue
        groups = statistics.shared_groups(samples[entry.agent], samples[name])
        difference = statistics.difference_interval(values, ceiling, groups)
        if difference.excludes_zero and difference.mean * sign_of(task) > 0:
            by = f"by {number(difference.mean, difference)} {ends(difference)} of {task['primary']}"
            what = "it was the best known, so look at the rows" if kind == "best known" else "one of them is wrong"
            warnings[entry.agent] = f"{entry.agent} beats the ceiling {name} ({kind}) in the mean, {by}: {what}."
    return warnings


def _bounded(task: Mapping[str, Any], entries: Sequence[Entry]) -> list[Entry]:
    """Whom the ceiling should bound: all where it is the best known, else those that know no more than it does."""
    ceiling = next((entry for entry in entries if entry.agent == task.get("ceiling")), None)
    if ceiling is None:
        return []
    others = [entry for entry in entries if entry is not ceiling]
    if task.get("ceiling_kind") == "best known":
        return others
    knows = ACCESS_LEVELS.index(ceiling.access)
    return [entry for entry in others if ACCESS_LEVELS.index(entry.access) <= knows]


def _scores_above_one(task: Mapping[str, Any], entries: Sequence[Entry], said: Mapping[str, str]) -> list[str]:
    """Scores above the ceiling's that nothing is said of yet."""
    return [
        f"{entry.agent} has a score above 1, {number(entry.score.mean, entry.score)} {ends(entry.score)}: it is "
        f"{'not told apart from' if (entry.score.low or 0.0) <= 1.0 else 'above'} the ceiling {task['ceiling']}."
        for entry in _bounded(task, entries)
        if entry.score is not None and entry.score.mean > 1.0 + statistics.CLOSE and entry.agent not in said
    ]


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


def _bound_beaten(task: Mapping[str, Any], entries: Sequence[Entry]) -> list[str]:
    """Agents whose mean contradicts a proven bound of their access level or of one that knows more."""
    warnings = []
    for level, bound in dict(task.get("bounds") or {}).items():
        for entry in entries:
            if entry.mean is None or ACCESS_LEVELS.index(entry.access) > ACCESS_LEVELS.index(level):
                continue
            nearest = entry.mean.low if task["higher_is_better"] else entry.mean.high
            if nearest is not None and (nearest - bound) * sign_of(task) > 0:
                warnings.append(f"{entry.agent} beats the proven bound {bound:g} of {level} agents: one is wrong.")
    return warnings
