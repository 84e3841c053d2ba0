"""Ceilings: what agents of an access level can have at most, how that is known, and the files that keep it.

A ceiling holds for its level and for every level that knows less. Agents are scored against the best proven ceiling
that holds for their own level, else against the best known. `docs/ceilings.md` says what each kind means.

`<task>.ceilings.xz` lies beside the packed rows of a task and has a line for each ceiling; `xzcat` shows it.
"""

from __future__ import annotations

import lzma
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from mmwave_gym.benchmark import statistics
from mmwave_gym.benchmark.leaderboard.packs import pack_path, unpacked
from mmwave_gym.benchmark.leaderboard.rows import RowsError, as_line
from mmwave_gym.benchmark.statistics import Interval, Sample
from mmwave_gym.core import untrusted
from mmwave_gym.core.access import ACCESS_LEVELS
from mmwave_gym.core.files import write

SUFFIX = ".ceilings.xz"
FORMAT = 1
BEST_KNOWN = "best known"
KINDS = {
    "hindsight-exact": "the exact optimum of each episode when all of it is known in advance; nobody can exceed it",
    "expectation-exact": "the exact optimum in expectation; a single episode can exceed it, the mean cannot",
    "proven bound": "a proven bound; it need not be attainable",
    BEST_KNOWN: "the best of each episode that any agent or planner has shown; not proven, a better one moves it",
}
_LARGEST = 1e100  # of a value, as in rows


@dataclass(frozen=True)
class Ceiling:
    """What agents that know no more than `level` grants can have at most of a task's primary metric.

    ``sample`` holds its values (1, episode) in the metric's unit. With ``per_episode`` it holds in every episode, else
    for the mean only. ``name`` is the bound that found it, ``agents`` those whose rows it was taken from. ``made_for``
    says what it was computed for: the task's hash, the bound's version, the physics. ``stale`` says why it no longer
    holds.
    """

    task: str
    name: str
    level: str
    kind: str
    per_episode: bool
    sample: Sample
    agents: tuple[str, ...] = ()
    command: str = ""
    created: str = ""
    made_for: Mapping[str, Any] = field(default_factory=dict)
    stale: str = ""

    @property
    def proven(self) -> bool:
        """Whether no agent can exceed it."""
        return self.kind != BEST_KNOWN

    @cached_property  # a page asks once for every agent
    def mean(self) -> Interval:
        """Its mean over the episodes with the 95 % interval, in the unit of the metric."""
        return statistics.mean_interval(self.sample.values, self.sample.groups)

    def holds_for(self, access: str) -> bool:
        """Whether it bounds agents of an access level."""
        return ACCESS_LEVELS.index(access) <= ACCESS_LEVELS.index(self.level)


def ceiling_of(ceilings: Sequence[Ceiling], access: str, sign: float) -> Ceiling | None:
    """The ceiling that agents of an access level are scored against, None where there is none.

    The lowest proven one that holds for the level, on the episodes that all of these share; else the best known.
    sign: 1 where more is better, else -1.
    """
    holding = [c for c in ceilings if c.holds_for(access) and not c.stale and c.sample.episodes.size]
    among = [c for c in holding if c.proven] or holding
    if not among:
        return None
    shared = statistics.align(*(c.sample for c in among))
    means = [sign * (values.mean() if values.size else math.inf) for values in shared]
    return among[int(np.argmin(means))]


def best_known(
    task: Mapping[str, Any], samples: Mapping[str, Sample], stored: Sequence[Ceiling] = ()
) -> Ceiling | None:
    """The best of each episode that any training seed of any agent, or a stored planner, has; None without any.

    Who knows the whole episode can do as well, so it is a ceiling of hindsight. samples: (seed, episode) by agent, or
    by agent@seed. Episodes that only the task's floor and reference have played do not count where others have played
    some: nobody has tried to be the best there.
    """
    sign = 1.0 if task["higher_is_better"] else -1.0
    best: dict[int, tuple[float, str]] = {}
    # Agents before what is stored: who equals the record is named, not the record.
    shown = {**samples, **{c.name: c.sample for c in stored if not c.proven and not c.stale}}
    usual = (task.get("floor"), task.get("reference"))
    tried = {e for name, s in shown.items() if name.partition("@")[0] not in usual for e in s.episodes.tolist()}
    for name, sample in shown.items():
        values = sign * (sign * sample.values).max(axis=0, initial=-math.inf)
        for episode, value in zip(sample.episodes.tolist(), values.tolist(), strict=True):
            if episode not in best or sign * value > sign * best[episode][0]:
                best[episode] = value, name
    best = {episode: found for episode, found in best.items() if episode in tried} or best
    if not best:
        return None
    order = [name for name, _ in Counter(name for _, name in best.values()).most_common()]
    sample = Sample.of([{episode: value for episode, (value, _) in best.items()}], task.get("groups"))
    return Ceiling(str(task["name"]), BEST_KNOWN, ACCESS_LEVELS[-1], BEST_KNOWN, True, sample, tuple(order))


def write_ceilings(ceilings: Iterable[Ceiling], folder: str | Path) -> list[Path]:
    """Write the ceilings of each task into its file in `folder`, beside the packed rows; returns the files.

    Ceilings of the same name that are there already are replaced, the others stay. Raises `RowsError` where the folder
    cannot be written.
    """
    by_task: dict[str, dict[str, Ceiling]] = {}
    for one in ceilings:
        by_task.setdefault(one.task, {})[one.name] = one
    paths = []
    for task, found in by_task.items():
        path = pack_path(folder, task, SUFFIX)
        kept = {c.name: c for c in read_ceilings(path)} if path.exists() else {}
        lines = b"".join(as_line(_as_json(c)) for _, c in sorted({**kept, **found}.items()))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write(path, lzma.compress(lines, preset=9 | lzma.PRESET_EXTREME))
        except OSError as error:
            raise RowsError(f"{path} cannot be written ({error.strerror}): choose another folder.") from error
        paths.append(path)
    return paths


def read_ceilings(path: Path, groups: Sequence[int] | None = None) -> list[Ceiling]:
    """The ceilings in a file. Raises `RowsError`, which names the file, for one that is damaged.

    groups: which episodes share a world, as the task tells.
    """
    return [_parsed(line, path, groups) for line in unpacked(path).splitlines()]


def _as_json(one: Ceiling) -> dict[str, Any]:
    values = dict(zip(map(str, one.sample.episodes.tolist()), one.sample.values[0].tolist(), strict=True))
    names = ("task", "name", "level", "kind", "per_episode", "agents", "command", "created", "made_for")
    return {"format": FORMAT, **{name: getattr(one, name) for name in names}, "values": values}


def _parsed(line: bytes, path: Path, groups: Sequence[int] | None) -> Ceiling:
    with untrusted.blaming(path, RowsError):
        told = untrusted.json_value(line)
    told = told if isinstance(told, dict) else {}
    if told.get("format") != FORMAT:
        raise RowsError(f"{path}: a ceiling's format must be {FORMAT}, got {told.get('format')!r}: compute it again.")
    texts = {name: told.get(name) for name in ("task", "name", "level", "kind", "command", "created")}
    for name, text in texts.items():
        if not isinstance(text, str):
            raise RowsError(f"{path}: a ceiling's {name} must be a text, got {str(text)[:50]!r}.")
    for name, allowed in (("level", ACCESS_LEVELS), ("kind", tuple(KINDS))):
        if texts[name] not in allowed:
            raise RowsError(f"{path}: a ceiling's {name} must be one of {', '.join(allowed)}, got {texts[name]!r}.")
    values, agents, made_for = told.get("values"), told.get("agents"), told.get("made_for")
    if not isinstance(values, dict) or not values or not all(map(_is_value, values.items())):
        raise RowsError(f"{path}: the values of {texts['name']} must be finite numbers by episode.")
    if not isinstance(agents, list) or not all(isinstance(a, str) for a in agents) or not isinstance(made_for, dict):
        raise RowsError(f"{path}: the ceiling {texts['name']} must name its agents and what it was made for.")
    sample = Sample.of([{int(episode): float(value) for episode, value in values.items()}], groups)
    return Ceiling(
        **texts,  # type: ignore[arg-type]
        per_episode=told.get("per_episode") is True,
        sample=sample,
        agents=tuple(agents),
        made_for=made_for,
    )


def _is_value(item: tuple[str, Any]) -> bool:
    episode, value = item
    number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST
    return number and episode.isdecimal() and len(episode) < 16
