"""Pictures of the docs: what an album writes, and that an episode is filmed from its first slot to its last."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pygame", reason="needs the extra [render]")
pytest.importorskip("PIL", reason="needs the extra [report]")

from PIL import Image

from mmwave_baselines.pictures import COLOURS, FILM_WIDTH, LAST_FRAME_MS, Album, Film, shoot

FILM = Film(
    name="small",
    env_id="MmwaveHandover-v0",
    agent="a3",
    task="handover/a1-beta25",
    keywords={"horizon": 10},
    seed=1,
    last_slot=20,
    slots_per_frame=4,
    still_slot=5,
    frame_ms=50,
)


def test_an_episode_is_filmed_to_its_end() -> None:
    frames, still = shoot(FILM)
    assert len(frames) == 4  # slots 0, 4, 8, and the end
    assert all(frame.shape == still.shape for frame in frames)
    assert not any(np.array_equal(still, frame) for frame in frames), "slot 5 is none of them"


def test_an_album_has_a_still_and_an_animation(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 255, (40, 60, 3), dtype=np.uint8) for _ in range(3)]
    Album(tmp_path).film("a", frames, frames[1], 50)
    Album(tmp_path).film("b", frames, None, 50)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.gif", "a.png", "b.gif"]
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), frames[1])
    film = Image.open(tmp_path / "a.gif")
    assert (getattr(film, "n_frames", 1), film.size) == (3, (FILM_WIDTH, round(FILM_WIDTH * 40 / 60)))
    assert len(film.convert("RGB").getcolors(1 << 24) or ()) in range(1, COLOURS + 1)
    film.seek(2)
    assert film.info["duration"] == LAST_FRAME_MS
