"""`mmwave-gym render`: an episode in a window, as an animation, as a last frame, or as the page of `replay`."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated, Any

import gymnasium
import typer

from mmwave_gym.agents.loading import load_agent
from mmwave_gym.agents.rollout import Rollout
from mmwave_gym.benchmark.suite import all_tasks
from mmwave_gym.cli import completion
from mmwave_gym.cli.options import Settings, TaskName, chosen_task
from mmwave_gym.cli.output import out
from mmwave_gym.cli.replay import PAGE, write_replay
from mmwave_gym.core.errors import require
from mmwave_gym.core.registration import room_of
from mmwave_gym.rendering import animation
from mmwave_gym.rendering.renderer import SHORTEST_S, SLOW_MOTION_S


def render(
    env: Annotated[
        str | None, typer.Argument(help="an environment id; not with --task", autocompletion=completion.envs)
    ] = None,
    task: TaskName = None,
    agent: Annotated[
        str | None,
        typer.Option(
            help="who plays, in a world of several everybody; the reference of the task, or of the first one",
            autocompletion=completion.agents,
        ),
    ] = None,
    out_file: Annotated[
        Path | None, typer.Option("--out", help=".gif, .mp4, .png or .html; a window without it")
    ] = None,
    seed: Annotated[int, typer.Option(help="the episode's seed; of an .html the test episode")] = 0,
    steps: Annotated[int, typer.Option(min=1, help="steps at most; an .html shows them all")] = 400,
    every: Annotated[
        int | None,
        typer.Option(min=1, help="show every so many steps; 4, or 1 where steps are too short for real time"),
    ] = None,
    settings: Settings = None,
) -> None:
    """Show an episode of an environment or a task in a window, or write it as an animation, a last frame or a page."""
    page = out_file is not None and out_file.suffix == PAGE
    if out_file is not None and not page:
        animation.check(out_file)
    elif not page:
        require("a window", "pygame")
    found = chosen_task(task, env, settings)
    if reason := found.missing_data:
        raise ValueError(f"{found.name}: {reason}.")
    who = agent or ((found.reference or found.floor) if task else _usual(found.env_id))
    if out_file is not None and page:
        write_replay([who], found, seed, out_file)
        return
    player = load_agent(who, found.scenario_name, found if task else None)
    keywords = dict(found.kwargs)
    if keywords.get("control") != "all":
        keywords.setdefault("others", player)
    mode = "human" if out_file is None else "rgb_array"
    with warnings.catch_warnings():
        if task:  # it says which version of its environment it plays, and no other
            warnings.filterwarnings("ignore", ".*is out of date", DeprecationWarning)
        made: Any = gymnasium.make(found.env_id, render_mode=mode, **keywords)
    batch = made.unwrapped.batch
    step_s = batch.scenario.constants().get("step_s", 0.1)
    if every is None:
        every = 4 if step_s >= SHORTEST_S else 1
    if out_file is not None:
        out_file.parent.mkdir(parents=True, exist_ok=True)  # fail before the first step
    made.reset(seed=seed)
    rollout, frames = Rollout.of(player, batch, seed), []
    for step in range(steps):  # the environment is stepped, because it asks the others
        _, _, terminated, truncated, _ = made.step(rollout.act()[0, 0])
        rollout.follow()
        if step % every == 0 or terminated or truncated:
            frames.append(made.render())
        if terminated or truncated:
            break
    made.close()
    if out_file is not None:
        animation.write(frames, out_file, every * step_s if step_s >= SHORTEST_S else SLOW_MOTION_S)
        out.print(str(out_file), highlight=False, soft_wrap=True)


def _usual(env_id: str) -> str:
    """The reference, or else the floor, of the environment's first task."""
    scenario = room_of(env_id).name
    for task in all_tasks(scenario):
        if task.env_id == env_id:
            return task.reference or task.floor
    raise ValueError(f"{env_id} has no task that names a usual agent: say who plays, --agent NAME.")
