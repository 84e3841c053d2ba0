"""Where an agent stands in a task: its rank, and its difference to the best rule and to the leader, with a verdict."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from mmwave_gym.benchmark.leaderboard.board import Definitions, sample_of, summarise
from mmwave_gym.benchmark.leaderboard.ceilings import Ceiling
from mmwave_gym.benchmark.leaderboard.differences import Difference, of_primary, rough_episodes, what_settles, words
from mmwave_gym.benchmark.leaderboard.digits import ends, number
from mmwave_gym.benchmark.leaderboard.entries import Entry, TaskBoard
from mmwave_gym.benchmark.leaderboard.leading import best_rule
from mmwave_gym.benchmark.leaderboard.rows import Run
from mmwave_gym.benchmark.statistics import Sample


@dataclass(frozen=True)
class Standing:
    """One agent among the rows of a task.

    ranked: how many agents of its access level are ranked, itself included. against: by role ("best rule", "leader",
    or "best rule and leader") the paired difference to that agent.
    """

    board: TaskBoard
    entry: Entry
    ranked: int
    against: tuple[tuple[str, Difference], ...]

    @property
    def name(self) -> str:
        """The agent as commands name it: with its training seed where one was played ("ppo@3")."""
        seeds = [run.agent["training_seed"] for run in self.entry.runs]
        return f"{self.entry.agent}@{seeds[0]}" if len(seeds) == 1 and seeds[0] is not None else self.entry.agent

    @property
    def leads(self) -> bool:
        """Whether it is first of its level and told apart from all whom it is compared with."""
        return self.entry.rank == 1 and all(one.verdict == "better" for _, one in self.against)

    @property
    def verdict(self) -> str:
        """One sentence: where it stands, and by how much."""
        level = self.entry.group
        said = "; ".join(words(one, f"the {role}") for role, one in self.against)
        if self.entry.rank == 1 and self.ranked == 1 and level != "bound":
            first = f"the only {level} agent with rows"
        elif self.leads:
            first = f"leads the {level} agents"
        elif self.entry.rank == 1:
            first = f"has the best mean of the {level} agents"
        else:
            first = ""
        return ": ".join(filter(None, (first, said))) or "there is nobody to compare it with"

    @property
    def undecided(self) -> list[Difference]:
        """The differences that more episodes, or more training seeds, would settle."""
        return [one for _, one in self.against if one.more != 0]

    def lines(self) -> list[str]:
        """Rank, score and verdict, a sentence each."""
        entry = self.entry
        if entry.rank is None:
            ranks = f"Not ranked: {_why_unranked(entry)}."
        else:
            ranks = f"Rank {entry.rank} of {self.ranked} {entry.group} agents among the committed rows."
        told = [ranks]
        if entry.score is not None and (ceiling := self.board.ceiling(entry.access)) is not None:
            scale = f"0 is {self.board.task['floor']}, 1 the ceiling ({ceiling.name})"
            score = f"{number(entry.score.mean, entry.score)} {ends(entry.score)}".rstrip()
            told.append(f"Score {score}: {scale}.")
        elif self.board.no_score:
            told.append(self.board.no_score)
        told.append(f"Verdict: {self.verdict}.")
        told += [f"Undecided against {one.other}: {what_settles(one)}{self._command(one)}" for one in self.undecided]
        return [*told, *(note.rstrip(".") + "." for note in entry.notes)]

    def _command(self, one: Difference) -> str:
        """The command that plays so many episodes, where the number is known."""
        if one.more is None:
            return ""
        names = shlex.join([self.name, one.other])
        return f" mmwave-gym compare {names} --task {self.board.name} --episodes {rough_episodes(one)}"

    def as_json(self) -> dict[str, Any]:
        """All of it as JSON values."""
        entry = self.entry
        score = entry.score and {"mean": entry.score.mean, "low": entry.score.low, "high": entry.score.high}
        return {
            "rank": entry.rank,
            "ranked": self.ranked,
            "level": entry.group,
            "score": score,
            "against": [{"role": role, **one.as_json()} for role, one in self.against],
            "leads": self.leads,
            "verdict": self.verdict,
            "notes": list(entry.notes),
        }


def _why_unranked(entry: Entry) -> str:
    return "it is the floor" if "floor" in entry.roles else f"{entry.access} agents are ceilings"


def stand(
    own: Sequence[Run], others: Sequence[Run], tasks: Definitions, ceilings: Sequence[Ceiling] = ()
) -> Standing | None:
    """Where the agent of the runs `own` stands among the runs of others; None where `own` has no scored episode.

    Rows of `others` that are of an agent of the same name are left out: it does not compete with itself. tasks,
    ceilings: as for `summarise`.
    """
    name = str(own[0].agent["name"])
    same = [run for run in others if run.agent["name"] == name]
    runs = [narrow(run) for run in (*own, *(run for run in others if run.agent["name"] != name))]
    (board,) = summarise(runs, tasks, ceilings).tasks
    return standing(board, name, same)


def standing(board: TaskBoard, name: str, same: Sequence[Run] = ()) -> Standing | None:
    """Where an agent of a board stands; None where it has no scored episode.

    same: other runs of the agent. With them the best rule is chosen on their episodes, too: an agent that is the
    task's reference, by which rules are ordered, may have played few.
    """
    entry = board.entry(name)
    if entry is None:
        return None
    samples = {e.agent: sample(e, board) for e in board.entries if e.status == "scored"}
    rivals = [e for e in board.entries if e is not entry and e.status == "scored"]
    known = {name: _sample(same, board)} if any(map(_is_whole, same)) else {}
    rule = best_rule(board.task, rivals, {**samples, **known}, entry.access)
    level = [e for e in rivals if e.group == entry.group and e.rank is not None]
    leader = min(level, key=lambda e: e.rank or 0, default=None)
    roles: dict[str, list[str]] = {}
    for role, rival in (("best rule", rule), ("leader" if entry.rank != 1 else "next", leader)):
        if rival is not None:
            roles.setdefault(rival.agent, []).append(role)
    unit = board.units[str(board.task["primary"])]
    against = [
        (" and ".join(held), of_primary(board.task, samples[name], samples[rival], rival, unit))
        for rival, held in roles.items()
    ]
    ranked = len(level) + (entry.rank is not None)
    return Standing(board, entry, ranked, tuple((role, one) for role, one in against if one is not None))


def sample(entry: Entry, board: TaskBoard) -> Sample:
    """The values (seed, episode) of a scored entry in the primary metric, in its unit."""
    return _sample(entry.runs, board)


def _sample(runs: Sequence[Run], board: TaskBoard) -> Sample:
    return sample_of(list(filter(_is_whole, runs)), str(board.task["primary"]), board.task.get("groups"))


def _is_whole(run: Run) -> bool:
    return bool(run.episodes) and run.failed is None and run.skipped is None


def narrow(run: Run) -> Run:
    """The run with its primary metric only: intervals of all others are not asked for."""
    primary = run.task["primary"]
    metrics = {primary: run.header["metrics"][primary]} if primary in run.header["metrics"] else {}
    return replace(run, header={**run.header, "metrics": metrics})
