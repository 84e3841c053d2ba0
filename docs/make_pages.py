"""Writes docs/environments/*.md from the code: spaces, reward, metrics, keywords, tasks, differences from the paper.

`make docs` runs it, and a test fails when a page is older than the code.
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
from mmwave_gym.benchmark.suite import all_tasks
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core import rooms
from mmwave_gym.core.registration import make_registered
from mmwave_gym.core.rooms import Entry, Room
from mmwave_gym.core.scenario import Scenario
from mmwave_gym.core.worlds import worlds_of

PAGES = Path(__file__).parent / "environments"
PER = {"step": "mean over steps", "second": "a second", "all": "sum over the episode"}


def page(room: Room, entry: Entry) -> str:
    """The page of one environment, Markdown."""
    scenario = make_registered(entry.id)
    text = inspect.cleandoc(sys.modules[room.load("scenario").__module__].__doc__ or "")
    intro, _, differences = text.partition("\nDifferences from the paper")
    parts = [
        f"<!-- Written by docs/make_pages.py from the code; edit the code. -->\n\n# {entry.id}\n\n{intro.strip()}",
        _picture(room, entry),
        f'```python\nimport gymnasium as gym, mmwave_gym\n\nenv = gym.make("{entry.id}")\n'
        f'envs = gym.make_vec("{entry.id}", num_envs=1024)\n```',
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
        _table(("keyword", "default", "what it does"), _keywords(room.load("config"))),
        f"## Differences from the paper{differences}" if differences else "",
        _policy(room),
        _reproduced(room),
        "## Tasks of the suite",
        _table(
            ("task", "what it is", "warm-up", "scored", "ceiling"),
            (
                (f"`{t.name}`", t.description, t.warmup_steps, t.scored_steps or "to the end", _limits(t, scenario))
                for t in all_tasks(room.name)
                if t.env_id == entry.id
            ),
        ),
        _headroom(room, entry),
        *_part(room),
        "## Versions\n\n" + "\n".join(f"- {line}" for line in entry.history),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


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


def _part(room: Room) -> list[str]:
    """Who plays, and the room's guide, of an environment that has one."""
    guide = room.text()
    if not guide:
        return []
    rows = []
    for point in sorted(entry_points(group="mmwave_gym.agents"), key=lambda point: point.name):
        scenario, _, name = point.name.partition("/")
        if scenario == room.name:
            agent = point.load()
            player = agent if hasattr(agent, "access") else getattr(agent, "kind", agent)  # of weights: who has them
            rows.append((f"`{name}`", sees(player), " ".join((agent.__doc__ or "").split())))
    return ["## Agents", _table(("name", "access", "what it is"), rows), guide.strip()]


def _picture(room: Room, entry: Entry) -> str:
    image = PAGES.parent / "images" / f"{room.name}.gif"
    return f"![An episode of {entry.id}](../images/{image.name})" if image.exists() else ""


def _reproduced(room: Room) -> str:
    page = PAGES.parent / "reproductions" / f"{room.name}.md"
    if not page.exists():
        return ""
    return (
        "## The paper, reproduced\n\n"
        f"[Every printed number, every claim](../reproductions/{page.name}) beside what we measure, with a verdict on\n"
        f"each: `mmwave-gym reproduce {page.stem.replace('_', '-')} --out DIR`."
    )


def _limits(task: Task, scenario: Scenario[Any, Any]) -> str:
    """The ceiling with its kind, and what is proven about means."""
    unit = next((m.unit for m in scenario.metrics if m.name == task.primary), scenario.reward_unit)
    proven = ", ".join(f"at most {value:g} {unit} for {level} agents" for level, value in task.bounds.items())
    return f"{task.ceiling} ({task.ceiling_kind})" + (f"; proven: {proven}" if proven else "")


def _headroom(room: Room, entry: Entry) -> str:
    """Of each task on the committed leaderboard: the best rule that a UE could play, the ceiling, the best learner."""
    with (PAGES.parent / "leaderboard" / "leaderboard.csv").open() as file:
        scored = [row for row in csv.DictReader(file) if row["mean"]]
    rows = []
    for task in (t for t in all_tasks(room.name) if t.env_id == entry.id):
        here = [row for row in scored if row["task"] == task.name]
        ceiling = next((float(row["mean"]) for row in here if row["agent"] == task.ceiling), None)
        local = sorted((row for row in here if row["group"] == "local"), key=lambda row: -float(row["mean"]))
        rule = next((row for row in local if row["kind"] == "rule"), None)
        learned = next((row for row in local if row["kind"] == "learned"), None)
        if rule is None or ceiling is None:
            continue
        best, unit = float(rule["mean"]), rule["unit"]
        gain = ceiling - best
        share = "" if unit.startswith("log") else f" ({gain / abs(best):.1%})"
        rows.append(
            (
                f"`{task.name}`",
                f"`{rule['agent']}` {_short(best)}",
                f"`{task.ceiling}` {_short(ceiling)}",
                f"{_short(gain, 3)} {unit}{share}",
                "" if learned is None else f"`{learned['agent']}` {_short(float(learned['mean']))}",
                "" if learned is None else f"{(float(learned['mean']) - best) / gain:.0%}",
                "" if learned is None else _against(task, learned),
            )
        )
    if not rows:
        return ""
    head = ("task", "best rule", "ceiling", "headroom", "best learned agent", "of the headroom", "less the reference")
    return (
        "## What a task leaves to win\n\nHeadroom is the ceiling less the best rule that needs only what an agent sees "
        "and hears; then how much of it\nthe best learned agent of that kind takes. From the rows of the committed "
        "[leaderboard](../leaderboard/leaderboard.md),\nwhich has all agents and intervals.\n\n" + _table(head, rows)
    )


def _against(task: Task, row: dict[str, str]) -> str:
    """A row's difference to the reference of its task with its interval."""
    if not row["difference"]:
        return ""
    mean, low, high = (float(row[f"difference{end}"]) for end in ("", "_low", "_high"))
    return f"`{task.reference}` {_short(mean, 3, '+')} [{_short(low, 3, '+')}, {_short(high, 3, '+')}]"


def _short(value: float, digits: int = 5, sign: str = "") -> str:
    """So many digits, all those before the point."""
    return f"{value:{sign},.0f}" if abs(value) >= 10.0 ** (digits - 1) else f"{value:{sign}.{digits}g}"


def _policy(room: Room) -> str:
    image = PAGES.parent / "images" / f"{room.name}_policy.png"
    if not image.exists():
        return ""
    return (
        "## What the policies do\n\nA row is a state of the UE's own links, a column where the others are, the colour "
        f"where the UE goes.\n\n![What a UE does in every state](../images/{image.name})"
    )


def _keywords(config_class: type) -> Iterable[tuple[Any, ...]]:
    """Keyword, default and the text that stands under it in the source."""
    body = ast.parse(inspect.getsource(config_class)).body[0]
    assert isinstance(body, ast.ClassDef)
    texts = {}
    for statement, following in zip(body.body, body.body[1:], strict=False):
        if isinstance(statement, ast.AnnAssign) and isinstance(following, ast.Expr):
            assert isinstance(statement.target, ast.Name)
            texts[statement.target.id] = " ".join(ast.literal_eval(following.value).split())
    for f in dataclasses.fields(config_class):
        worlds = " or ".join(worlds_of(f))
        yield f"`{f.name}`", f"`{f.default!r}`", texts[f.name] + (f" *Only in {worlds}.*" if worlds else "")


def _table(head: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def main() -> None:
    PAGES.mkdir(exist_ok=True)
    for room in rooms.rooms().values():
        for entry in room.entries:
            (PAGES / f"{room.name}.md").write_text(page(room, entry))


if __name__ == "__main__":
    main()
