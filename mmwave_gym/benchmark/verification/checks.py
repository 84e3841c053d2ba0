"""One run verified: its header, its rows played again, in other orders and block sizes, and hidden episodes."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cache
from types import MappingProxyType
from typing import Any

from threadpoolctl import threadpool_limits

from mmwave_gym.agents.protocol import AgentError, NotInstalled
from mmwave_gym.agents.supervised import USUAL, Limits, playing
from mmwave_gym.benchmark import suite
from mmwave_gym.benchmark.evaluation import BLOCK, Layout, Row, play_episodes
from mmwave_gym.benchmark.leaderboard.digits import ends, number
from mmwave_gym.benchmark.leaderboard.keys import DEFINITION, differing
from mmwave_gym.benchmark.leaderboard.rows import Run
from mmwave_gym.benchmark.leaderboard.verified import digest
from mmwave_gym.benchmark.replay import Comparison, replay, spec_of
from mmwave_gym.benchmark.runs import Job, about_task, header
from mmwave_gym.benchmark.statistics import Interval, Sample
from mmwave_gym.benchmark.task import Task
from mmwave_gym.benchmark.verification.hidden import FALSE_ALARMS, Held, compare, hidden_keys
from mmwave_gym.core.errors import error_text
from mmwave_gym.version import __version__

ALONE, TOGETHER = 3, 6
"""Chains of episodes that are played one by one, and others in two blocks; ours."""
MAY_DRIFT = 10
"""One row in so many may drift on another processor or in blocks of another size, where last bits round otherwise."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What is to be verified of each run."""

    rows: int = BLOCK
    """How many rows are played again."""
    secret: str = ""
    """The key of hidden episodes; empty: none are played."""
    hidden: int = 32
    """Hidden episodes."""
    seed: str = ""
    """Draws which rows are played again, and their order."""
    limits: Limits = USUAL
    tests: int = 1
    """Runs that are compared on hidden episodes in all."""


@dataclass(frozen=True)
class Verdict:
    """What came of verifying a run: `status` is "passed", "failed" or "not checked", `reason` one line."""

    run: Run
    status: str
    reason: str
    replayed: tuple[int, ...] = ()
    """Episodes whose rows were compared."""
    hidden: Held | None = None

    def record(self) -> dict[str, Any] | None:
        """What is kept beside the rows; None for a run that did not pass."""
        if self.status != "passed":
            return None
        return {
            "rows_sha256": digest(self.run.header, self.run.episodes),
            "verified": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "package_version": __version__,
            "checked": ["header", "replay in another order", "blocks of other sizes"],
            "rows": len(self.run.episodes),
            "replayed": len(self.replayed),
            "hidden": None if self.hidden is None else self.hidden.episodes,
            "reason": self.reason,
        }

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        task, agent, seed = self.run.identity
        about = {"task": task, "agent": agent, "training_seed": seed, "status": self.status, "reason": self.reason}
        held = None if self.hidden is None else {**asdict(self.hidden), "holds": self.hidden.holds}
        return {**about, "rows": len(self.run.episodes), "replayed": list(self.replayed), "hidden": held}

    @classmethod
    def of(cls, run: Run, told: Mapping[str, Any]) -> Verdict:
        """The verdict on a run, from what `as_json` told."""
        held = None if told["hidden"] is None else Held.of(told["hidden"])
        return cls(run, told["status"], told["reason"], tuple(told["replayed"]), held)


class _Failed(Exception):
    """A check that a run does not pass, with the reason."""


Roles = Mapping[str, tuple[Sample, Sample]]
"""A task's floor and ceiling by name: the primary metric in published and in hidden episodes."""


def verify(run: Run, asked: Asked, roles: Roles = MappingProxyType({})) -> Verdict:
    """Check one run. A foreign agent plays supervised, whatever made its rows.

    roles: what hidden episodes are scored with; without them the primary metric is compared.
    """
    if not run.episodes or run.failed or run.skipped:
        why = f"it failed: {run.failed}" if run.failed else run.skipped or "it has no episode"
        return Verdict(run, "not checked", why)
    try:
        task = suite.task(run.task["name"])
    except ValueError as error:
        return Verdict(run, "failed", f"its task is not in the suite: {error_text(error)}")
    if task.missing_data:
        return Verdict(run, "not checked", task.missing_data)
    drawn = _drawn(run, task, asked)
    held = None
    try:
        _check_header(run, task, asked)
        here = replay(run, drawn, limits=asked.limits)
        _check_replay(here)
        _check_sizes(replace(run, episodes=here.rows), task, drawn, asked)
        if asked.secret:
            held = _hidden(run, asked, roles)
    except NotInstalled as error:
        return Verdict(run, "not checked", str(error))
    except (_Failed, AgentError, ValueError) as error:
        reason = str(error) if isinstance(error, _Failed) else f"it cannot be played: {error_text(error)}"
        return Verdict(run, "failed", reason, tuple(drawn), held)
    shown = f"{len(drawn)} of {len(run.episodes)} rows repeat, in any order and in blocks of any size tried"
    if held is None:
        return Verdict(run, "passed", f"{shown}; no hidden episodes without --key", tuple(drawn))
    reason = f"{'holds' if held.holds else 'does not hold'} on {_in_words(held)}"
    if not held.holds:
        return Verdict(run, "failed", f"its published {held.measure} {reason}", tuple(drawn), held)
    return Verdict(run, "passed", f"{shown}; the {held.measure} {reason}", tuple(drawn), held)


def _drawn(run: Run, task: Task, asked: Asked) -> list[int]:
    """Episodes to play again, whole chains of them, in a random order."""
    chance = random.Random(f"{asked.seed} {run.identity}")
    chains: dict[int, list[int]] = {}
    for row in run.episodes:
        chains.setdefault(row["episode"] // task.carry, []).append(row["episode"])
    chosen = chance.sample(sorted(chains), min(len(chains), max(1, asked.rows // task.carry)))
    return [episode for chain in chosen for episode in chains[chain]]


@cache
def _about(task: str) -> dict[str, Any]:
    """What today's header says of a task: once for all its runs."""
    found = suite.task(task)
    return about_task(found, found.episodes, golden=False)


def _check_header(run: Run, task: Task, asked: Asked) -> None:
    """The run is of this task and this agent. Code is not compared: what it does is."""
    numbers = {row["episode"] for row in run.episodes}
    if absent := sorted(set(range(max(numbers) + 1)) - numbers):
        raise _Failed(f"{len(absent)} of the first {max(numbers) + 1} episodes have no row, such as {absent[0]}")
    _, agent, seed = run.identity
    job = Job(task, agent, seed, len(run.episodes))
    # One thread: what an agent solves to describe itself, and then plays by, is solved as when it plays.
    with threadpool_limits(limits=1), playing(spec_of(run), task.scenario_name, task, limits=asked.limits) as player:
        now = header(job, player, _about(task.name))
    if found := differing(_declared(run.header), _declared(now)):
        part, before, after = found
        raise _Failed(f"{part} is {before!r} in the rows and {after!r} now")
    for name in DEFINITION:
        if run.task.get(name) != now["task"][name]:
            raise _Failed(f"task.{name} is {run.task.get(name)!r} in the rows and {now['task'][name]!r} now")
    before, after = run.agent["access"], now["agent"]["access"]
    if before != after:
        raise _Failed(f"the rows say access {before!r}, the agent says {after!r}")


def _declared(head: Mapping[str, Any]) -> dict[str, Any]:
    return {"task": head["task"], "agent": {**head["agent"], "code": None}}


def _check_replay(found: Comparison) -> None:
    if found.failed:
        raise _Failed(f"it cannot be played: {found.failed}")
    wrong = [e for e, verdict in found.verdicts.items() if verdict != "equal"]
    # Rows that claim another kind of processor must not all be a bit better for it.
    if not found.passed or _too_many_drifted(found.verdicts.values()):
        detail = f" {found.details[0]}" if found.details else ""
        raise _Failed(f"{len(wrong)} of {len(found.verdicts)} rows do not repeat.{detail}")


def _check_sizes(run: Run, task: Task, drawn: Sequence[int], asked: Asked) -> None:
    """Rows do not depend on how many episodes an agent sees at once. run: its rows were played on this processor."""
    chains = list(dict.fromkeys(e // task.carry for e in drawn))
    alone = [e for e in drawn if e // task.carry in chains[:ALONE]]
    together = [e for e in reversed(drawn) if e // task.carry in chains[:TOGETHER]]
    verdicts: list[str] = []
    details: list[str] = []
    for episodes, block, how in ((alone, 1, "alone"), (together, TOGETHER // 2, f"{TOGETHER // 2} at once")):
        found = replay(run, episodes, block, asked.limits)
        if found.failed:
            raise _Failed(f"played {how}, it fails: {found.failed}")
        verdicts += found.verdicts.values()
        details += [f"Played {how}: {detail}" for detail in found.details]
        if "differs" in verdicts or _too_many_drifted(verdicts):
            raise _Failed(f"its rows depend on how many are played at once. {details[-1]}")


def _too_many_drifted(verdicts: Collection[str]) -> bool:
    return list(verdicts).count("drifted") > max(1, len(verdicts) // MAY_DRIFT)


def _hidden(run: Run, asked: Asked, roles: Roles) -> Held:
    """Play hidden episodes with the agent, and compare."""
    _, agent, _ = run.identity
    own = sample_of(run.episodes, run), sample_of(hidden_rows(run, asked), run)
    found = {**roles, agent: own}
    for sample, where in zip(own, ("published", "hidden"), strict=True):
        if not sample.episodes.size:
            raise _Failed(f"no {where} episode has a scored step")
    public, hidden = ({name: pair[i] for name, pair in found.items()} for i in (0, 1))
    return compare(run.task, public, hidden, agent, asked.tests)


def hidden_rows(run: Run, asked: Asked) -> list[Row]:
    """Rows of hidden episodes, played by a run's agent. Raises AgentError."""
    task = suite.task(run.task["name"])
    chains = -(-asked.hidden // task.carry)
    layout = Layout(num_envs=BLOCK * task.carry, block=min(BLOCK, chains))
    with playing(spec_of(run), task.scenario_name, task, limits=asked.limits) as player:
        return play_episodes(player, task, range(chains * task.carry), hidden_keys(task, asked.secret), layout)


def sample_of(rows: Sequence[Mapping[str, Any]], run: Run) -> Sample:
    """Rows' values of the primary metric of a run's task."""
    metric = run.task["primary"]
    return Sample.of([{row["episode"]: float(row[metric]) for row in rows if row[metric] is not None}])


def _in_words(held: Held) -> str:
    def shown(value: Interval) -> str:
        return f"{number(value.mean, value)} {ends(value)}".rstrip()

    return (
        f"{held.episodes} hidden episodes: published {shown(held.published)}, hidden {shown(held.hidden)}, worse by "
        f"{shown(held.worse)}, one-sided p = {held.p:.2g} against {held.level:.2g} "
        f"({FALSE_ALARMS:.0%} over {round(FALSE_ALARMS / held.level)} compared)"
    )
