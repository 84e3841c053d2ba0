"""A network of real base-station sites: its clusters, an agent's powers beside full power, and a picture of them."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from mmwave_gym.agents.loading import load_agent
from mmwave_gym.agents.rollout import Rollout
from mmwave_gym.benchmark.evaluation import evaluate
from mmwave_gym.benchmark.leaderboard.digits import ends, number
from mmwave_gym.benchmark.statistics import column_interval
from mmwave_gym.benchmark.suite import task
from mmwave_gym.core.batch import Batch
from mmwave_gym.core.errors import CityError, require
from mmwave_gym.core.notes import Notes
from mmwave_gym.core.scenario import EpisodeRng
from mmwave_gym.scenarios.power_allocation.clustering import floc
from mmwave_gym.scenarios.power_allocation.config import MANY_SITES, RANGE_M, REFERENCE
from mmwave_gym.scenarios.power_allocation.map_picture import check_ending, save
from mmwave_gym.scenarios.power_allocation.scene import Record
from mmwave_gym.sources import open_sites
from mmwave_gym.sources.sites import SITES

out, err = Console(emoji=False), Console(stderr=True, emoji=False)


def report(
    source: str,
    agent: str,
    picture: Path | None,
    ue_radius_m: float,
    unit_m: float,
    levels: int | None,
    range_m: float | None,
    warmup: int,
    scored: int,
    episodes: int,
    crs: str | None = None,
    strict: bool = False,
) -> None:
    """What `mmwave-gym sites` does; its options say what the arguments are."""
    for name, value, least in (("--warmup", warmup, 0), ("--scored", scored, 1), ("--episodes", episodes, 1)):
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}.")
    if picture is not None:
        check_ending(picture)
        require("a picture", "matplotlib")
    started_s = time.perf_counter()
    notes = Notes(strict=strict, error=CityError)
    place_m, note = open_sites(source, crs=crs, notes=notes)[1:]
    out.print("\n".join((note, *notes.lines())), highlight=False, markup=False, soft_wrap=True)
    if range_m is None and len(place_m) > MANY_SITES:
        range_m = RANGE_M
    like = task("power_allocation/melbourne")
    changed = {
        "layout": tuple(map(tuple, place_m.tolist())) if crs or notes.lines() else source,
        "ue_radius_m": ue_radius_m,
        "unit_m": unit_m,
        "levels": levels,
        "interference_range_m": range_m,
        "horizon": warmup + scored,
    }
    found = dataclasses.replace(
        like,
        name="power_allocation/sites",
        kwargs={**like.kwargs, **changed},
        warmup_steps=warmup,
        scored_steps=scored,
        episodes=1,  # of a block: one large network at a time
        needs_data=False,
    )
    _tell_clusters(found, place_m, unit_m)
    names = list(dict.fromkeys((REFERENCE, agent)))
    players = {name: load_agent(name, found.scenario_name, found) for name in names}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    results = {}
    with Progress(*columns, console=err, transient=True) as progress:
        for name, player in players.items():
            bar = progress.add_task(name, total=episodes)
            results[name] = evaluate(
                player, found, episodes=episodes, num_envs=1, on_rows=partial(_advance, progress, bar)
            )
    _print(results, episodes, warmup, scored)
    if picture is not None:
        _draw(picture, source, players[agent], agent, found)
        out.print(str(picture), highlight=False, soft_wrap=True)
    err.print(f"{time.perf_counter() - started_s:.1f} s", highlight=False)


def _advance(progress: Progress, bar: TaskID, rows: list[dict[str, Any]]) -> None:
    progress.advance(bar, len(rows))


def _tell_clusters(found: Any, place_m: NDArray[Any], unit_m: float) -> None:
    """What FLOC makes of the first draw, the one of the picture."""
    formed = floc(place_m, EpisodeRng(found.keys([0])[0])["clusters"], unit_m=unit_m)
    size = np.bincount(formed.number)
    out.print(
        f"{len(size)} clusters of {size.min()} to {size.max()} base stations, mean {size.mean():.1f}, "
        f"{int((size == 1).sum())} alone.",
        f"FLOC sent {formed.messages} messages, {formed.messages / len(place_m):.2f} a base station, and was settled "
        f"after {formed.settled_s:.1f} s.",
        sep="\n",
        highlight=False,
        soft_wrap=True,
    )


def _print(results: dict[str, list[dict[str, Any]]], episodes: int, warmup: int, scored: int) -> None:
    table = Table(
        title=f"{episodes} draws of UEs and shadowing, slots {warmup + 1} to {warmup + scored}",
        title_justify="left",
        box=None,
        padding=(0, 2, 0, 0),
    )
    for column in ("agent", "sum rate, bit/s/Hz", "of satisfied UEs", "share of satisfied UEs", "W a base station"):
        table.add_column(column, overflow="fold")
    for name, rows in results.items():
        columns = ("sum_rate_bps_hz", "satisfied_rate_bps_hz", "qos_satisfaction", "power_w")
        means = [column_interval(rows, c) for c in columns]
        table.add_row(name, *(f"{number(mean.mean if mean else None, mean)} {ends(mean)}".rstrip() for mean in means))
    out.print(table, "In brackets: the 95 % interval over draws.", highlight=False)


def _draw(path: Path, source: str, player: Any, agent: str, found: Any) -> None:
    """The network after the last slot of the first draw."""
    record = last_record(player, found)
    there = record.present
    title = (
        f"{Path(source).name}: {record.setting}\n{agent}: {record.rate_now:,.1f} bit/s/Hz, "
        f"{100 * record.share_now:.1f} % of UEs satisfied"
    )
    index = np.cumsum(there) - 1
    save(
        path,
        title,
        SITES.get(source, ("", ""))[1],
        place_m=record.place_m[there],
        head=index[record.head[there]],
        unit_m=record.config.unit_m,
        power_share=record.power_share[there],
        ue_m=record.ue_m[there],
        satisfied=record.satisfied[there],
    )


def last_record(player: Any, found: Any, episode: int = 0) -> Any:
    """A `Record` of a task's episode after its last slot."""
    records: list[Any] = []

    def watch(batch: Any, outcome: Any) -> None:
        if outcome is None:
            records.append(Record(batch))
        else:
            records[0].add(outcome)

    play(player, found, watch, episode)
    return records[0]


def play(player: Any, found: Any, watch: Callable[[Any, Any], None], episode: int = 0) -> None:
    """Play a task's episode, one agent on all places; `watch(batch, outcome)` sees every slot, None first."""
    batch = Batch(found.scenario(), 1)
    batch.reset(found.keys([episode]))
    watch(batch, None)
    rollout = Rollout.of(player, batch)
    for _ in range(found.warmup_steps + (found.scored_steps or batch.scenario.horizon)):
        watch(batch, rollout.step())
