"""Bounds: how ceilings are computed. A scenario's upper storey registers its own; `mmwave-gym bound` computes them.

A package names them by an entry point of the group `mmwave_gym.bounds`, whose name is the scenario's and whose object a
sequence of `Bound`:

    [project.entry-points."mmwave_gym.bounds"]
    relay = "relay_gym.bounds:BOUNDS"

What is computed is stored beside the packed rows (`leaderboard.ceilings`), so that a board computes none. Every task
has one bound more, the best known: the best of each episode over all committed rows and all planners that are stored.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from threadpoolctl import threadpool_limits

from mmwave_gym.benchmark.committed import committed_runs, folders
from mmwave_gym.benchmark.evaluation import BLOCK, evaluate
from mmwave_gym.benchmark.golden import golden_sums, physics_digest
from mmwave_gym.benchmark.jobs import Call, Done, run_all
from mmwave_gym.benchmark.leaderboard.ceilings import BEST_KNOWN, KINDS, SUFFIX, Ceiling, best_known, read_ceilings
from mmwave_gym.benchmark.leaderboard.keys import same_physics
from mmwave_gym.benchmark.leaderboard.packs import pack_path
from mmwave_gym.benchmark.leaderboard.rows import Run
from mmwave_gym.benchmark.runs import described
from mmwave_gym.benchmark.statistics import Sample
from mmwave_gym.benchmark.suite import task as find_task
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core import rooms
from mmwave_gym.core.access import ACCESS_LEVELS
from mmwave_gym.core.files import write

GROUP = "mmwave_gym.bounds"


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A way to a ceiling. Its proof stands in the docstring of the module that `solve` comes from.

    The work is cut into pieces, JSON values that any process can solve and that need not be solved twice. Without
    `pieces` and `combine` a piece is an episode, and its result that episode's value.
    Raises ValueError for a level or a kind that there is not.
    """

    name: str
    level: str
    """It holds for agents of this access level and of those that know less."""
    kind: str
    """One of `leaderboard.ceilings.KINDS`."""
    what: str
    """What it is, in a sentence."""
    solve: Callable[[Task, Any], Any]
    """The result of a piece, a JSON value."""
    pieces: Callable[[Task, Sequence[int]], Sequence[Any]] = lambda task, episodes: list(episodes)
    combine: Callable[[Task, Sequence[int], Sequence[Any]], Sequence[float | None]] = lambda task, episodes, found: (
        found
    )
    """The value of each episode, in the unit of the task's primary metric, from the results of all pieces."""
    per_episode: bool = True
    """Whether it holds in every episode, or for the mean only."""
    applies: Callable[[Task], bool] = lambda task: True
    version: int = 1
    """Goes up when earlier values were wrong: they are then stale."""
    rounding: float = 1e-6
    """Relative: by how much two kinds of processors may differ."""
    agent: str = ""
    """Whose rows are the values, where it is an agent that attains them."""
    cheap: bool = False
    """Whether an episode takes at most seconds, so that tests compute a few again."""

    def __post_init__(self) -> None:
        if self.level not in ACCESS_LEVELS:
            raise ValueError(f"level must be one of {', '.join(ACCESS_LEVELS)}, got {self.level!r}.")
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {self.kind!r}.")


def of_agent(agent: str, what: str, fewer: Mapping[str, int] = MappingProxyType({}), **more: Any) -> Bound:
    """The bound that an agent attains: the exact optimum in hindsight, or a planner whose plans are the best known.

    fewer: of single tasks, by name, how many of the first episodes are played.
    """

    def solve(task: Task, block: Sequence[int]) -> list[float | None]:
        played = replace(task, episodes=block[-1] + 1)  # blocks of a short task are short
        rows = evaluate(agent, played, skip=frozenset(range(block[0])))
        return [row[task.primary] for row in rows]

    def pieces(task: Task, episodes: Sequence[int]) -> list[list[int]]:
        size, wanted = BLOCK * task.carry, list(episodes)[: fewer.get(task.name)]
        return [wanted[start : start + size] for start in range(0, len(wanted), size)]

    def combine(task: Task, episodes: Sequence[int], found: Sequence[Sequence[float]]) -> list[float | None]:
        values: list[float | None] = [value for block in found for value in block]
        return values + [None] * (len(episodes) - len(values))

    given = {"name": agent, "level": "hindsight", "kind": "hindsight-exact", **more}
    return Bound(what=what, solve=solve, pieces=pieces, combine=combine, agent=agent, **given)


def first_episodes(most: int, fewer: Mapping[str, int] = MappingProxyType({})) -> dict[str, Any]:
    """`pieces` and `combine` of a `Bound` that takes so long that only a task's first episodes are solved.

    most: how many; fewer: of single tasks, by name.
    """

    def pieces(task: Task, episodes: Sequence[int]) -> list[int]:
        return list(episodes)[: fewer.get(task.name, most)]

    def combine(task: Task, episodes: Sequence[int], found: Sequence[float]) -> list[float | None]:
        return [*found, *[None] * (len(episodes) - len(found))]

    return {"pieces": pieces, "combine": combine}


def bounds(task: Task, level: str | None = None) -> list[Bound]:
    """The registered bounds of a task, of one access level or of all. ValueError for an unknown level."""
    if level is not None and level not in ACCESS_LEVELS:
        raise ValueError(f"level must be one of {', '.join(ACCESS_LEVELS)}, got {level!r}.")
    point = rooms.points(GROUP, "bounds").get(task.scenario_name)
    if point is None:
        return []
    try:
        found = [b for b in point.load() if b.applies(task)]
    except rooms.BROKEN as error:  # somebody else's package must not stop the board
        rooms.leave_out(f"the bounds of {point.name}", point, error)
        return []
    return [b for b in found if level in (None, b.level)]


def made_for(task: Task, version: int = 1, golden: bool = True) -> dict[str, Any]:
    """What a ceiling is computed for: the task's hash, the version of the bound, the physics."""
    sums = golden_sums(task) if golden else None
    physics = {"code": physics_digest(task), "sums": sums}
    return {"task": described(task, task.episodes)["hash"], "version": version, "physics": physics}


def compute(
    task: Task,
    bound: Bound,
    episodes: int | None = None,
    where: Callable[..., None] = run_all,
    progress: Path | None = None,
    on_piece: Callable[[int, int], None] = lambda done, of: None,
) -> Ceiling:
    """A task's ceiling by one bound, over its first `episodes` (default: all that it names).

    where: `jobs.run_all`, with the words that say how many processes. progress: a file that keeps finished pieces, so
    that an interrupted computation goes on; it is deleted at the end. on_piece: called with how many are done.
    """
    numbers = list(range(episodes or task.episodes))
    current = made_for(task, bound.version)
    pieces = list(bound.pieces(task, numbers))
    found = _kept(progress, current)
    todo = [n for n, piece in enumerate(pieces) if _named(piece) not in found]
    calls = {n: Call(f"{task.name} {bound.name}", _solve, (task.name, bound.name, pieces[n])) for n in todo}
    order = {id(call): n for n, call in calls.items()}

    def take(job: Any, end: Done) -> None:
        found[_named(pieces[order[id(job)]])] = Call.result(end)
        if progress is not None:
            progress.parent.mkdir(parents=True, exist_ok=True)
            write(progress, json.dumps({"made_for": current, "pieces": found}))
        on_piece(len(found), len(pieces))

    on_piece(len(found), len(pieces))
    where(list(calls.values()), on_done=take)
    values = bound.combine(task, numbers, [found[_named(piece)] for piece in pieces])
    shown = {e: float(v) for e, v in zip(numbers, values, strict=True) if v is not None}  # None: nothing was scored
    sample = Sample.of([shown], task.groups)
    if progress is not None:
        progress.unlink(missing_ok=True)
    agents = (bound.agent,) if bound.agent else ()
    command = f"mmwave-gym bound {task.name} --level {bound.level}"
    about = task.name, bound.name, bound.level, bound.kind, bound.per_episode
    return Ceiling(*about, sample, agents, command, _now(), current)


def _solve(task: str, bound: str, piece: Any) -> Any:
    """One piece, in any process."""
    found = find_task(task)
    with threadpool_limits(limits=1):
        return next(b for b in bounds(found) if b.name == bound).solve(found, piece)


def _named(piece: Any) -> str:
    return json.dumps(piece)


def _kept(progress: Path | None, current: dict[str, Any]) -> dict[str, Any]:
    """Finished pieces of an earlier computation of the same, by name."""
    if progress is None or not progress.exists():
        return {}
    told = json.loads(progress.read_text("utf-8"))
    found: dict[str, Any] = told["pieces"] if told["made_for"] == json.loads(json.dumps(current)) else {}
    return found


def record(task: Task, stored: Sequence[Ceiling], runs: Iterable[Run] | None = None) -> Ceiling | None:
    """The best known ceiling of a task: the best of each episode in the committed rows and in stored planners.

    runs: instead of the committed ones. Those of another version of the task or of other physics do not count.
    """
    current = made_for(task)
    about = {"physics": current["physics"]}
    samples = {
        f"{run.agent['name']}@{run.agent['training_seed']}": Sample.of(
            [{row["episode"]: float(row[task.primary]) for row in run.episodes if row[task.primary] is not None}]
        )
        for run in (committed_runs([task.name]) if runs is None else runs)
        if run.task["hash"] == current["task"] and run.episodes and _same_world(run.header, about)
    }
    planners = [c for c in stored if c.name != BEST_KNOWN]
    found = best_known({**task.describe(), "groups": task.groups}, samples, planners)
    if found is None:
        return None
    agents = tuple(dict.fromkeys(name.partition("@")[0] for name in found.agents))
    command = f"mmwave-gym bound {task.name} --level {found.level}"
    return replace(found, agents=agents, command=command, created=_now(), made_for=current)


def stored_ceilings(tasks: Iterable[Task], folder: str | Path | None = None, golden: bool = True) -> list[Ceiling]:
    """The stored ceilings of these tasks, from one folder of packs or from all installed packages.

    Those that no longer hold are marked `stale`. Of the same ceiling in two packages the first counts. golden: whether
    to play the golden sums where code of the physics has changed; without it the numbers are believed.
    """
    found: dict[tuple[str, str], Ceiling] = {}
    for task in tasks:
        sums = cache(partial(golden_sums, task))  # played once, and only where somebody asks
        for place in folders() if folder is None else [Path(folder)]:
            path = pack_path(place, task.name, SUFFIX)
            for one in read_ceilings(path, task.groups) if path.exists() else ():
                stale = _why_stale(one, task, sums if golden else None)
                found.setdefault((task.name, one.name), replace(one, stale=stale))
    return list(found.values())


def _why_stale(one: Ceiling, task: Task, sums: Callable[[], dict[str, float]] | None) -> str:
    """Why a stored ceiling does not hold now, empty where it does. A task whose data are not here is believed.

    sums: the golden sums of today; None: where code of the physics has changed, the numbers are believed.
    """
    if task.missing_data:
        return ""
    versions = {BEST_KNOWN: 1, **{b.name: b.version for b in bounds(task)}}
    now = made_for(task, versions.get(one.name, 0), golden=False)
    again = f"compute it again with `mmwave-gym bound {task.name}`"
    for part, what in (("task", "the task"), ("version", "the bound")):
        if one.made_for.get(part) != now[part]:
            return f"it is of another version of {what} ({one.made_for.get(part)}, not {now[part]}); {again}"
    if sums is None:
        return ""
    if one.made_for.get("physics", {}).get("code") != now["physics"]["code"]:
        now["physics"]["sums"] = sums()
    return "" if _same_world(one.made_for, now) else f"the environment answers otherwise than when it was made; {again}"


def _same_world(before: Any, now: Any) -> bool:
    """Whether the physics of two headers are the same."""
    old, new = before.get("physics") or {}, now["physics"]
    return old.get("code") == new["code"] or same_physics({"physics": old}, {"physics": new})


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
