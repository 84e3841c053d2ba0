"""What an environment, a task or an agent is, for people: from declarations, docstrings and committed rows.

Each function returns sections: a heading with sentences, a table, or both.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mmwave_gym.agents.registry import agents, module_of, named
from mmwave_gym.agents.tuned import declares, defaults, parameters
from mmwave_gym.benchmark import suite
from mmwave_gym.benchmark.agents_page import in_letters, spec_of, what
from mmwave_gym.benchmark.bounds import stored_ceilings
from mmwave_gym.benchmark.committed import current_runs
from mmwave_gym.benchmark.leaderboard.board import summarise
from mmwave_gym.benchmark.leaderboard.classes import classes
from mmwave_gym.benchmark.leaderboard.deciding import reason
from mmwave_gym.benchmark.leaderboard.digits import ends, number
from mmwave_gym.benchmark.leaderboard.entries import Entry, TaskBoard
from mmwave_gym.benchmark.leaderboard.sentences import ceilings, headline, limits
from mmwave_gym.benchmark.leaderboard.standing import narrow
from mmwave_gym.benchmark.leaderboard.tables import TRAINING, training
from mmwave_gym.benchmark.page import PER, keywords_of
from mmwave_gym.benchmark.task import Task
from mmwave_gym.core import rooms
from mmwave_gym.core.access import ACCESS_LEVELS
from mmwave_gym.core.checks import unknown
from mmwave_gym.core.registration import entries, entry as entry_of, make_registered, room_of
from mmwave_gym.core.scenario import Scenario

FACTS = ("", "")
"""The columns of a table of facts: what, and its value."""


@dataclass(frozen=True)
class Section:
    """A part of what is told: sentences, then a table with its columns."""

    title: str
    lines: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def about(name: str) -> list[Section]:
    """What stands behind a name: a task, an environment id, a scenario, "SCENARIO/AGENT" or an agent's name alone.

    A bare agent's name stands for that agent in every scenario that has one, then in short. Raises ValueError for an
    unknown name.
    """
    tasks = {task.name: task for task in suite.all_tasks()}
    if name in tasks:
        return of_task(tasks[name])
    if name in (ids := [e.id for e in entries()]):
        return of_env(name)
    if name in rooms.rooms():
        return of_env(rooms.room(name).entries[0].id)
    full = [known for known in agents() if name in (known, known.partition("/")[2])]
    if len(full) == 1:
        return of_agent(*full[0].split("/", 1))
    if full:
        return [_in_short(*known.split("/", 1)) for known in full]
    raise ValueError(unknown("name", name, [*tasks, *agents(), *ids, *rooms.rooms()]))


def of_env(env_id: str) -> list[Section]:
    """What an environment is: spaces, reward, keywords with ranges, access levels, tasks, versions, how to make it."""
    room, entry = room_of(env_id), entry_of(env_id)
    scenario = make_registered(env_id)
    stated = next(c for c in room.load("scenario").__mro__ if "name" in vars(c))
    text = inspect.cleandoc(sys.modules[stated.__module__].__doc__ or "").partition("\n\n")[0]
    others = [e.id for e in room.entries if e.id != env_id]
    told = [" ".join(text.split()), entry.summary]
    told += [f"Other versions of {room.name}: {', '.join(others)}."] if others else []
    return [
        Section(f"{env_id}: an environment of {room.name}", tuple(filter(None, told))),
        *_spaces(scenario),
        Section(
            "Keywords",
            (),
            ("keyword", "default", "range", "what it does"),
            tuple(
                (_bare(k), _bare(default), allowed, _bare(text))
                for k, default, allowed, _, text in keywords_of(room.load("config"))
            ),
        ),
        *_granted(room),
        Section(
            "Tasks",
            (),
            ("task", "suite", "what it is"),
            tuple((t.name, t.suite, t.description) for t in suite.all_tasks(room.name) if t.env_id == env_id),
        ),
        Section("Versions", tuple(entry.history)),
        Section("Make it", (f'gymnasium.make("{env_id}")', f"mmwave-gym render {env_id}")),
    ]


def of_task(task: Task) -> list[Section]:
    """What a task measures, in which world, who is best in it by the committed rows, and how to play it."""
    board = board_of(task)
    scored = f"{task.scored_steps or 'all'} steps of each are scored"
    scored += f", after {task.warmup_steps:,} that are not" if task.warmup_steps else ""
    facts = [
        ("environment", task.env_id),
        ("suite", f"{task.suite}" + (f": {task.why}" if task.why and board is None else "")),
        ("episodes", f"{task.episodes:,}; {scored}"),
        ("ranked by", f"{task.primary}, {'more' if task.higher_is_better else 'less'} is better"),
        ("smallest difference that matters", f"{task.smallest_difference:g}"),
        ("floor, reference, ceiling", ", ".join(str(n or "none") for n in (task.floor, task.reference, task.ceiling))),
    ]
    sections = [Section(f"{task.name}: a task", (task.description,), FACTS, tuple(facts))]
    config = room_of(task.env_id).load("config")
    ranges = {_bare(row[0]): row for row in keywords_of(config)}
    keywords = [
        (name, repr(value), *(_bare(cell) for cell in ranges.get(name, ("", "", "", "", ""))[1:3]))
        for name, value in task.kwargs.items()
    ]
    columns = ("keyword", "here", "default", "range")
    see = f"All keywords: mmwave-gym info {task.env_id}."
    sections.append(Section("Keywords that it sets", (see,), columns if keywords else (), tuple(keywords)))
    if task.missing_data:
        sections.append(Section("Observation and action", (f"Not shown: {task.missing_data}.",)))
    else:
        sections += _spaces(task.scenario())
    sections += _granted(room_of(task.env_id))
    sections += [Section("Standings", ("No rows of it are committed.",))] if board is None else _standings(board)
    return [*sections, Section("Play it", tuple(_commands(task, board)))]


def of_agent(scenario: str, name: str) -> list[Section]:
    """What a named agent is, how it was trained, and where it stands in every task of its scenario with rows of it."""
    sections = [_what(scenario, name)]
    boards = [board for task in suite.all_tasks(scenario) if (board := board_of(task, name)) is not None]
    found = [(board, entry) for board in boards if (entry := board.entry(name)) is not None]
    if not found:
        return [*sections, Section("Standings", ("No rows of it are committed.",))]
    columns = ("task", "rank", "score", "mean", "less best rule", "best rule", "verdict")
    sections.append(Section("Standings", (), columns, tuple(_standing_row(*one) for one in found)))
    learned = tuple(
        (board.name, str(entry.seeds), *training(entry, board)) for board, entry in found if entry.training is not None
    )
    if learned:
        sections.append(Section("Training, means over its seeds", (), ("task", "seeds", *TRAINING), learned))
    board, entry = found[0]
    return [*sections, Section("Play it", entry.commands[:1] or (f"mmwave-gym evaluate {name} --task {board.name}",))]


def _in_short(scenario: str, name: str) -> Section:
    found = _what(scenario, name)
    more = f"Where it stands: mmwave-gym info {scenario}/{name}"
    return replace(found, lines=(*found.lines, more))


def _what(scenario: str, name: str) -> Section:
    row = next(row for row in agent_rows(scenario) if row[1] == name)
    return Section(f"{scenario}/{name}: an agent", (row[-1],), FACTS, tuple(_facts(scenario, name, row)))


def agent_rows(scenario: str | None = None) -> list[tuple[str, str, str, str, str]]:
    """(scenario, name, access, kind, one line) of every agent of a scenario or of all. ValueError: unknown scenario.

    An agent that cannot be loaded here says why in its line.
    """
    found = []
    for place in rooms.rooms() if scenario is None else [scenario]:
        for name in agents(place):
            try:
                kind = named(name, place)
                found.append((place, name, *_declared(kind), _bare(what(name, place))))
            except Exception as error:  # such as a library that is missing here
                found.append((place, name, "", "", rooms.why(error)))
    return found


def board_of(task: Task, agent: str | None = None) -> TaskBoard | None:
    """The board of a task by its committed rows, its primary metric only; None where no rows hold.

    agent: None too where there are no rows of this one. That rows and physics come from one package is believed.
    """
    runs = [narrow(run) for run in current_runs(task, golden=False) if not run.stale]
    if not runs or (agent is not None and not any(run.agent["name"] == agent for run in runs)):
        return None
    known: Mapping[str, Any] = {task.name: {**task.describe(), "grants": task.grants}}
    return summarise(runs, known, stored_ceilings([task], golden=False)).tasks[0]


def _declared(agent: Any) -> tuple[str, str]:
    """Access level and kind of a class or factory; for weights those of the class that plays them."""
    kind = getattr(agent, "kind", None)
    player = kind if isinstance(kind, type) else agent
    told = getattr(player, "kind", None)
    if not isinstance(told, str):
        told = "learned" if hasattr(agent, "training_seeds") else "other"
    return str(getattr(agent, "access", getattr(player, "access", "local"))), told


def _facts(scenario: str, name: str, row: Sequence[str]) -> Iterable[tuple[str, str]]:
    yield "access", row[2]
    yield "kind", row[3]
    told = spec_of(name, scenario)
    for part in ("formula", "symbols", "source"):
        if part in told:
            text = " ".join(told[part].split())
            yield part, in_letters(text) if part == "formula" else text
    yield "module", ", ".join(module_of(name, scenario))
    try:
        kind = named(name, scenario)
        if declares(kind) and not callable(kind.tunable):
            known = parameters(kind, None)
            usual = defaults(kind, known)
            said = (f"{keyword} {allowed.text}, default {usual.get(keyword)!r}" for keyword, allowed in known.items())
            yield "parameters", "; ".join(said)
    except Exception as error:
        yield "cannot be loaded", rooms.why(error)


def _spaces(scenario: Scenario[Any, Any]) -> list[Section]:
    fields = tuple((f.name, str(f.size), f"{f.low:g} to {f.high:g}", f.unit, f.description) for f in scenario.fields)
    metrics = [("reward", scenario.reward_unit, PER["step"], scenario.reward_meaning)]
    metrics += [(m.name, m.unit, PER[m.per], m.description) for m in scenario.metrics]
    told = f"Agents: {scenario.num_agents} ({scenario.agent_noun}). Steps of an episode: {scenario.horizon:,} at most."
    return [
        Section("Observation", (told,), ("field", "size", "range", "unit", "what it is"), fields),
        Section("Action", (f"{scenario.action_space}: {scenario.action_meaning}",)),
        Section("Reward and metrics", (), ("name", "unit", "in a row", "what it is"), tuple(metrics)),
    ]


def _granted(room: rooms.Room) -> list[Section]:
    rows = tuple((level, room.grants[level]) for level in ACCESS_LEVELS if level in room.grants)
    return [Section("Access levels, each with those above it", (), ("level", "what it grants"), rows)] if rows else []


def _standings(board: TaskBoard) -> list[Section]:
    told = [f"{who} {text}" for who, text in headline(board)]
    told += [reason(board), limits(board), *(f"Ceiling {text}" for text in ceilings(board))]
    rows = tuple(
        (str(e.rank), e.agent, e.access, ", ".join(classes(e, board)), _with_ends(e.score), _with_ends(e.gain, True))
        for e in board.entries
        if e.rank is not None
    )
    columns = ("rank", "agent", "access", "class", "score", "less best rule")
    return [Section("Standings, from committed rows", tuple(filter(None, told)), columns, rows)]


def _standing_row(board: TaskBoard, entry: Entry) -> tuple[str, ...]:
    ranked = sum(e.group == entry.group and e.rank is not None for e in board.entries)
    rank = f"{entry.rank} of {ranked} {entry.group}" if entry.rank else "not ranked"
    verdict = entry.gain_verdict or ("best rule" if entry.best_rule == entry.agent else "–")
    return (
        board.name,
        rank,
        _with_ends(entry.score),
        _with_ends(entry.mean),
        _with_ends(entry.gain, True),
        entry.best_rule,
        verdict,
    )


def _with_ends(value: Any, signed: bool = False) -> str:
    return "–" if value is None else f"{number(value.mean, value, signed)} {ends(value, signed)}".rstrip()


def _commands(task: Task, board: TaskBoard | None) -> Iterable[str]:
    player = task.reference or task.floor
    yield f"mmwave-gym evaluate {player} --task {task.name}"
    yield f"mmwave-gym evaluate your_module:YourAgent --task {task.name}"
    yield f"mmwave-gym render --task {task.name} --out episode.gif"
    if board is not None:
        yield f"mmwave-gym leaderboard --task {task.name} --replay --out DIR"


def _bare(text: str) -> str:
    """Text without the marks of Markdown."""
    return text.replace("`", "").replace("*", "")
