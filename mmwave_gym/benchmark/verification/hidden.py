"""Hidden episodes: worlds under a key that only the verifier knows, and whether a published result holds in them.

Under the hypothesis that an agent plays public and hidden episodes alike, the two are exchangeable. So a permutation
test of their difference is exact, whatever the distribution of the metric. The difference is of scores, paired with the
floor and the ceiling in the same episodes, which takes the luck of the worlds out of it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from scipy import special

from mmwave_gym.benchmark import statistics
from mmwave_gym.benchmark.statistics import Interval, Sample
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core.scenario import EpisodeKey
from mmwave_gym.core.types import Float64Array

FALSE_ALARMS = 0.01
"""Probability that any honest run of a verification is said not to hold, all its runs together (Bonferroni); ours."""
_ENOUGH = 50
"""So many permutations beyond the observed difference settle that it is none (Besag and Clifford, Biometrika 1991)."""
_AT_ONCE = 5_000
_MOST = 1_000_000


def hidden_keys(task: Task, secret: str) -> Callable[[list[int]], list[EpisodeKey]]:
    """The keys of hidden episodes by number. Without the secret nothing tells them, nor relates them to public ones.

    Tasks that differ only in the price of things share their worlds, as in public. Raises ValueError for an empty
    secret.
    """
    if not secret:
        raise ValueError("the key of hidden episodes must not be empty: choose a long random text.")
    digest = hmac.new(secret.encode(), f"mmwave-gym hidden {task.env_id}".encode(), hashlib.sha256).digest()
    seed = int.from_bytes(digest, "big")
    return lambda episodes: [EpisodeKey(seed, e, f"{task.env_id} hidden") for e in episodes]


@dataclass(frozen=True)
class Held:
    """A published result against hidden episodes, in the unit of `measure`: "score" or the task's primary metric."""

    measure: str
    episodes: int
    published: Interval
    hidden: Interval
    worse: Interval
    """By how much hidden episodes are worse, with the interval of two independent means."""
    p: float
    """Probability of a difference this large where there is none, one-sided."""
    level: float
    """Below this probability the result is said not to hold."""

    @property
    def holds(self) -> bool:
        return self.p >= self.level

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Held:
        """From JSON, as `dataclasses.asdict` gave it."""
        known: dict[str, Any] = {f.name: told[f.name] for f in fields(cls)}
        found: dict[str, Any] = {name: Interval(**v) if isinstance(v, dict) else v for name, v in known.items()}
        return cls(**found)


def compare(
    task: Mapping[str, Any], public: Mapping[str, Sample], hidden: Mapping[str, Sample], agent: str, tests: int
) -> Held:
    """Whether an agent is as good in hidden episodes as it was in public ones.

    task: the header's. public, hidden: samples (1, episodes) of the primary metric by agent's name; with those of the
    floor and the ceiling the score is compared, else the metric. tests: how many such comparisons are made in all.
    """
    carry, sign = int(task.get("carry") or 1), 1.0 if task["higher_is_better"] else -1.0
    roles = [str(task.get("floor")), str(task.get("ceiling"))]
    scored = agent not in roles and all(role in public and role in hidden for role in roles)
    names = [agent, *roles] if scored else [agent]
    before, after = (
        statistics.align(*(_by_chain(samples[name], carry) for name in names)) for samples in (public, hidden)
    )
    if scored and all((c.mean() - f.mean()) * sign > 0 for _, f, c in (before, after)):
        shown = [statistics.score_interval(x, f, c) for x, f, c in (before, after)]
        gains, spans = ([(values[i] - values[1])[0] for values in (before, after)] for i in (0, 2))
        span = float(np.concatenate(spans).mean())
        common = float(np.concatenate(gains).mean()) / span
        merits = [(gain - common * b) / span for gain, b in zip(gains, spans, strict=True)]
        own = [(gain - gain.mean() / b.mean() * b) / b.mean() for gain, b in zip(gains, spans, strict=True)]
        measure, sign = "score", 1.0
    else:
        shown = [statistics.mean_interval(values[0]) for values in (before, after)]
        merits = own = [sign * values[0][0] for values in (before, after)]
        measure = str(task["primary"])
    worse = _difference(sign * (shown[0].mean - shown[1].mean), own)
    level = FALSE_ALARMS / tests
    played = int(hidden[agent].episodes.size)
    return Held(measure, played, shown[0], shown[1], worse, _p_worse(merits[0], merits[1], level), level)


def _by_chain(sample: Sample, carry: int) -> Sample:
    """Means over the episodes that share a memory: only chains are independent."""
    if carry == 1:
        return sample
    chains, at = np.unique(sample.episodes // carry, return_inverse=True)
    count = np.bincount(at)
    return Sample(chains, np.stack([np.bincount(at, weights=row) / count for row in sample.values]))


def _difference(mean: float, values: Sequence[Float64Array]) -> Interval:
    """The interval of a difference of two independent means (Welch); `values` give their variances."""
    if min(len(v) for v in values) < 2:
        return Interval(mean, None, None)
    parts = [float(v.var(ddof=1)) / len(v) for v in values]
    total = sum(parts)
    if total == 0.0:
        return Interval(mean, mean, mean)
    freedom = total**2 / sum(part**2 / (len(v) - 1) for part, v in zip(parts, values, strict=True))
    half = float(special.stdtrit(freedom, 0.5 + statistics.LEVEL / 2)) * total**0.5
    return Interval(mean, mean - half, mean + half)


def _p_worse(before: Float64Array, after: Float64Array, level: float) -> float:
    """Probability, over permutations, that `before` is above `after` (n,) and (m,) by this much or more in the mean."""
    pooled = np.concatenate([before, after])
    few, total = min(len(before), len(after)), pooled.sum()
    rounding = 1e-9 * float(np.abs(pooled).max(initial=0.0))
    observed = float(before.mean() - after.mean())
    chance, beyond, made = np.random.default_rng(20261122), 0, 0
    most = min(_MOST, max(20_000, int(20 / level)))
    while made < most and beyond < _ENOUGH:
        order = chance.random((_AT_ONCE, len(pooled))).argpartition(few - 1, axis=1)[:, :few]
        mean = pooled[order].mean(axis=1)
        rest = (total - few * mean) / (len(pooled) - few)
        gap = mean - rest if few == len(before) else rest - mean
        beyond += int((gap >= observed - rounding).sum())
        made += _AT_ONCE
    return (beyond + 1) / (made + 1)
