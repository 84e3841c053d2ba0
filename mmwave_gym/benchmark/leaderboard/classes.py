"""On what terms an agent plays: a rule, a bound, or learned, and from what. Computed from what its rows say.

A class is one of `CLASSES`. A learned agent may be in several: from imitation and with regrets, on another task.
"""

from __future__ import annotations

from mmwave_gym.benchmark.leaderboard.entries import Entry, TaskBoard

CLASSES = {
    "rule": "a rule, with parameters that were tuned or chosen",
    "paper": "a method of the paper that the scenario is from",
    "planner": "computes its decisions from the world's model",
    "bound": "the floor, ceilings, and agents that know the whole episode",
    "rewards only": "learned from the environment's rewards, and nothing else",
    "with imitation": "pretrained by behaviour cloning of another agent",
    "with regrets": "its rewards were shaped by the optimum in hindsight",
    "transferred": "trained on another task or on other keywords than it plays",
    "training unknown": "learned, and its rows do not say how",
    "other": "somebody's agent that does not say what it is",
}


def classes(entry: Entry, board: TaskBoard) -> tuple[str, ...]:
    """The classes of an agent on a task, the order as in `CLASSES`."""
    told = entry.training
    if entry.group == "bound" or (told is None and entry.kind in ("floor", "ceiling")):
        return ("bound",)
    if told is None:
        kind = entry.kind if entry.kind in ("rule", "paper", "planner") else "other"
        return ("training unknown",) if entry.kind == "learned" else (kind,)
    teacher, regrets, place = (told.get(name) for name in ("teacher", "oracle_regrets", "trained_on"))
    found = ["paper"] if entry.kind == "paper" else []
    if teacher is None or regrets is None:
        found.append("training unknown")
    elif not teacher and not regrets:
        found.append("rewards only")
    found += ["with imitation"] if teacher else []
    found += ["with regrets"] if regrets else []
    found += ["transferred"] if place is not None and place != board.name else []
    return tuple(name for name in CLASSES if name in found)
