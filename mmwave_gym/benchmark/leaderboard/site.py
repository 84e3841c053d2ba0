"""A `Leaderboard` as a folder of pages that needs nothing but a browser, and as Markdown and CSV.

`index.html` has a line for each task. Tasks and agents have a page each (`addresses`), with a file of all paired
comparisons and a CSV file beside every task. Pages load nothing from elsewhere and open from a disk.

They are a pure function of the rows: no clock is read (the browser computes the age of a row). All text from rows is
other people's text and is escaped for the place it goes to.
"""

from __future__ import annotations

import shlex
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mmwave_gym.benchmark.leaderboard.addresses import agent_page, slug, task_page
from mmwave_gym.benchmark.leaderboard.cards import Card, Cards
from mmwave_gym.benchmark.leaderboard.ceilings import KINDS as CEILINGS
from mmwave_gym.benchmark.leaderboard.citing import bibtex
from mmwave_gym.benchmark.leaderboard.classes import CLASSES, classes
from mmwave_gym.benchmark.leaderboard.curves import drawn
from mmwave_gym.benchmark.leaderboard.deciding import reason
from mmwave_gym.benchmark.leaderboard.digits import count, ends, number
from mmwave_gym.benchmark.leaderboard.entries import Entry, Leaderboard, TaskBoard
from mmwave_gym.benchmark.leaderboard.evidence import lacks
from mmwave_gym.benchmark.leaderboard.pairs import script
from mmwave_gym.benchmark.leaderboard.rows import RowsError
from mmwave_gym.benchmark.leaderboard.sentences import about_suite, ceilings, headline, limits
from mmwave_gym.benchmark.leaderboard.tables import TRAINING, markdown, table, training
from mmwave_gym.benchmark.leaderboard.views import line, plots, said, seeds
from mmwave_gym.core.files import write as write_file
from mmwave_gym.core.shown import visible

GROUPS = {
    "local": ("Local", "sees what the environment shows to one agent"),
    "central": ("Central", "sees the whole present state of the network"),
    "trajectory": ("Trajectory", "also knows where the UEs will be"),
    "hindsight": ("Hindsight", "knows the whole episode"),
    "bound": ("Floor and ceilings", "not ranked: what the scores are measured between"),
}
VERDICTS = {
    "better": "▲ better",
    "worse": "▼ worse",
    "tied": "≈ tied",
    "alike": "≈ alike",
    "reference": "reference",
    "best": "best rule",
    "": "–",
}
MARKS = {
    "verified": "played again, rows independent of each other, and the result holds on hidden episodes",
    "repeats": "played again, rows independent of each other; no hidden episodes were played",
}
PAGES = ("leaderboard.md", "leaderboard.csv", "index.html")
"""What a board is known by; its other files lie in folders beside these."""
ASSETS = ("board.css", "board.js")
_TEMPLATES = Path(__file__).parent / "pages"


def write(leaderboard: Leaderboard, out_dir: str | Path, cards: Cards = MappingProxyType({})) -> list[Path]:
    """Write the board into ``out_dir``; return the paths of ``leaderboard.md``, ``leaderboard.csv`` and ``index.html``.

    cards: what is told of agents beside their rows. The directory is created. Raises `RowsError` if it cannot be
    written, ImportError without jinja2 (the ``report`` extra).
    """
    out = Path(out_dir)
    files = {"leaderboard.md": markdown(leaderboard), "leaderboard.csv": table(leaderboard)}
    files |= pages(leaderboard, cards)
    try:
        for name, text in files.items():
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            write_file(out / name, text)
    except OSError as error:
        raise RowsError(
            f"the leaderboard cannot be written to {out} ({error.strerror}): choose another --out or make it writable."
        ) from error
    return [out / name for name in PAGES]


def pages(leaderboard: Leaderboard, cards: Cards = MappingProxyType({})) -> dict[str, str]:
    """The files of the folder by their paths in it, without the two that hold the whole board as text."""
    environment = _environment()
    runs = [run for task in leaderboard.tasks for entry in task.entries for run in entry.runs]
    shared: dict[str, Any] = {
        "board": leaderboard,
        "versions": sorted({str(run.header.get("package_version")) for run in runs}),
        "newest": max((run.created for run in runs), default=""),
    }

    def page(template: str, address: str, **values: Any) -> str:
        root = "../" * address.count("/")
        return environment.get_template(template).render(**shared, root=root, **values)

    made = {f"assets/{name}": (_TEMPLATES / name).read_text("utf-8") for name in ASSETS}
    made["index.html"] = page("index.html.j2", "index.html", agents=len({run.agent["name"] for run in runs}))
    made["reading.html"] = page("reading.html.j2", "reading.html")
    for overall in leaderboard.overall:
        address = _overall_page(overall.suite, overall.scenario)
        made[address] = page("overall.html.j2", address, overall=overall)
    for task in leaderboard.tasks:
        address = task_page(task.name)
        made[address] = page("task.html.j2", address, task=task, views=plots(task), cite=bibtex(task, shared))
        made[task_page(task.name, ".csv")] = table(Leaderboard((task,), ()))
        made[task_page(task.name, ".js")] = script(task)
    for (scenario, agent), places in _places(leaderboard).items():
        address = agent_page(scenario, agent)
        card = cards.get((scenario, agent), Card())
        made[address] = page("agent.html.j2", address, scenario=scenario, agent=agent, places=places, card=card)
    return made


def _environment() -> Any:
    try:
        import jinja2
    except ImportError as error:
        raise ImportError("The leaderboard's pages need jinja2: pip install 'mmwave-gym[report]'.") from error
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        finalize=lambda value: visible(value) if type(value) is str else value,  # markup is of another type
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number, ends=ends, count=count, said=said, slug=slug, word=_word, ticked=_ticked)
    environment.globals.update(
        agent_page=agent_page,
        task_page=task_page,
        overall_page=_overall_page,
        groups=GROUPS,
        verdicts=VERDICTS,
        marks=MARKS,
        kinds=CEILINGS,
        all_classes=CLASSES,
        columns=TRAINING,
        zip=zip,
        **{f.__name__: f for f in (about_suite, ceilings, classes, headline, lacks, limits, line, reason, seeds)},
        training=training,
        kept=_kept,
        drawn=drawn,
        replay_command=_replay_command,
        seconds_each=_seconds_each,
    )
    return environment


def _word(text: str) -> str:
    """A class of ours as a word for an attribute or an address."""
    return text.replace(" ", "-")


def _ticked(text: str) -> Any:
    """Text with what stands between backticks as code."""
    from markupsafe import Markup, escape  # comes with jinja2

    parts = [escape(visible(part)) for part in text.split("`")]
    return Markup("").join(Markup(f"<code>{part}</code>") if i % 2 else part for i, part in enumerate(parts))


def _overall_page(suite: str, scenario: str) -> str:
    return f"overall/{slug(suite)}/{slug(scenario)}.html"


def _places(leaderboard: Leaderboard) -> Mapping[tuple[str, str], list[tuple[TaskBoard, Entry]]]:
    """Where each agent of a scenario stands, in the order of the tasks."""
    found: dict[tuple[str, str], list[tuple[TaskBoard, Entry]]] = defaultdict(list)
    for task in leaderboard.tasks:
        for entry in task.entries:
            found[task.scenario, entry.agent].append((task, entry))
    return found


def _kept(leaderboard: Leaderboard, suite: str) -> dict[str, list[TaskBoard]]:
    """The tasks of a suite by scenario."""
    found: dict[str, list[TaskBoard]] = defaultdict(list)
    for task in leaderboard.tasks:
        if task.suite == suite:
            found[task.scenario].append(task)
    return found


def _replay_command(task: TaskBoard, agent: str = "") -> str:
    """The command that plays some agents side by side: the best rule and `agent`; without one the leader and a ceiling.

    Names are other people's text, and people paste commands into a shell: they are quoted for it.
    """
    told = line(task)
    names = [told.rule.agent] if told is not None and told.rule else []
    names += [agent] if agent else [told.leader.agent] if told is not None else []
    names += [str(task.task.get(role) or "") for role in ("reference", "ceiling")]
    scored = [e.agent for e in task.entries if e.status == "scored"]
    chosen = [name for name in dict.fromkeys(names) if name in scored][: 2 if agent else 3]
    shown = shlex.quote(",".join(chosen or scored[:2]))
    return f"mmwave-gym replay {shlex.quote(task.name)} --agents {shown} --episode 0 --out replay.html"


def _seconds_each(entry: Entry) -> float | None:
    """Processor time of an episode in seconds, the mean over runs; None where nobody noted it."""
    noted = [(run.processor_s, len(run.episodes)) for run in entry.runs if run.episodes]
    if not noted or any(seconds is None for seconds, _ in noted):
        return None
    return sum(seconds or 0.0 for seconds, _ in noted) / sum(episodes for _, episodes in noted)
