"""Small cities for tests: one by hand, and feeds and maps that tests write."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from mmwave_gym.scenarios.association.city import City

BS_X_M = np.array((0.0, 200.0, 600.0))
RANGE_M = 130.0
SPEED_MPS = 10.0


def small_city(**changes: Any) -> City:
    """A street along x with base stations at 0, 200 and 600 m, range 130 m, and a hole from 330 to 470 m.

    Vehicle v enters at 7 v s, the even ones at -50 m, the odd ones at 650 m, and crosses 700 m at 10 m/s.
    """
    vehicles, crossing_s = 12, 70
    first = 7 * np.arange(vehicles)
    x = -50.0 + SPEED_MPS * np.arange(crossing_s + 1)
    ways = [x if v % 2 == 0 else 600.0 - x for v in range(vehicles)]
    visits = []
    for v in range(vehicles):
        for bs, at in enumerate(BS_X_M):
            reach = np.sort(np.array((at - RANGE_M, at + RANGE_M)) - ways[v][0]) * np.sign(ways[v][1] - ways[v][0])
            start, end = np.clip(np.sort(reach) / SPEED_MPS, 0.0, crossing_s) + first[v]
            visits.append((v, bs, start, end))
    who, where, start_s, end_s = np.array(visits).T
    return City(**{
        "bs_m": np.stack((BS_X_M, np.full(3, 5.0)), axis=1),
        "sites": ("a", "b", "c"),
        "start_s": 25_200.0,
        "span_s": 150.0,
        "knot_s": 1.0,
        "vehicles": tuple(f"tram {v}" for v in range(vehicles)),
        "first_knot": first,
        "num_knots": np.full(vehicles, crossing_s + 1),
        "knots_m": np.concatenate([np.stack((way, np.zeros(len(way))), axis=1) for way in ways]),
        "present_s": np.stack((first, first + crossing_s), axis=1).astype(float),
        "visit_vehicle": who.astype(int),
        "visit_bs": where.astype(int),
        "visit_s": np.stack((start_s, end_s), axis=1),
        "corners": np.array((4,)),
        "corner_m": np.array(((20.0, 20.0), (80.0, 20.0), (80.0, 60.0), (20.0, 60.0))),
        "snr_1m_db": 66.0,
        "path_loss_exponent": 2.1,
        "height_m": 8.5,
        "bandwidth_hz": 1e9,
        "radius_m": RANGE_M,
        "carrier_hz": 28e9,
        "in_range_s": float((end_s - start_s).sum()) / 0.7,
        "attribution": "made up",
        **changes,
    })  # fmt: skip


# A feed on the equator: 0.001 degrees are 111 m. One street eastwards, then back on the other side 33 m away.
HOME = (24.0, 0.001)


def shape_rows(points: list[tuple[float, float]], name: str = "there") -> list[str]:
    return [f"{name},{lat},{lon},{i}" for i, (lon, lat) in enumerate(points)]


def feed_tables() -> dict[str, list[str]]:
    """Tables of a feed, each a header and rows: one tram, five stops 222 m apart, whole minutes, Mondays to Fridays."""
    stops = [(24.0 + 0.002 * i, 0.001) for i in range(5)]
    times = ("07:00:00", "07:00:00", "07:01:00", "", "07:02:00")
    return {
        "agency": ["agency_id,agency_name,agency_url,agency_timezone", "A,City Trams,http://a.example,Etc/UTC"],
        "routes": ["route_id,agency_id,route_short_name,route_long_name,route_type", "R,A,7,Line,0", "M,A,U,Metro,1"],
        "calendar": [
            "service_id,monday,tuesday,wednesday,thursday,friday,saturday,sunday,start_date,end_date",
            "week,1,1,1,1,1,0,0,20240101,20240131",
        ],
        "trips": ["route_id,service_id,trip_id,shape_id", "R,week,t1,there"],
        "stops": [
            "stop_id,stop_name,stop_lat,stop_lon",
            *(f"s{i},Stop,{lat},{lon}" for i, (lon, lat) in enumerate(stops)),
        ],
        "shapes": [
            "shape_id,shape_pt_lat,shape_pt_lon,shape_pt_sequence",
            *shape_rows([(24.0 + 0.001 * i, 0.001) for i in range(9)]),
        ],
        "stop_times": [
            "trip_id,arrival_time,departure_time,stop_id,stop_sequence",
            *(f"t1,{time},{time},s{i},{i + 1}" for i, time in enumerate(times)),
        ],
    }


def write_feed(path: Path, tables: dict[str, list[str]]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, rows in tables.items():
            archive.writestr(f"{name}.txt", "\n".join(rows) + "\n")
    return path


def write_map(path: Path, boxes: list[tuple[float, float, float, float]]) -> Path:
    """GeoJSON of rectangles: west, south, east, north."""
    rings = [[[w, s], [e, s], [e, n], [w, n], [w, s]] for w, s, e, n in boxes]
    features = [{"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [ring]}} for ring in rings]
    path.write_text(json.dumps({"type": "FeatureCollection", "attribution": "© nobody", "features": features}))
    return path


def fcd_text(rows: list[tuple[float, str, float, float]]) -> str:
    steps = "\n".join(
        f'<timestep time="{time}"><vehicle id="{name}" x="{x}" y="{y}" speed="1"/></timestep>'
        for time, name, x, y in rows
    )
    return f"<fcd-export>\n{steps}\n</fcd-export>\n"


def write_fcd(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path
