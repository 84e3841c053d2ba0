"""The picture of handover: A3 takes a UE from cell to cell."""

from __future__ import annotations

from mmwave_baselines.pictures import Album, Film

FILM = Film(
    name="handover",
    env_id="MmwaveHandover-v0",
    agent="a3",
    task="handover/a1-beta25",
    keywords={"mobility": "A3", "start": "uniform"},
    seed=181,
    last_slot=400,
    slots_per_frame=4,
    still_slot=340,
    frame_ms=70,
)


def draw(album: Album) -> None:
    """An episode."""
    album.episode(FILM)
