"""One run verified: its header, its rows played again, in other orders and block sizes, and hidden episodes."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from threadpoolctl import threadpool_limits

from mmwave_gym.agents.protocol import AgentError
from mmwave_gym.agents.supervised import USUAL, Limits, playing
from mmwave_gym.benchmark import suite
from mmwave_gym.benchmark.evaluation import BLOCK, Layout, Row, play_episodes
from mmwave_gym.benchmark.leaderboard.keys import differing
from mmwave_gym.benchmark.leaderboard.rows import Run
from mmwave_gym.benchmark.leaderboard.tables import ends, number
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


class _Failed(Exception):
    """A check that a run does not pass, with the reason."""


def verify(run: Run, context: Iterable[Run], asked: Asked, memory: dict[Any, Any] | None = None) -> Verdict:
    """Check one run.

    context: runs among which the rows of the task's floor and ceiling are found. memory: what one verification of many
    runs need not find out twice; give the same dict again. A foreign agent plays supervised, whatever made its rows.
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
    memory = {} if memory is None else memory
    drawn = _drawn(run, task, asked)
    held = None
    try:
        _check_header(run, task, asked, memory)
        _check_replay(replay(run, drawn, limits=asked.limits))
        _check_sizes(run, task, drawn, asked)
        if asked.secret:
            held = _hidden(run, task, context, asked, memory)
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


def _check_header(run: Run, task: Task, asked: Asked, memory: dict[Any, Any]) -> None:
    """The run is of this task and this agent. Code is not compared: what it does is."""
    numbers = {row["episode"] for row in run.episodes}
    if absent := sorted(set(range(max(numbers) + 1)) - numbers):
        raise _Failed(f"{len(absent)} of the first {max(numbers) + 1} episodes have no row, such as {absent[0]}")
    _, agent, seed = run.identity
    job = Job(task, agent, seed, len(run.episodes))
    if (known := ("about", task.name)) not in memory:
        memory[known] = about_task(task, task.episodes, golden=False)
    # One thread: what an agent solves to describe itself, and then plays by, is solved as when it plays.
    with threadpool_limits(limits=1), playing(spec_of(run), task.scenario_name, task, limits=asked.limits) as player:
        now = header(job, player, memory[known])
    if found := differing(_declared(run.header), _declared(now)):
        part, before, after = found
        raise _Failed(f"{part} is {before!r} in the rows and {after!r} now")
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
    """Rows do not depend on how many episodes an agent sees at once."""
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


def _hidden(run: Run, task: Task, context: Iterable[Run], asked: Asked, memory: dict[Any, Any]) -> Held:
    """Play hidden episodes with the agent, and with floor and ceiling once a task."""
    _, agent, _ = run.identity
    primary, public, hidden = run.task["primary"], {agent: _sample(run.episodes, run.task["primary"])}, {}
    hidden[agent] = _sample(_play_hidden(spec_of(run), task, asked), primary)
    for role in (task.floor, task.ceiling):
        published = _published(role, run, context)
        if role is None or role == agent or published is None:
            continue
        if (known := ("hidden", task.name, role)) not in memory:
            memory[known] = _sample(_play_hidden(spec_of(published), task, asked), primary)
        public[role], hidden[role] = _sample(published.episodes, primary), memory[known]
    for samples, where in ((public, "published"), (hidden, "hidden")):
        if not samples[agent].episodes.size:
            raise _Failed(f"no {where} episode has a scored step")
    return compare(run.task, public, hidden, agent, asked.tests)


def _published(role: str | None, run: Run, context: Iterable[Run]) -> Run | None:
    """The rows of a floor or ceiling in the run's task, the first training seed's."""
    task = run.task
    fit = [r for r in context if r.agent["name"] == role and r.task["hash"] == task["hash"] and r.episodes]
    return min(fit, key=lambda r: r.identity[2] or 0, default=None)


def _play_hidden(spec: str, task: Task, asked: Asked) -> list[Row]:
    chains = -(-asked.hidden // task.carry)
    layout = Layout(num_envs=BLOCK * task.carry, block=min(BLOCK, chains))
    with playing(spec, task.scenario_name, task, limits=asked.limits) as player:
        return play_episodes(player, task, range(chains * task.carry), hidden_keys(task, asked.secret), layout)


def _sample(rows: Iterable[Mapping[str, Any]], metric: str) -> Sample:
    return Sample.of([{row["episode"]: float(row[metric]) for row in rows if row[metric] is not None}])


def _in_words(held: Held) -> str:
    def shown(value: Interval) -> str:
        return f"{number(value.mean, value)} {ends(value)}".rstrip()

    return (
        f"{held.episodes} hidden episodes: published {shown(held.published)}, hidden {shown(held.hidden)}, worse by "
        f"{shown(held.worse)}, one-sided p = {held.p:.2g} against {held.level:.2g} "
        f"({FALSE_ALARMS:.0%} over {round(FALSE_ALARMS / held.level)} compared)"
    )
