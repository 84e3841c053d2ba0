"""The page of a replay: one file with the player and the packed recordings."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

from mmwave_gym.benchmark.side_by_side.packing import packed
from mmwave_gym.benchmark.side_by_side.recording import Recording
from mmwave_gym.core.shown import visible

_FOLDER = Path(__file__).parent


def replay_page(recordings: Sequence[Recording]) -> tuple[str, tuple[str, ...]]:
    """The page, and sentences on what was thinned out. ValueError where recordings are not of one episode.

    Raises ImportError without jinja2 (the ``report`` extra).
    """
    if len({(r.task.name, r.episode) for r in recordings}) != 1:
        raise ValueError("a replay shows one episode of one task: record all agents on the same.")
    try:
        import jinja2
    except ImportError as error:
        raise ImportError("Replays need jinja2: pip install 'mmwave-gym[report]'.") from error
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER), autoescape=True, undefined=jinja2.StrictUndefined
    )
    content, notes = packed(recordings)
    script, style = ((_FOLDER / name).read_text("utf-8") for name in ("player.js", "player.css"))
    page = environment.get_template("replay.html.j2").render(
        title=visible(f"{recordings[0].task.name}, episode {recordings[0].episode}"),
        script=script,
        style=style,
        script_hash=_hash(script),
        style_hash=_hash(style),
        data=base64.b64encode(content).decode(),
    )
    return page, notes


def _hash(text: str) -> str:
    """What the page's content security policy allows: its own script and style, and nothing from a recording."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
