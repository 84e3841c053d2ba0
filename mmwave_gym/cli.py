"""The command line: `mmwave-gym list | evaluate | leaderboard | reproduce | render | channel | city | sites | …`."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import gymnasium
import numpy as np
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from mmwave_gym import cli_city, cli_sites, registration, suite
from mmwave_gym.agent import agents, load_agent

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, help=__doc__)
out, err = Console(), Console(stderr=True)

Agent = Annotated[str, typer.Argument(help="a name (a3, ppo@3), package.module:Class, or a file (.npz, .zip)")]
TaskName = Annotated[str | None, typer.Option("--task", help="a task of the suite; mmwave-gym list tasks")]
Settings = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="an environment keyword")]


def main() -> None:
    """Entry point: bad input is one line on stderr and exit code 2."""
    try:
        app()
    except (ValueError, TypeError, OSError, gymnasium.error.Error, ImportError) as error:
        if os.environ.get("MMWAVE_DEBUG"):
            raise
        err.print(f"mmwave-gym: {error}", markup=False, highlight=False, soft_wrap=True)
        sys.exit(2)


def _settings(pairs: list[str] | None) -> dict[str, Any]:
    """Keywords from KEY=VALUE; a value is JSON where it can be, else text."""
    keywords: dict[str, Any] = {}
    for pair in pairs or []:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise ValueError(f"--set takes KEY=VALUE, got {pair!r}.")
        try:
            keywords[key] = json.loads(value)
        except json.JSONDecodeError:
            keywords[key] = value
    return {k: tuple(v) if isinstance(v, list) else v for k, v in keywords.items()}


def _task(name: str | None, env: str | None, settings: list[str] | None) -> suite.Task:
    keywords = _settings(settings)
    if name is None:
        if env is None:
            raise ValueError("name a task (--task, see `mmwave-gym list tasks`) or an environment (--env).")
        entry = registration.entry(env)
        return suite.Task(name=f"{entry.scenario}/custom", env_id=env, kwargs=keywords)
    found = suite.task(name)
    if env is not None:
        raise ValueError("--task and --env exclude each other: a task has its environment.")
    if not keywords:
        return found
    # Other keywords make another task: its rows must not pass for the suite's.
    described = ",".join(f"{k}={v}" for k, v in sorted(keywords.items()))
    return dataclasses.replace(found, name=f"{found.name},{described}", kwargs={**found.kwargs, **keywords})


@app.command("list")
def list_(what: Annotated[str, typer.Argument(help="envs, tasks or agents; all without it")] = "all") -> None:
    """List environments, tasks and agents."""
    if what not in ("all", "envs", "tasks", "agents"):
        raise ValueError(f"list takes envs, tasks or agents, got {what!r}.")
    if what in ("all", "envs"):
        _print_table("Environments", ("id", "what it is"), [(e.id, e.summary) for e in registration.TABLE])
    if what in ("all", "tasks"):
        rows = [(t.name, t.description + (f" [{t.missing_data}]" if t.missing_data else "")) for t in suite.SUITE]
        _print_table("Tasks", ("name", "what it is"), rows)
    if what in ("all", "agents"):
        _print_table("Agents", ("name",), [(name,) for name in agents()])


@app.command()
def evaluate(
    agent: Agent,
    task: TaskName = None,
    env: Annotated[str | None, typer.Option(help="an environment id, for a task of your own")] = None,
    episodes: Annotated[
        int | None, typer.Option(help="how many test episodes; the task's own number if not given")
    ] = None,
    num_envs: Annotated[int, typer.Option(help="how many run at once; the rows do not depend on it")] = 128,
    settings: Settings = None,
    out_dir: Annotated[
        Path | None, typer.Option("--out", help="keep the rows in this directory, for a leaderboard")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print the result as JSON")] = False,
) -> None:
    """Play an agent in a task and print its means with 95 % intervals."""
    from mmwave_gym.benchmark import Job, run
    from mmwave_gym.evaluation import evaluate as play, metric_units

    found = _task(task, env, settings)
    if reason := found.missing_data:
        raise ValueError(f"{found.name}: {reason}.")
    player = load_agent(agent, found.scenario_name, found)  # fail before the first row
    count = episodes or found.episodes
    with _progress() as progress:
        bar = progress.add_task(f"{agent} in {found.name}", total=count)
        if out_dir is None:
            rows = play(
                player, found, episodes=episodes, num_envs=num_envs, on_rows=lambda r: progress.advance(bar, len(r))
            )
        else:
            from mmwave_gym.leaderboard import read_rows

            name, _, seed = agent.partition("@")
            path = run(Job(found, name, int(seed) if seed else None, count), out_dir / "rows", num_envs)
            progress.advance(bar, count)
            written = next(r for r in read_rows(out_dir / "rows") if r.path == path)
            if written.failed or written.skipped:
                raise ValueError(f"{agent} did not play {found.name}: {written.failed or written.skipped}")
            rows = [dict(row) for row in written.episodes]
    units = metric_units(found.scenario())
    means = {name: _mean(rows, name) for name in units}
    if as_json:
        result = {"task": found.describe(), "agent": agent, "episodes": len(rows), "means": means, "rows": rows}
        print(json.dumps(result, default=str))
        return
    lines = [(name, *_written(means[name]), units[name]) for name in units]
    _print_table(f"{agent} in {found.name}, {len(rows)} episodes", ("metric", "mean", "95 %", "unit"), lines)


@app.command()
def leaderboard(
    out_dir: Annotated[Path, typer.Option("--out", help="where rows and pages go; an interrupted run resumes")],
    task: Annotated[list[str] | None, typer.Option(help="only these tasks")] = None,
    agent: Annotated[list[str] | None, typer.Option(help="only these agents")] = None,
    also: Annotated[
        list[str] | None, typer.Option(help="an agent of your own beside them: package:Class or a file")
    ] = None,
    episodes: Annotated[int | None, typer.Option(help="episodes a task, instead of the task's own number")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="a few episodes and one training seed each: to see that it works")
    ] = False,
    full: Annotated[bool, typer.Option("--full", help="also tasks and agents marked as expensive")] = False,
    committed: Annotated[Path | None, typer.Option(help="rows to show for what is not run here")] = None,
    jobs: Annotated[int, typer.Option(help="processes; 0 is one a core")] = 0,
) -> None:
    """Play every agent in every task and write Markdown, CSV and an HTML page."""
    from mmwave_gym.benchmark import run_all, suite_jobs
    from mmwave_gym.leaderboard import read_rows, summarise, write

    chosen = [suite.task(name) for name in task] if task else list(suite.SUITE)
    for absent in [t for t in chosen if t.missing_data]:
        err.print(f"{absent.name} is not played: {absent.missing_data}.", highlight=False, soft_wrap=True)
        chosen.remove(absent)
    for dear in [t for t in chosen if t.expensive and not full and not task]:
        err.print(f"{dear.name} is not played: it takes long; --full, or its name, plays it.", highlight=False)
        chosen.remove(dear)
    work = suite_jobs(
        chosen, agent or (), also or (), 8 if quick and not episodes else episodes, full, 1 if quick else None
    )
    with _progress() as progress:
        bar = progress.add_task("playing", total=len(work))

        def done(job: Any) -> None:
            progress.update(bar, advance=1, description=f"{job.task.name} {job.spec}")

        run_all(work, out_dir / "rows", jobs or os.cpu_count() or 1, done)
    pages = write(summarise(read_rows(out_dir / "rows", committed=committed)), out_dir)
    for page in pages:
        out.print(str(page), highlight=False, soft_wrap=True)


@app.command()
def reproduce(
    paper: Annotated[str, typer.Argument(help="which paper: cell-selection, …")],
    out_dir: Annotated[Path, typer.Option("--out", help="where everything goes; an interrupted run resumes")],
    quick: Annotated[bool, typer.Option("--quick", help="short runs, in under a minute: to see that it works")] = False,
    jobs: Annotated[int, typer.Option(help="processes; 0 is one a core")] = 0,
) -> None:
    """Regenerate a paper's tables and figures and judge its claims: rows, figures, Markdown and claims.json."""
    from mmwave_gym.reproduction import load_reproduction, reproduce as run

    found = load_reproduction(paper)  # fail before the first file
    if not quick:
        minutes = found.budget_s / 60
        err.print(f"{found.title}: about {minutes:.0f} minutes on two idle cores.", highlight=False, soft_wrap=True)
    with _progress() as progress:
        bar = progress.add_task("planning", total=None)
        claims = run(
            paper,
            out_dir,
            quick=quick,
            workers=jobs or os.cpu_count() or 1,
            on_plan=lambda total: progress.update(bar, total=total),
            on_done=lambda what: progress.update(bar, advance=1, description=what),
        )
    rows = [(c.id, _short(c.paper), _short(c.ours), c.verdict) for c in claims]
    _print_table(found.title, ("claim", "paper", "ours", "verdict"), rows)
    out.print(str(out_dir / f"{paper.replace('-', '_')}.md"), highlight=False, soft_wrap=True)


def _short(value: float | str) -> str:
    text = value if isinstance(value, str) else f"{value:.4g}"
    return text if len(text) <= 60 else f"{text[:59]}…"


@app.command()
def render(
    env: Annotated[str, typer.Argument(help="an environment id")],
    agent: Annotated[str, typer.Option(help="who plays; in a world of several, everybody")] = "stay",
    out_file: Annotated[Path | None, typer.Option("--out", help=".gif or .png; a window without it")] = None,
    seed: Annotated[int, typer.Option(help="the episode's seed")] = 0,
    steps: Annotated[int, typer.Option(help="steps at most")] = 400,
    every: Annotated[
        int | None, typer.Option(help="show every so many steps; 4, or 1 where steps are too short for real time")
    ] = None,
    settings: Settings = None,
) -> None:
    """Show an episode in a window, or write it as an animation or a last frame."""
    from mmwave_gym.agent import RowRng, sees
    from mmwave_gym.render import SHORTEST_S, SLOW_MOTION_S

    if every is not None and every < 1:
        raise ValueError(f"--every must be at least 1, got {every}.")
    if out_file is not None and out_file.suffix not in (".gif", ".png"):
        raise ValueError(f"--out must end in .gif or .png, got {str(out_file)!r}.")
    entry = registration.entry(env)
    mode = "human" if out_file is None else "rgb_array"
    player = load_agent(agent, entry.scenario)
    keywords = _settings(settings)
    if keywords.get("control") != "all":
        keywords.setdefault("others", player)
    made: Any = gymnasium.make(env, render_mode=mode, **keywords)
    batch = made.unwrapped.batch
    step_s = batch.scenario.constants().get("step_s", 0.1)
    if every is None:
        every = 4 if step_s >= SHORTEST_S else 1
    made.reset(seed=seed)
    memory, places = None, batch.scenario.num_agents
    if hasattr(player, "begin"):
        memory = player.begin(made.unwrapped.view(sees(player)), RowRng.from_seed(seed, places))
    frames, start = [], np.ones(places, bool)
    for step in range(steps):  # the player is shown every place, as where it is evaluated
        action, memory = player.predict(batch.observe()[0], state=memory, episode_start=start, deterministic=True)
        _, _, terminated, truncated, _ = made.step(action[0])
        start[:] = False
        if step % every == 0 or terminated or truncated:
            frames.append(made.render())
        if terminated or truncated:
            break
    made.close()
    if out_file is not None:
        _write_frames(frames, out_file, every * step_s if step_s >= SHORTEST_S else SLOW_MOTION_S)
        out.print(str(out_file), highlight=False, soft_wrap=True)


def _write_frames(frames: list[Any], path: Path, seconds_per_frame: float) -> None:
    from PIL import Image  # in the extra [report]

    images = [Image.fromarray(frame) for frame in frames]
    if path.suffix == ".png":
        images[-1].save(path)
        return
    images[0].save(
        path,
        save_all=True,
        append_images=images[1:],
        duration=max(20, round(1000 * seconds_per_frame)),
        loop=0,
        optimize=True,
    )


@app.command()
def channel(
    source: Annotated[str, typer.Argument(help="mssn:REGION/CARRIER, raytraced:NAME, or a channel file to check")],
    out_file: Annotated[Path, typer.Option("--out", help="the channel file to write, .npz")],
) -> None:
    """Turn measured or ray-traced data (folder: MMWAVE_DATA) into a channel file for `channel=FILE`."""
    from mmwave_gym.sources import convert

    out.print(convert(source, out_file), highlight=False, soft_wrap=True)


app.command()(cli_city.city)
app.command()(cli_sites.sites)


@app.command()
def transition(
    source: Annotated[Path, typer.Argument(help="a drive test: a .csv file, a folder of them, or a .zip")],
    out_file: Annotated[Path, typer.Option("--out", help="the fit to write, .json")],
    level: Annotated[str, typer.Option(help="the column that tells states apart: snr or rsrp")] = "snr",
    thresholds_db: Annotated[
        tuple[float, float] | None,
        typer.Option("--thresholds", metavar="OUTAGE LOS", help="outage below, LOS from here"),
    ] = None,
    slot_s: Annotated[float, typer.Option("--slot", help="slot in seconds")] = 1.0,
    any_cell: Annotated[bool, typer.Option("--any-cell", help="count across a change of the serving cell too")] = False,
) -> None:
    """Fit the transition matrix of a link to drive tests, for `transition=FILE` of cell selection."""
    from mmwave_gym.sources import irish_5g

    if out_file.suffix != ".json":
        raise ValueError(f"--out must end in .json, got {str(out_file)!r}.")
    found = irish_5g.fit(source, level=level, thresholds_db=thresholds_db, slot_s=slot_s, same_cell=not any_cell)
    found.save(out_file)
    out.print(irish_5g.table(found), markup=False, highlight=False, soft_wrap=True)


def _mean(rows: list[dict[str, Any]], name: str) -> tuple[float, float] | None:
    """Mean over episodes and half the width of its 95 % interval (normal)."""
    values = np.array([row[name] for row in rows if row[name] is not None])
    if len(values) == 0:
        return None
    half = 1.96 * values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else float("nan")
    return float(values.mean()), float(half)


def _written(mean: tuple[float, float] | None) -> tuple[str, str]:
    return ("none", "") if mean is None else (f"{mean[0]:.4g}", f"± {mean[1]:.2g}")


def _print_table(title: str, columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    table = Table(title=title, title_justify="left", box=None, padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*row)
    out.print(table)


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=err, transient=True)


if __name__ == "__main__":
    main()
