"""Animations: a task's episode as .gif, .mp4 or .png, and what is refused before the first step."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mmwave_gym.benchmark.suite import task
from mmwave_gym.cli import main
from mmwave_gym.cli.replay import write_replay
from mmwave_gym.core.errors import is_installed
from mmwave_gym.rendering import animation

TASK = "cell_selection/n3-cost10"
FRAMES = [np.full((41, 61, 3), 40 * i, np.uint8) for i in range(5)]
needs_ffmpeg = pytest.mark.skipif(
    shutil.which("ffmpeg") is None and not is_installed("imageio_ffmpeg"),
    reason="no ffmpeg here: pip install 'mmwave-gym[video]'",
)


def render(*words: str) -> int:
    try:
        main(["render", *words])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@needs_ffmpeg
def test_an_mp4_plays_everywhere(tmp_path: Path) -> None:
    """Its metadata come first, its colours are those of players, and odd sides are made even."""
    path = tmp_path / "x.mp4"
    animation.write(FRAMES, path, 0.25)
    content = path.read_bytes()
    assert content[4:8] == b"ftyp"
    assert 0 < content.index(b"moov") < content.index(b"mdat")
    assert b"avc1" in content
    assert [p.name for p in tmp_path.iterdir()] == ["x.mp4"]


@needs_ffmpeg
def test_ffmpeg_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="ffmpeg could not write"):
        animation.write([np.zeros((0, 0, 3), np.uint8)], tmp_path / "x.mp4", 0.25)
    assert list(tmp_path.iterdir()) == []


def test_a_gif_has_every_frame_and_a_png_the_last(tmp_path: Path) -> None:
    animation.write(FRAMES, tmp_path / "x.gif", 0.25)
    with Image.open(tmp_path / "x.gif") as found:
        assert (found.n_frames, found.size, found.info["duration"]) == (5, (61, 41), 250)
    animation.write(FRAMES, tmp_path / "x.png", 0.25)
    with Image.open(tmp_path / "x.png") as found:
        assert found.getpixel((0, 0)) == (160, 160, 160)


def test_a_task_is_rendered_in_its_own_world_by_whom_it_names(tmp_path: Path) -> None:
    assert render("--task", TASK, "--steps", "3", "--out", str(tmp_path / "x.gif")) == 0
    assert render("--task", TASK, "--agent", "ppo", "--steps", "3", "--out", str(tmp_path / "y.gif")) == 0
    assert (tmp_path / "x.gif").read_bytes() != (tmp_path / "y.gif").read_bytes()


def test_a_page_is_that_of_replay(tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    assert render("--task", TASK, "--agent", "random", "--seed", "1", "--out", str(tmp_path / "x.html")) == 0
    write_replay(["random"], task(TASK), 1, tmp_path / "y.html")
    assert (tmp_path / "x.html").read_bytes() == (tmp_path / "y.html").read_bytes()


def test_what_is_refused_before_the_first_step(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert render("--task", TASK, "--out", "x.avi") == 2
    assert "--out must end in .gif, .mp4, .png or .html, got 'x.avi'." in capsys.readouterr().err
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)  # type: ignore[arg-type]
    assert render("--task", TASK, "--out", "x.mp4") == 2
    assert "needs imageio_ffmpeg: pip install 'mmwave-gym[video]'." in capsys.readouterr().err
    assert render("MmwaveCellSelection-v0", "--task", TASK) == 2
    assert "--task and --env exclude each other" in capsys.readouterr().err
