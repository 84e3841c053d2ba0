"""Means, differences and scores with 95 % intervals, from per-episode values.

Float64Array are arrays ``(seed, episode)``: one row per training seed (one row for an agent that is not trained),
all rows over the same episodes. Chance is resampled where it arises: training seeds, then episodes, the same
resampled episodes for every seed and every agent, because every agent met the same worlds.

The intervals are percentile bootstrap intervals about the mean, stretched by Student's t for the number of
seeds and episodes (Hesterberg, "What teachers should know about the bootstrap", The American Statistician 69,
2015, section 5.4; degrees of freedom by Satterthwaite). Without it an interval over five seeds covers about
84 % and not 95 %. The bootstrap seed is fixed, so that a leaderboard is a pure function of its rows.

Where episodes share a world, such as a map, groups of episodes are resampled and not episodes: `groups (episode,)`
names the group of each. `python -m bench.coverage` simulates how often the intervals hold the mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from mmwave_gym.core.types import Float64Array, Int64Array

LEVEL = 0.95
RESAMPLES = 4_000  # ours: the end of an interval then moves by about 2 % of its width from seed to seed
_BOOTSTRAP_SEED = 20_261_122
_EPISODES, _SEEDS, _OTHER_SEEDS = range(3)  # streams of resampling; two agents' training seeds are independent
Groups = Int64Array | None
CLOSE = 1e-6
"""Relative: the same episode on another kind of processor gives numbers this close."""


@dataclass(frozen=True)
class Interval:
    """A mean with its 95 % interval, in the unit of the values; the ends are None if there is one episode."""

    mean: float
    low: float | None
    high: float | None
    rounding: float = field(default=0.0, compare=False, repr=False)
    """By how much rows of equal agents from two kinds of processors may differ, often to one side."""

    @property
    def excludes_zero(self) -> bool:
        """Whether the whole interval lies on one side of 0, and the mean further from it than `rounding`."""
        aside = self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)
        return aside and abs(self.mean) > self.rounding


@dataclass(frozen=True)
class Sample:
    """Per-episode values ``(seed, episode)`` with the episodes' numbers ``(episode,)``, ascending."""

    episodes: NDArray[np.int64]
    values: Float64Array
    groups: NDArray[np.int64] | None = None
    """(episode,): episodes of one number share a world; None: none do."""

    @classmethod
    def of(cls, runs: Sequence[dict[int, float]], groups: Sequence[int] | None = None) -> Sample:
        """Align one mapping from episode to value per training seed on the episodes that all of them have.

        groups: by the episode's number; episodes beyond it are a group each.
        """
        shared = sorted(set.intersection(*(set(run) for run in runs))) if runs else []
        values = np.array([[run[e] for e in shared] for run in runs], dtype=np.float64)
        episodes = np.array(shared, dtype=np.int64)
        of = None
        if groups:
            beyond = max(groups) + 1 + episodes
            of = np.array([groups[e] if e < len(groups) else b for e, b in zip(shared, beyond, strict=True)], np.int64)
        return cls(episodes, values.reshape(len(runs), len(shared)), of)


def align(*samples: Sample) -> list[Float64Array]:
    """Return each sample's values ``(seed, episode)`` on the episodes that all samples share."""
    shared = samples[0].episodes
    for sample in samples[1:]:
        shared = np.intersect1d(shared, sample.episodes)
    return [sample.values[:, np.searchsorted(sample.episodes, shared)] for sample in samples]


def shared_groups(*samples: Sample) -> Groups:
    """Return the groups ``(episode,)`` of the episodes that all samples share, as the first tells them."""
    if samples[0].groups is None:
        return None
    shared = samples[0].episodes
    for sample in samples[1:]:
        shared = np.intersect1d(shared, sample.episodes)
    return samples[0].groups[np.searchsorted(samples[0].episodes, shared)]


def mean_interval(values: Float64Array, groups: Groups = None) -> Interval:
    """Return the mean of ``values (seed, episode)`` with its interval, in their unit.

    The interval is hierarchical over several seeds. groups: ``(episode,)``, or None where no episodes share a world.
    """
    replicates = _replicates(values, _SEEDS, groups)
    return _interval(float(values.mean()), replicates, [values], values.mean(axis=0), groups)


def column_interval(rows: Sequence[Mapping[str, Any]], name: str) -> Interval | None:
    """Return the mean of one metric of one run's rows with its interval; None where no row has a value."""
    values = [row[name] for row in rows if row[name] is not None]
    return mean_interval(np.array([values], np.float64)) if values else None


def difference_interval(values: Float64Array, other: Float64Array, groups: Groups = None) -> Interval:
    """Return the mean of ``values - other`` with its interval, paired by episode.

    Both are ``(seed, episode)`` over the same episodes, in the same unit; their numbers of seeds may differ.
    groups: ``(episode,)``, or None where no episodes share a world.
    """
    replicates = _replicates(values, _SEEDS, groups) - _replicates(other, _OTHER_SEEDS, groups)
    return _difference(values, other, replicates, groups)


def _difference(values: Float64Array, other: Float64Array, replicates: NDArray[np.float64], groups: Groups) -> Interval:
    per_episode = values.mean(axis=0) - other.mean(axis=0)
    found = _interval(float(values.mean() - other.mean()), replicates, [values, other], per_episode, groups)
    return replace(found, rounding=CLOSE * float(np.abs(values).mean()))


def normalised(values: Float64Array, floor: Float64Array, ceiling: Float64Array) -> Float64Array:
    """Return per-episode scores ``(seed, episode)``: 0 is the floor, 1 the ceiling, in the mean.

    All three are ``(seed, episode)`` over the same episodes, in the unit of the metric.
    The distance to the episode's own floor is divided by the task's mean distance from floor to ceiling; a
    ratio per episode would let the episodes decide in which floor and ceiling happen to meet.
    """
    return (values - floor.mean(axis=0)) / (ceiling.mean() - floor.mean())


def differences(samples: Sequence[Sample]) -> list[Interval | None]:
    """Return `difference_interval` for the pairs (0, 1), (0, 2), …, (1, 2), …, None where two share no episode.

    What is resampled for an agent is kept, so that hundreds of pairs take hardly longer than their agents do.
    """
    kept: dict[tuple[int, int], NDArray[np.float64]] = {}

    def resampled(i: int, stream: int) -> NDArray[np.float64]:
        if (i, stream) not in kept:
            kept[i, stream] = _replicates(samples[i].values, stream, samples[i].groups)
        return kept[i, stream]

    found: list[Interval | None] = []
    for i, one in enumerate(samples):
        for j in range(i + 1, len(samples)):
            other = samples[j]
            if np.array_equal(one.episodes, other.episodes) and one.episodes.size:
                replicates = resampled(i, _SEEDS) - resampled(j, _OTHER_SEEDS)
                found.append(_difference(one.values, other.values, replicates, one.groups))
                continue
            values, others = align(one, other)
            found.append(difference_interval(values, others, shared_groups(one, other)) if values.size else None)
    return found


def score_interval(values: Float64Array, floor: Float64Array, ceiling: Float64Array, groups: Groups = None) -> Interval:
    """Return the mean score with its interval; every resample is normalised by its own floor and ceiling.

    All three are ``(seed, episode)`` over the same episodes, in the unit of the metric; their numbers of seeds may
    differ. A score has no unit, see `normalised`. groups: ``(episode,)``, or None where no episodes share a world.
    """
    low, high = _replicates(floor, _OTHER_SEEDS, groups), _replicates(ceiling, _OTHER_SEEDS, groups)
    with np.errstate(divide="ignore", invalid="ignore"):
        replicates = (_replicates(values, _SEEDS, groups) - low) / (high - low)
    scores = normalised(values, floor, ceiling)
    mean = float(scores.mean())
    unit = normalised(ceiling, floor, ceiling).mean(axis=0)
    return _interval(mean, replicates, [scores], scores.mean(axis=0) - mean * unit, groups)


def interquartile_mean(scores: NDArray[np.float64]) -> float:
    """Return the mean of the middle half of all scores, whatever their shape."""
    from scipy import stats  # half a second of the command line's start

    return float(stats.trim_mean(scores.ravel(), 0.25))


def above_ceiling(values: Float64Array, ceiling: Float64Array, higher_is_better: bool) -> NDArray[np.float64]:
    """Return by how much each episode's best seed beats the ceiling: ``(episode,)``, 0 within `CLOSE`.

    Both are ``(seed, episode)`` over the same episodes, in the same unit as the result.
    """
    sign = 1.0 if higher_is_better else -1.0
    best = (sign * values).max(axis=0)
    bound = sign * ceiling.mean(axis=0)
    excess = best - bound
    return np.where(excess > CLOSE * np.maximum(np.abs(best), np.abs(bound)), excess, 0.0)


@lru_cache(maxsize=8)
def _weights(count: int, stream: int) -> NDArray[np.float64]:
    """How often each of ``count`` units is drawn in each resample, as a share: ``(resample, count)``."""
    rng = np.random.default_rng([_BOOTSTRAP_SEED, stream, count])
    weights = rng.multinomial(count, np.full(count, 1.0 / count), size=RESAMPLES) / count
    weights.flags.writeable = False
    return weights


def _replicates(values: Float64Array, seed_stream: int, groups: Groups = None) -> NDArray[np.float64]:
    """Resampled means ``(resample,)``: episodes, or their groups, drawn once for all seeds, then the seeds."""
    seeds, episodes = values.shape
    if groups is None:
        per_seed = _weights(episodes, _EPISODES) @ values.T
    else:
        member = _members(groups)
        drawn = _weights(len(member), _EPISODES)
        per_seed = (drawn @ (member @ values.T)) / (drawn @ member.sum(axis=1))[:, None]
    return per_seed[:, 0] if seeds == 1 else (per_seed * _weights(seeds, seed_stream)).sum(axis=1)


def _members(groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """``(group, episode)``: 1 where an episode is of a group."""
    return (np.unique(groups)[:, None] == groups).astype(np.float64)


def _interval(
    mean: float,
    replicates: NDArray[np.float64],
    samples: list[Float64Array],
    per_episode: Float64Array,
    groups: Groups = None,
) -> Interval:
    """Stretch the percentile interval of ``replicates`` about ``mean``.

    ``samples`` are the arrays whose training seeds were resampled, ``per_episode (episode,)`` the quantity's
    value in each episode: they give the two variances that share out the degrees of freedom.
    """
    parts = _variances(samples, per_episode, groups)
    if parts is None:
        return Interval(mean, None, None)
    total = sum(variance for variance, _ in parts)
    if total <= (1e-12 * max(abs(mean), float(np.abs(per_episode).max()))) ** 2:  # rounding, not chance
        return Interval(mean, mean, mean)
    freedom = 1 / sum((variance / total) ** 2 / degrees for variance, degrees in parts)
    tail = (1 - LEVEL) / 2
    stretch = special.stdtrit(freedom, 1 - tail) * np.sqrt((freedom + 1) / freedom) / special.ndtri(1 - tail)
    low, high = np.nanquantile(replicates, [tail, 1 - tail])
    return Interval(mean, float(mean - stretch * (mean - low)), float(mean + stretch * (high - mean)))


def _variances(
    samples: Sequence[Float64Array], per_episode: Float64Array, groups: Groups
) -> list[tuple[float, int]] | None:
    """The variances of a mean with their degrees of freedom: that of the episodes, then those of training seeds.

    None where there is one episode, or one group of episodes.
    """
    rest = per_episode - per_episode.mean()
    if groups is not None:
        rest = _members(groups) @ rest  # what groups of unequal size add to a mean over all episodes
    if rest.size < 2:
        return None
    parts = [(float(rest @ rest) * rest.size / (rest.size - 1) / per_episode.size**2, rest.size - 1)]
    return parts + [(float(v.mean(axis=1).var(ddof=1)) / len(v), len(v) - 1) for v in samples if len(v) > 1]


def times_the_episodes(values: Float64Array, other: Float64Array, share: float, groups: Groups = None) -> float | None:
    """Return how many times as many episodes would bring a paired difference's interval to a share of its width.

    Both are ``(seed, episode)`` over the same episodes, in the same unit. Variances of episodes fall with their number
    (of groups, where ``groups (episode,)`` names them), those of training seeds stay. None where the seeds alone are
    too many, or where one episode tells nothing.
    """
    parts = _variances([values, other], values.mean(axis=0) - other.mean(axis=0), groups)
    if parts is None:
        return None
    (episodes, _), *seeds = parts
    left = share**2 * sum(variance for variance, _ in parts) - sum(variance for variance, _ in seeds)
    return episodes / left if left > 0.0 else None
