"""The docs page of an environment, from its code: spaces, reward, metrics, keywords, tasks, agents, and the guide.

`mmwave-gym page` writes it, for a stranger's room as for ours. What is found where the page will lie is shown too: an
animation `<scenario>.gif` beside it or in `../images`, `../reproductions/<scenario>.md`, and the headroom on the board
`../leaderboard/leaderboard.csv`.
"""

from __future__ import annotations

import ast
import csv
import dataclasses
import inspect
import sys
from collections.abc import Iterable
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from mmwave_gym.agents.protocol import sees
from mmwave_gym.agents.registry import agents, named
from mmwave_gym.benchmark.agents_page import what
from mmwave_gym.benchmark.bounds import stored_ceilings
from mmwave_gym.benchmark.quoting import Source, filled
from mmwave_gym.benchmark.reproduction import GROUP as REPRODUCTIONS
from mmwave_gym.benchmark.suite import all_tasks
from mmwave_gym.benchmark.task import Task
from mmwave_gym.benchmark.words import headed
from mmwave_gym.core import ranges
from mmwave_gym.core.access import ACCESS_LEVELS
from mmwave_gym.core.memory import DEFAULT_GIB
from mmwave_gym.core.registration import entry as entry_of, make_registered, room_of
from mmwave_gym.core.rooms import Entry, Room
from mmwave_gym.core.scenario import Scenario
from mmwave_gym.core.worlds import worlds_of

PER = {"step": "mean over steps", "second": "sum per second", "all": "sum over the episode"}


def page(env_id: str, folder: Path) -> str:
    """The page of an environment, Markdown, as it should lie in `folder`. ValueError for an unknown id."""
    room, entry = room_of(env_id), entry_of(env_id)
    scenario = make_registered(entry.id)
    named = next(c for c in room.load("scenario").__mro__ if "name" in vars(c))  # not one that only compiles its steps
    text = inspect.cleandoc(sys.modules[named.__module__].__doc__ or "")
    intro, _, differences = text.partition("\nDifferences from the paper")
    first, _, rest = intro.strip().partition("\n\n")
    parts = [
        f"<!-- Written by `mmwave-gym page` from the code; edit the code. -->\n\n# {entry.id}",
        first,
        _picture(room, entry, folder),
        f'```python\nimport gymnasium as gym, mmwave_gym\n\nenv = gym.make("{entry.id}")\n'
        f'envs = gym.make_vec("{entry.id}", num_envs={_copies(scenario)})\n```',
        f"## How it works\n\n{rest.strip()}" if rest else "",
        "## Observation\n\nOne float32 vector, the fields in this order.",
        _fields(scenario),
        *_variant(room, entry),
        "## Action",
        _table(("space", "what it is"), [(f"`{scenario.action_space}`", scenario.action_meaning)]),
        "## Reward and metrics\n\n`info` holds a step's metrics, a row of the leaderboard what the last column says.",
        _table(
            ("name", "unit", "what it is", "in a row"),
            [
                ("**reward**", scenario.reward_unit, scenario.reward_meaning, PER["step"]),
                *((f"`{m.name}`", m.unit, m.description, PER[m.per]) for m in scenario.metrics),
            ],
        ),
        "## Keywords",
        "Every value in its range works, or is refused with the reason before anything is played. A world that would "
        "take\nmore memory than MMWAVE_MEMORY_GIB (default 4) is refused with the sum.",
        _table(
            ("keyword", "default", "range", "what more of it costs", "what it does"), keywords_of(room.load("config"))
        ),
        _size(scenario),
        f"## Differences from the paper{differences}" if differences else "",
        _reproduced(room, folder),
        "## Tasks",
        _table(
            ("task", "suite", "what it is", "warm-up", "scored", "ceilings"),
            (
                (
                    f"`{t.name}`",
                    t.suite,
                    t.description,
                    t.warmup_steps,
                    t.scored_steps or "to the end",
                    _limits(t, scenario),
                )
                for t in all_tasks(room.name)
                if t.env_id == entry.id
            ),
        ),
        _granted(room),
        _headroom(room, entry, folder),
        *_agents(room, folder),
        _guide(room, Source(folder.parent)),
        "## Versions\n\n" + "\n".join(f"- {line}" for line in entry.history),
    ]
    return headed("\n\n".join(part for part in parts if part) + "\n")


def _guide(room: Room, source: Source) -> str:
    """The room's text, its quotes renewed where there is a board to quote."""
    text = room.text().strip()
    return filled(text, lambda: source) if source.board.exists() else text


def _fields(scenario: Scenario[Any, Any]) -> str:
    return _table(
        ("field", "size", "range", "unit", "what it is"),
        ((f"`{f.name}`", f.size, f"{f.low:g} to {f.high:g}", f.unit, f.description) for f in scenario.fields),
    )


def _variant(room: Room, entry: Entry) -> list[str]:
    """The observation with the keywords `documented` of the room."""
    if not room.documented:
        return []
    said = ", ".join(f"`{name}={value!r}`" for name, value in room.documented.items())
    return [f"With {said}:", _fields(make_registered(entry.id, **room.documented))]


def _agents(room: Room, folder: Path) -> list[str]:
    """Who plays, each with a line; where the page of the agents lies, with a link to it."""
    page = f"../agents/{room.name}.md"
    there = (folder / page).exists()
    rows = []
    for name in agents(room.name):
        agent = named(name, room.name)
        player = agent if hasattr(agent, "access") else getattr(agent, "kind", agent)  # of weights: who has them
        rows.append((f"[`{name}`]({page}#{name})" if there else f"`{name}`", what(name, room.name), sees(player)))
    more = f"\n\nThe [page of the agents]({page}) has the rule of each in one formula, and its source." if there else ""
    return [f"## Agents{more}", _table(("name", "what it does", "access"), rows)] if rows else []


def _copies(scenario: Scenario[Any, Any]) -> int:
    """So many environment copies as a stranger's memory takes, whatever the limit is here: 1024 or fewer."""
    memory = scenario.memory()
    return next((n for n in (1024, 256) if memory is None or memory.total(n) <= DEFAULT_GIB * 2**30), 64)


def _picture(room: Room, entry: Entry, folder: Path) -> str:
    places = (f"{room.name}.gif", f"../images/{room.name}.gif")
    found = next((place for place in places if (folder / place).exists()), None)
    return f"![An episode of {entry.id}]({found})" if found else ""


def _reproduced(room: Room, folder: Path) -> str:
    paper = room.name.replace("_", "-")
    if paper not in {point.name for point in entry_points(group=REPRODUCTIONS)}:
        return ""
    place = f"../reproductions/{room.name}.md"
    claims = "Every printed number, every claim"
    linked = f"[{claims}]({place})" if (folder / place).exists() else claims
    return (
        f"## The paper, reproduced\n\n{linked} beside what we measure, with a verdict on\n"
        f"each: `mmwave-gym reproduce {paper} --out DIR`."
    )


def _limits(task: Task, scenario: Scenario[Any, Any]) -> str:
    """The stored ceilings that hold, each with its kind, its value and the highest level that it holds for."""
    unit = next((m.unit for m in scenario.metrics if m.name == task.primary), scenario.reward_unit)
    return "; ".join(
        f"{c.name} ({c.kind}): {_short(c.mean.mean)} {unit} for {c.level} agents"
        for c in sorted(stored_ceilings([task]), key=lambda c: (ACCESS_LEVELS.index(c.level), c.name))
        if not c.stale
    )


def _granted(room: Room) -> str:
    """What an agent of each access level may know."""
    if not room.grants:
        return ""
    rows = [(f"`{level}`", room.grants[level]) for level in ACCESS_LEVELS if level in room.grants]
    return "## Access levels\n\nEach level also knows what the levels above it in the table know.\n\n" + _table(
        ("level", "what it grants here"), rows
    )


def _headroom(room: Room, entry: Entry, folder: Path) -> str:
    """Of each task on the committed leaderboard: the best rule that a UE could play, its ceiling, the best learner.

    All of it stands in the board's file; see `mmwave_gym.benchmark.leaderboard.leading` for what it is.
    """
    board = folder.parent / "leaderboard" / "leaderboard.csv"
    if not board.exists():
        return ""
    with board.open(encoding="utf-8") as file:
        scored = [row for row in csv.DictReader(file) if row["mean"]]
    rows = []
    for task in (t for t in all_tasks(room.name) if t.env_id == entry.id):
        here = {row["agent"]: row for row in scored if row["task"] == task.name}
        rule = next((here[r["best_rule"]] for r in here.values() if r["group"] == "local" and r["headroom"]), None)
        if rule is None or not rule.get("ceiling"):
            continue
        learned = [row for row in here.values() if row["group"] == "local" and row["kind"] == "learned"]
        best = min(learned, key=lambda row: int(row["rank"]), default=None)
        headroom, mean, unit = float(rule["headroom"]), float(rule["mean"]), rule["unit"]
        share = "" if unit.startswith("log") else f" ({headroom / abs(mean):.1%})"
        rows.append(
            (
                f"`{task.name}`",
                f"`{rule['agent']}` {_short(mean)}",
                f"{rule['ceiling']} ({rule['ceiling_kind']}) {_short(float(rule['ceiling_mean']))}",
                f"{_short(headroom, 3)} {unit}{share}",
                *(("", "", "") if best is None else _learned(best)),
            )
        )
    if not rows:
        return ""
    head = ("task", "best rule", "ceiling", "headroom", "best learned agent", "less the best rule", "of the headroom")
    return (
        "## What a task leaves to win\n\nHeadroom = ceiling - best local rule. A local rule needs only what an agent "
        "observes. The best learned local agent\nstands beside it, with its paired difference to that rule. Numbers "
        "are those of the committed\n[leaderboard](../leaderboard/leaderboard.md), which has all agents and "
        "intervals.\n\n" + _table(head, rows)
    )


def _learned(row: dict[str, str]) -> tuple[str, str, str]:
    """A learned agent with its mean, its difference to the best rule with interval and verdict, and its share."""
    mean, low, high = (float(row[f"gain{end}"]) for end in ("", "_low", "_high"))
    gain = f"{_short(mean, 3, '+')} [{_short(low, 3, '+')}, {_short(high, 3, '+')}], {row['gain_verdict']}"
    return f"`{row['agent']}` {_short(float(row['mean']))}", gain, f"{float(row['headroom_share']):.0%}"


def _short(value: float, digits: int = 5, sign: str = "") -> str:
    """So many digits, all those before the point."""
    return f"{value:{sign},.0f}" if abs(value) >= 10.0 ** (digits - 1) else f"{value:{sign}.{digits}g}"


def keywords_of(config: Any) -> Iterable[tuple[Any, ...]]:
    """Keyword, default, range and cost as declared, and the text that stands under it in the source."""
    texts: dict[str, str] = {}
    for kind in reversed([k for k in config.__mro__ if "__dataclass_fields__" in vars(k)]):
        body: Any = ast.parse(inspect.cleandoc(inspect.getsource(kind))).body[0]
        for statement, following in zip(body.body, body.body[1:], strict=False):
            if isinstance(statement, ast.AnnAssign) and isinstance(following, ast.Expr):
                assert isinstance(statement.target, ast.Name)
                texts[statement.target.id] = " ".join(ast.literal_eval(following.value).split())
    for f in dataclasses.fields(config):
        default = f.default if f.default_factory is dataclasses.MISSING else f.default_factory()
        written = "" if default is dataclasses.MISSING else f"`{default!r}`"
        worlds = " or ".join(worlds_of(f))
        keyword, values = f.metadata.get("with", ("", ()))
        only = [f"in {worlds}"] if worlds else []
        only += [f"with `{keyword}=" + "` or `".join(map(repr, values)) + "`"] if keyword else []
        allowed, _ = ranges.declared(config)[f.name]
        said = (allowed.text, allowed.cost) if allowed else ("", "")
        yield f"`{f.name}`", written, *said, texts.get(f.name, "") + (f" *Only {' and '.join(only)}.*" if only else "")


def _size(scenario: Scenario[Any, Any]) -> str:
    """What the environment takes in memory."""
    if (memory := scenario.memory()) is None:
        return ""
    each, once = (memory.total(2) - memory.total(1)) / 1024, (memory.working + memory.shared) / 2**20
    return f"With the defaults each environment takes {each:,.0f} KiB of memory, and {once:,.1f} MiB are needed once."


def _table(head: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)
