"""`mmwave-gym render`: an episode in a window, as an animation or as a last frame."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import gymnasium
import typer

from mmwave_gym.agents.loading import load_agent
from mmwave_gym.agents.rollout import Rollout
from mmwave_gym.benchmark.suite import all_tasks
from mmwave_gym.cli.options import Settings
from mmwave_gym.cli.output import out
from mmwave_gym.core.checks import at_least
from mmwave_gym.core.keywords import keywords as parse
from mmwave_gym.core.registration import room_of
from mmwave_gym.rendering.renderer import SHORTEST_S, SLOW_MOTION_S


def render(
    env: Annotated[str, typer.Argument(help="an environment id")],
    agent: Annotated[
        str | None, typer.Option(help="who plays, in a world of several everybody; the reference of its first task")
    ] = None,
    out_file: Annotated[Path | None, typer.Option("--out", help=".gif or .png; a window without it")] = None,
    seed: Annotated[int, typer.Option(help="the episode's seed")] = 0,
    steps: Annotated[int, typer.Option(help="steps at most")] = 400,
    every: Annotated[
        int | None, typer.Option(help="show every so many steps; 4, or 1 where steps are too short for real time")
    ] = None,
    settings: Settings = None,
) -> None:
    """Show an episode in a window, or write it as an animation or a last frame."""
    if every is not None and every < 1:
        raise ValueError(f"--every must be at least 1, got {every}.")
    at_least("--steps", steps, 1)
    if out_file is not None and out_file.suffix not in (".gif", ".png"):
        raise ValueError(f"--out must end in .gif or .png, got {str(out_file)!r}.")
    room = room_of(env)
    mode = "human" if out_file is None else "rgb_array"
    player = load_agent(agent or _usual(env), room.name)
    keywords = parse(settings or (), "--set")
    if keywords.get("control") != "all":
        keywords.setdefault("others", player)
    made: Any = gymnasium.make(env, render_mode=mode, **keywords)
    batch = made.unwrapped.batch
    step_s = batch.scenario.constants().get("step_s", 0.1)
    if every is None:
        every = 4 if step_s >= SHORTEST_S else 1
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
        _write_frames(frames, out_file, every * step_s if step_s >= SHORTEST_S else SLOW_MOTION_S)
        out.print(str(out_file), highlight=False, soft_wrap=True)


def _usual(env_id: str) -> str:
    """The reference, or else the floor, of the environment's first task."""
    scenario = room_of(env_id).name
    for task in all_tasks(scenario):
        if task.env_id == env_id:
            return task.reference or task.floor
    raise ValueError(f"{env_id} has no task that names a usual agent: say who plays, --agent NAME.")


def _write_frames(frames: list[Any], path: Path, seconds_per_frame: float) -> None:
    from PIL import Image  # in the extra [report]

    path.parent.mkdir(parents=True, exist_ok=True)
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
