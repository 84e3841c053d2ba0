"""What a board says in words: who leads, what there is to win, which ceilings hold. All its forms share them."""

from __future__ import annotations

from mmwave_gym.benchmark.leaderboard.digits import ends, number
from mmwave_gym.benchmark.leaderboard.entries import Entry, TaskBoard, sign_of
from mmwave_gym.benchmark.statistics import Interval
from mmwave_gym.core.access import ACCESS_LEVELS


def headline(board: TaskBoard) -> list[tuple[str, str]]:
    """Return the task's result, a few sentences per access level, each time as (first agent's label, rest).

    Only a rule leads by its rank alone. Who is no rule leads where it is told apart from the best rule.
    """
    sentences = []
    for first in (e for e in board.entries if e.rank == 1):
        peers = sorted((e for e in board.entries if e.group == first.group and e.rank), key=lambda e: e.rank or 0)
        tied = 0
        while tied + 1 < len(peers) and peers[tied + 1].tied:
            tied += 1
        if len(peers) == 1:
            text = f"is the only {first.group} agent"
        elif first.gain is None or first.leads:
            text = f"leads the {first.group} agents"
        else:
            text = f"has the best mean of the {first.group} agents"
        if tied:
            text += " together with " + " and ".join(e.label for e in peers[1 : tied + 1])
        if first.score is not None:
            text += f": score {number(first.score.mean, first.score)} {ends(first.score)}"
        said = [_said(first.verdict, str(board.task.get("reference"))), _against_rule(first, board)]
        compared = ", and ".join(filter(None, said))
        rest = left(first, board)
        parts = (text.rstrip(), compared and f"It is {compared}", rest[:1].upper() + rest[1:])
        sentences.append((first.label, " ".join(f"{part}." for part in parts if part)))
    return sentences


SAID = {"better": "better than", "worse": "worse than", "tied": "tied with", "alike": "alike with"}
"""A verdict before the name of the agent that it compares with."""


def _said(verdict: str, other: str) -> str:
    return f"{SAID[verdict]} {other}" if verdict in SAID else ""


def _against_rule(entry: Entry, board: TaskBoard) -> str:
    """The difference to the best rule in words, empty for the rule itself."""
    if entry.gain is None:
        return ""
    other = board.entry(entry.best_rule)
    name = "the best rule, " + (other.label if other else entry.best_rule)
    unit = _unit(board)
    gain = f"{number(entry.gain.mean, entry.gain, True)}{unit} {ends(entry.gain, True)}".rstrip()
    share = "" if entry.share is None or entry.share < 0.0 else f", {entry.share:.0%} of the headroom"
    return f"{_said(entry.gain_verdict, name)}: {gain}{share}"


_KNOWN = {
    "hindsight-exact": "exact with all of the episode known",
    "expectation-exact": "exact in expectation",
    "proven bound": "proven",
}
"""How a ceiling's kind reads behind what it leaves."""


def left(entry: Entry, board: TaskBoard) -> str:
    """What the ceiling of an agent's level leaves above it, in words; empty where there is no ceiling or no more."""
    ceiling = board.ceiling(entry.access)
    if ceiling is None or entry.left is None or entry.agent in ceiling.agents[:1]:
        return ""
    unit = _unit(board)
    less = entry.left if sign_of(board.task) > 0 else _negative(entry.left)
    gain = f"{number(less.mean, less)}{unit} {ends(less)}".rstrip()
    if not ceiling.proven:
        return f"{gain} below the best known, which nobody has proven"
    return f"at most {gain} left for {entry.access} agents ({_KNOWN[ceiling.kind]})"


def _negative(value: Interval) -> Interval:
    low, high = (None if end is None else -end for end in (value.high, value.low))
    return Interval(-value.mean, low, high)


def ceilings(board: TaskBoard) -> list[str]:
    """Return a sentence for each ceiling: its value with interval, how it is known, for whom it holds."""
    unit = _unit(board)
    sentences = []
    for one in board.ceilings:
        levels = " and ".join(level for level in ACCESS_LEVELS if board.ceiling(level) is one)
        scale = f"; 1 on the scale of {levels} agents" if levels else ""
        by = "" if one.proven or not one.agents else f", by {', '.join(one.agents[:3])}"
        value = f"{number(one.mean.mean, one.mean)}{unit} {ends(one.mean)}".rstrip()
        known = "" if one.kind == one.name else f", {one.kind}"
        sentences.append(f"{one.name}: {value}{known}{by}{scale}.")
    return sentences


def limits(board: TaskBoard) -> str:
    """Return what there is to gain above the best rules, and which differences matter; empty if nothing is."""
    unit = _unit(board)
    sentences: list[str] = []
    above: dict[str, tuple[str, Interval | None]] = {}
    for level, (rule, headroom) in board.rules.items():
        above.setdefault(rule, (level, headroom))
    for rule, (level, headroom) in above.items():
        if headroom is not None:
            gain = f"{number(headroom.mean, headroom)}{unit} {ends(headroom)}".rstrip()
            sentences.append(f"Headroom, the ceiling less the best {level} rule ({rule}): {gain}.")
    for level in board.levels:
        known = [(e, e.share_of_reference) for e in board.entries if e.group == level and e.kind == "learned"]
        taken = [f"{e.label} {share:.0%}" for e, share in known if share is not None]
        if taken:
            reference = board.task["reference"]
            what = f"what {reference} leaves to the ceiling of {level} agents"
            sentences.append(f"Of {what}, learned agents take: {', '.join(taken)}.")
    if smallest := board.task.get("smallest_difference"):
        sentences.append(f"Differences below {smallest:g}{unit} are called alike.")
    return " ".join(sentences)


SUITES = {
    "v1": "The default suite: the best rule leaves something to win, and learned agents differ.",
    "papers": "Kept for the record: tasks of the papers, and tasks that tell agents apart no longer.",
}


def about_suite(name: str) -> str:
    """What a suite is, in one sentence."""
    return SUITES.get(name, "Tasks of another package.")


def _unit(board: TaskBoard) -> str:
    """The primary metric's unit behind a number; a number without one stands alone."""
    unit = board.units[board.task["primary"]]
    return "" if unit in ("", "1") else f" {unit}"
