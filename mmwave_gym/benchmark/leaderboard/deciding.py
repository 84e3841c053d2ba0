"""What decides a task: how much the best rule leaves to win, and whether learned agents differ. So its suite follows.

A task is judged at its lowest access level that has a rule. A share is the score there: 0 at the floor, 1 at the
ceiling of the level, the lowest that is proven, else the best known. Suite "v1" has tasks whose best rule has at most
`MOST_OF_A_RULE`, whose learned agents are below `SATURATED_LEARNED`, and of whose learned agents one at least is told
apart from that rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mmwave_gym.benchmark.leaderboard.entries import Entry, TaskBoard
from mmwave_gym.core.access import ACCESS_LEVELS
from mmwave_gym.core.suites import DEFAULT, RECORD

MOST_OF_A_RULE = 0.85
SATURATED_RULE = 0.985
SATURATED_LEARNED = 0.99


@dataclass(frozen=True)
class Decided:
    """What the rows of a task say of it.

    suite: "v1" or "papers", "" where rows cannot tell. because: the reason, a sentence without its full stop.
    rule, rule_share: the best rule of the level and its share. learned: the shares of learned agents of that level by
    name, best first. apart: those of them that are told apart from the rule.
    """

    suite: str
    because: str
    level: str = ""
    rule: str = ""
    rule_share: float | None = None
    learned: Mapping[str, float] | None = None
    apart: tuple[str, ...] = ()


def decide(board: TaskBoard) -> Decided:
    """What the rows of a task say of its suite."""
    level, rule = _lowest_rule(board)
    if rule is None:
        return Decided("", "no rule has been scored")
    of, shares = _shares(board, level)
    if of is None or rule.agent not in shares:
        return Decided("", "no ceiling is known, so what the best rule leaves cannot be said", level)
    learned = {e.agent: shares[e.agent] for e in _of_level(board, level) if e.kind == "learned"}
    learned = dict(sorted(learned.items(), key=lambda item: -item[1]))
    apart = tuple(e.agent for e in board.entries if e.agent in learned and e.gain_verdict in ("better", "worse"))
    share = shares[rule.agent]
    suite, why = _suite(share, learned, apart)
    has = f"the best {level} rule, {rule.agent}, has {share:.3f} of {of}"
    return Decided(suite, f"{has}; {why}", level, rule.agent, share, learned, apart)


def _suite(share: float, learned: Mapping[str, float], apart: tuple[str, ...]) -> tuple[str, str]:
    """The suite, and what is said after the rule's share."""
    best = max(learned, key=lambda name: learned[name], default="")
    if not learned:
        says = "no learned agent has been scored at this level"
    else:
        spread = (
            f"from {min(learned.values()):.3f} to {learned[best]:.3f}" if len(learned) > 1 else f"{learned[best]:.3f}"
        )
        says = f"learned agents: {spread}, {len(apart)} of {len(learned)} told apart from the rule"
    if share >= SATURATED_RULE:
        return RECORD, f"saturated ({SATURATED_RULE:g} or more); {says}"
    if learned and learned[best] >= SATURATED_LEARNED:
        return RECORD, f"{best} is at {SATURATED_LEARNED:g} or more; {says}"
    if share > MOST_OF_A_RULE:
        return RECORD, f"more than {MOST_OF_A_RULE:g}; {says}"
    if learned and not apart:
        return RECORD, f"learned agents do not differ from it; {says}"
    return DEFAULT, says


def contradiction(board: TaskBoard) -> str:
    """A sentence where a task's suite is not what its rows say, and it does not state why; else empty.

    Tasks of another suite than "v1" and "papers" contradict nothing.
    """
    if board.suite not in (DEFAULT, RECORD) or board.task.get("why"):
        return ""
    found = decide(board)
    if found.suite == board.suite:
        return ""
    asked = f"in suite {found.suite}" if found.suite else "undecided"
    return f"{board.name} is in suite {board.suite}, by its rows it is {asked}: {found.because}."


def reason(board: TaskBoard) -> str:
    """Why a task is in its suite, for its page: what it states, and what its rows say."""
    found, stated = decide(board), str(board.task.get("why") or "").rstrip(".")
    if board.suite not in (DEFAULT, RECORD):
        return f"Suite {board.suite}. By its rows: {found.because}."
    if stated:
        return f"Suite {board.suite}: {stated}. By its rows: {found.because}."
    return f"Suite {board.suite}: {found.because}."


def _lowest_rule(board: TaskBoard) -> tuple[str, Entry | None]:
    for level in ACCESS_LEVELS:
        names = {e.best_rule for e in board.entries if e.group == level and e.best_rule}
        if names:
            return level, board.entry(names.pop())
    return "", None


def _of_level(board: TaskBoard, level: str) -> list[Entry]:
    return [e for e in board.entries if e.group == level and e.status == "scored" and e.mean is not None]


def _shares(board: TaskBoard, level: str) -> tuple[str | None, dict[str, float]]:
    """Against what, in words, and the share of it of each agent of the level; None and nothing where there is no
    ceiling."""
    ceiling = board.ceiling(level)
    scores = {e.agent: e.score.mean for e in _of_level(board, level) if e.score is not None}
    if ceiling is None or not scores:
        return None, {}
    named = ceiling.name if ceiling.kind == ceiling.name else f"{ceiling.name} ({ceiling.kind})"
    return f"the ceiling of {level} agents, {named}", scores
