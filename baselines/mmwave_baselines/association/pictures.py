"""The picture of association: COVER serves the UEs of blocked streets."""

from __future__ import annotations

from mmwave_baselines.pictures import Album, Film

FILM = Film(
    name="association",
    env_id="MmwaveAssociation-v0",
    agent="cover",
    task="association/blocked-512",
    keywords={"geometry": "blocked", "num_ues": 150},
    seed=3,
    last_slot=440,
    slots_per_frame=12,
    still_slot=432,
    frame_ms=200,
)


def draw(album: Album) -> None:
    """An episode."""
    album.episode(FILM)
