"""The picture of the shared street: the map planner serves cars and pedestrians on a map that nobody has trained on."""

from __future__ import annotations

from mmwave_baselines.pictures import Album, Film

FILM = Film(
    name="shared_street",
    env_id="MmwaveSharedStreet-v0",
    agent="map-planner",
    task="shared_street/main",
    keywords={"maps": 4003},
    seed=1,
    last_slot=400,
    slots_per_frame=10,
    still_slot=400,
    frame_ms=200,
)


def draw(album: Album) -> None:
    """An episode."""
    album.episode(FILM)
