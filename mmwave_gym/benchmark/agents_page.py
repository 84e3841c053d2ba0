"""The page of a scenario's agents: the rule of each in one formula, its source, what it knows, and its own text.

Formulas and sources stand in `agents.toml` beside the code of the agents, one table an agent. A line `what = "…"` takes
the place of the first sentence of the agent's own text::

    about = "n is a neighbour, s the serving cell."

    [strongest]
    formula = 'a = \\arg\\max_n M_n'
    symbols = "M: the newest measurement in dBm."
    source = "ours"

`mmwave-gym page --agents` writes the page, for a stranger's scenario as for ours.
"""

from __future__ import annotations

import inspect
import re
import tomllib
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from typing import Any

from mmwave_gym.agents.protocol import sees
from mmwave_gym.agents.registry import agents, named
from mmwave_gym.benchmark.suite import all_tasks
from mmwave_gym.benchmark.words import headed
from mmwave_gym.core import rooms

FILE = "agents.toml"
KINDS = {
    "rule": "rule",
    "paper": "rule of a paper",
    "planner": "planner",
    "learned": "learned",
    "ceiling": "ceiling",
    "floor": "the floor",
}
"""What an agent may be, in the order of the page, and how the page calls it."""
MOST_TASKS = 8


def agents_page(scenario: str) -> str:
    """The page of a scenario's agents, Markdown. ValueError for an unknown scenario."""
    room = rooms.room(scenario)
    names = sorted(agents(scenario), key=lambda name: (list(KINDS).index(kind_of(_of(name, scenario))), name))
    about = " ".join(spec.get("about", "") for spec in _specs(scenario)).strip()
    parts = [
        "<!-- Written by `mmwave-gym page --agents` from the code; edit the code. -->",
        f"# Agents of {scenario.replace('_', ' ')}",
        f"Who plays {_ids(room)}: the rule of each agent in one formula, and its source.",
        about,
        _command(scenario),
        _overview(names, scenario),
        *(_section(name, scenario) for name in names),
    ]
    return headed("\n\n".join(part for part in parts if part) + "\n")


def what(name: str, scenario: str) -> str:
    """What an agent does in a sentence: as told beside its formula, else the first one of its own text."""
    return spec_of(name, scenario).get("what") or summary(_of(name, scenario))


def summary(agent: Any) -> str:
    """The first sentence of an agent's own text."""
    text = " ".join((agent.__doc__ or "").partition("\n\n")[0].split())
    end = re.search(r"(?<!\beq)(?<!\be\.g)\. (?=[A-Z`])", text)
    return text[: end.start() + 1] if end else text


def kind_of(agent: Any) -> str:
    """What an agent is, one of `KINDS`."""
    kind = getattr(agent, "kind", "rule")
    if not isinstance(kind, str):  # of trained weights: the class that plays them
        return "learned"
    if getattr(agent, "access", "local") == "hindsight" and kind == "rule":
        return "ceiling"
    return kind if kind in KINDS else "rule"


def spec_of(name: str, scenario: str) -> Mapping[str, str]:
    """The formula, symbols and source of an agent, empty where none are told."""
    return _spec(_package(_of(name, scenario))).get(name, {})


_SIGNS = {
    "arg": "arg ", "max": "max", "min": "min", "ln": "ln ", "log": "log ", "tanh": "tanh ", "sum": "Σ", "int": "∫",
    "sqrt": "√", "mid": " | ", "prime": "'", "neq": " ≠ ", "geq": " ≥ ", "leq": " ≤ ", "leftarrow": " ← ", "to": " → ",
    "Rightarrow": " ⇒ ", "in": " ∈ ", "notin": " ∉ ", "sim": " ~ ", "ldots": "…", "cdot": "·", "propto": " ∝ ",
    "top": "T", "quad": " ", "qquad": "  ", "left": "", "right": "", ",": "", " ": " ", "{": "{", "}": "}",
}  # fmt: skip
_WITHIN = re.compile(r"\\(?:text|mathrm|mathbb|mathtt)\{([^{}]*)\}")
_PART = r"\{((?:[^{}]|\{[^{}]*\})*)\}"
_OVER = re.compile(rf"\\frac{_PART}{_PART}")
_MACRO = re.compile(r"\\([A-Za-z]+|.)\s?")


def in_letters(formula: str) -> str:
    """A formula for a terminal, in which signs and Greek letters stand for TeX's words."""
    found, before = formula, ""
    while found != before:
        before, found = found, _OVER.sub(r"(\1)/(\2)", _WITHIN.sub(r"\1", found))
    return " ".join(_MACRO.sub(lambda macro: _sign(macro[1]), found).split())


def _sign(word: str) -> str:
    if word in _SIGNS:
        return _SIGNS[word]
    size = "CAPITAL" if word[:1].isupper() else "SMALL"
    try:
        return unicodedata.lookup(f"GREEK {size} LETTER {'LAMDA' if word.lower() == 'lambda' else word.upper()}")
    except KeyError:
        return f"{word} "


def _of(name: str, scenario: str) -> Any:
    return named(name, scenario)


def _package(agent: Any) -> str:
    """The package whose files an agent's code lies beside."""
    return str(getattr(agent, "package", None) or agent.__module__.rpartition(".")[0])


@lru_cache
def _spec(package: str) -> Mapping[str, Any]:
    file = files(package) / FILE
    return tomllib.loads(file.read_text("utf-8")) if file.is_file() else {}


def _specs(scenario: str) -> list[Mapping[str, Any]]:
    """What the packages of a scenario's agents tell, each once."""
    packages = dict.fromkeys(_package(_of(name, scenario)) for name in agents(scenario))
    return [_spec(package) for package in packages]


def _ids(room: rooms.Room) -> str:
    page = room.entries[0].id
    links = [f"[{e.id}](../environments/{room.name if e.id == page else e.id}.md)" for e in room.entries]
    return " and ".join(links)


def _command(scenario: str) -> str:
    task = next(iter(all_tasks(scenario)), None)
    reference = getattr(task, "reference", None)
    if task is None or not reference:
        return ""
    return f"```sh\nmmwave-gym evaluate {reference} --task {task.name} --episodes 8\n```"


def _overview(names: list[str], scenario: str) -> str:
    lines = ["| agent | what it does | access |", "|---|---|---|"]
    for name in names:
        told = what(name, scenario).replace("|", "\\|")
        lines.append(f"| [`{name}`](#{name}) | {told} | {_access(_of(name, scenario))} |")
    return "\n".join(lines)


def _access(agent: Any) -> str:
    player = agent if hasattr(agent, "access") else getattr(agent, "kind", agent)
    return sees(player)


def _section(name: str, scenario: str) -> str:
    agent, spec = _of(name, scenario), spec_of(name, scenario)
    label = getattr(agent, "label", None) or getattr(agent, "named", "")
    called = f"{label}, " if isinstance(label, str) and label and label != name else ""
    parts = [f"## {name}", f"{called}{KINDS[kind_of(agent)]}, access `{_access(agent)}`."]
    if formula := spec.get("formula"):
        parts.append(f"$$\n{formula}\n$$")
    parts.append(
        " ".join(x for x in (spec.get("symbols", ""), f"Source: {spec['source']}." if "source" in spec else "") if x)
    )
    parts.append(_own_text(agent))
    parts.append(_weights(agent, scenario))
    return "\n\n".join(part for part in parts if part)


def _own_text(agent: Any) -> str:
    """The docstring; its formulas, which are indented, stay on lines of their own."""
    return inspect.cleandoc(agent.__doc__ or "")


def _weights(agent: Any, scenario: str) -> str:
    """For which tasks an agent has weights."""
    if not callable(seeds := getattr(agent, "training_seeds", None)):
        return ""
    have = {task.name: seeds(task) for task in all_tasks(scenario)}
    have = {task: found for task, found in have.items() if found}
    if not have:
        return "No weights are shipped."
    count = sorted({len(found) for found in have.values()})
    shown = ", ".join(f"`{task.partition('/')[2]}`" for task in list(have)[:MOST_TASKS])
    more = f" and {len(have) - MOST_TASKS} more" if len(have) > MOST_TASKS else ""
    seeds_said = f"{count[0]}" if len(count) == 1 else f"{count[0]} to {count[-1]}"
    return f"Weights of {seeds_said} training seeds: {shown}{more}."
