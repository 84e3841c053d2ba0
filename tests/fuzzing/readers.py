"""Every reader, with a small right file of its own and the ways to damage it."""

from __future__ import annotations

import io
import json
import lzma
import random
import shutil
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from city_worlds import feed_tables, small_city

from fuzzing import mutations as m
from mmwave_gym.agents.files import load_policy, save_policy
from mmwave_gym.agents.networks import Network
from mmwave_gym.agents.policy import action_metadata
from mmwave_gym.benchmark.leaderboard import packs
from mmwave_gym.benchmark.leaderboard.rows import parse, read_rows
from mmwave_gym.core.registration import make_scenario
from mmwave_gym.scenarios.association.city import read_city, write_city
from mmwave_gym.scenarios.cell_selection import drive_test
from mmwave_gym.sources import buildings, convert, gtfs, mssn, raytraced, recordings, sites, sumo_fcd

Read = Callable[[Path], Any]


@dataclass(frozen=True)
class Reader:
    """`read` takes the path of the damaged file; `sample` are the bytes of a right one."""

    name: str
    file: str
    sample: bytes
    read: Read
    mutations: Sequence[m.Mutation]
    each: Callable[[bytes], Iterator[bytes]] = lambda data: iter(())
    """Damage that is done to every column or attribute, one after the other."""
    beside: dict[str, bytes] = field(default_factory=dict)
    """Files beside it, by their names."""
    share: float = 1.0
    """Of the cases, compared with others: slow readers have fewer."""


def _policy(folder: Path) -> tuple[bytes, bytes]:
    scenario = make_scenario("handover", horizon=40)
    rng = np.random.default_rng(0)
    layers = [
        (rng.normal(size=(4, 12)).astype(np.float32), np.zeros(4, np.float32)),
        (rng.normal(size=(6, 4)).astype(np.float32), np.zeros(6, np.float32)),
    ]
    metadata = {
        "env_id": "MmwaveHandover-v0",
        "kwargs": {"horizon": 40},
        "algorithm": "PPO",
        "output": "logits",
        "action": action_metadata(scenario.action_space),
        "normalised": True,
        "frame_stack": 1,
        "seed": 3,
    }
    save_policy(folder / "p.npz", Network(tuple(layers), "tanh", False), scenario.fields, metadata)
    return (folder / "p.npz").read_bytes(), (folder / "p.json").read_bytes()


def _with_new_sum(path: Path) -> Any:
    """Read damaged weights whose .json knows their sum: else nothing but the sum would be looked at."""
    import hashlib

    side = path.with_suffix(".json")
    told = json.loads(side.read_bytes())
    told["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    side.write_text(json.dumps(told))
    return load_policy(path)


def _rows() -> bytes:
    head = {
        "format": 1,
        "task": {
            "name": "handover/a1",
            "hash": "0" * 8,
            "env_id": "MmwaveHandover-v0",
            "primary": "reward",
            "higher_is_better": True,
            "episodes": 3,
        },
        "package_version": "0",
        "agent": {"name": "a3", "training_seed": None, "access": "local", "config": {"a": 1}, "weights_sha256": ""},
        "metrics": {"reward": {}, "rate": {}},
    }
    lines = [head, *({"episode": e, "reward": 1.0 + e, "rate": 2.5, "scored_steps": 20} for e in range(3))]
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def _pack(folder: Path) -> tuple[bytes, bytes]:
    """The two files of a pack."""
    folder.mkdir()
    path = folder / "a.jsonl"
    path.write_bytes(_rows())
    run = parse(path.read_bytes(), path)
    assert run is not None
    heads, rows = (path.read_bytes() for path in packs.pack([run], folder))
    shutil.rmtree(folder)
    return heads, rows


def _repacked(change: m.Mutation) -> m.Mutation:
    """Damage within .xz data, where it can be unpacked still."""

    def damaged(data: bytes, rng: random.Random) -> bytes:
        return lzma.compress(change(lzma.decompress(data), rng), preset=0)

    return damaged


def _drive(times: Sequence[str], mark: str, header: Sequence[str], row: Callable[[int], Sequence[Any]]) -> bytes:
    lines = [header, *([time, *row(i)] for i, time in enumerate(times))]
    return "\n".join(mark.join(str(cell) for cell in line) for line in lines).encode() + b"\n"


LEVELS = (-80, -85, -100, -120, -115, -100, -80, -75, -112, -95)


def _recordings() -> Iterator[Reader]:
    seconds = [str(i) for i in range(30)]
    stamps = [f"2019.11.25_15.34.{i:02d}" for i in range(30)]
    epochs = [str(1721808579908 + 1000 * i + i % 3) for i in range(30)]
    named = [f"Thu Aug 11 13:41:{i:02d} UTC 2022" for i in range(30)]
    rows = {
        "plain": (_drive(seconds, ",", ["time", "rsrp", "cell"], lambda i: [LEVELS[i % 10], i // 9]), ",", None),
        "irish": (
            _drive(stamps, ",", ["Timestamp", "RSRP", "SNR", "RAWCELLID"], lambda i: [LEVELS[i % 10], 3, i // 9]),
            ",",
            "irish",
        ),
        "mtu": (_drive(named, ",", ["Time", "rsrp(dBm)", "nr_rsrp(dBm)"], lambda i: [LEVELS[i % 10], 0]), ",", "mtu"),
        "cicv5g": (
            _drive(
                epochs, " ", ["pub_time(ms)", "cellid(db)", "sinr(db)", "rsrp(db)"], lambda i: ["5C", 9, LEVELS[i % 10]]
            ),
            " ",
            "cicv5g",
        ),
        "cni": (
            _drive(epochs, ";", ["Timestamp", "PCI", "RSRP"], lambda i: [i // 9, LEVELS[i % 10]]),
            ";",
            "cni-cell-tracker",
        ),
        "g-nettrack": (
            _drive(stamps, "\t", ["Timestamp", "CellID", "Level", "SNR"], lambda i: [i // 9, LEVELS[i % 10], 2]),
            "\t",
            "g-nettrack",
        ),
    }
    for name, (data, mark, preset) in rows.items():

        def read(path: Path, preset: str | None = preset) -> Any:
            found = recordings.read(path, recordings.Options().over(preset))
            recordings.to_csv(found, 0.5)
            return recordings.to_links(found, resample_s=1.0)

        yield Reader(
            f"recording {name}",
            "run.csv",
            data,
            read,
            (m.table(mark), m.table(mark), m.bytes_of),
            lambda data, mark=mark: m.columns(data, mark),
        )
    data, mark, _ = rows["plain"]
    yield Reader(
        "transition",
        "run.csv",
        data,
        lambda path: drive_test.fit(path, level="rsrp"),
        (m.table(mark), m.bytes_of),
        lambda data: m.columns(data, ","),
    )


def _npz(**arrays: Any) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _channels() -> Iterator[Reader]:
    def read(path: Path) -> Any:
        return convert(path, path.with_name("out.npz"), resample_s=1.0)

    text = b"# noise_dbm: -84.0\ntime_s,a_dbm,b_dbm\n" + b"".join(b"%d,%d,-95\n" % (i, -80 - i) for i in range(8))
    yield Reader(
        "channel csv", "c.csv", text, read, (m.table(",", 1), m.bytes_of), lambda data: m.columns(data, ",", 1)
    )
    arrays = _npz(
        version=1,
        rsrp_dbm=-90.0 + np.arange(12.0).reshape(6, 2),
        noise_dbm=-100.0,
        cells=np.array(["a", "b"]),
        time_s=np.arange(6.0),
        notes=np.array("made up"),
    )
    yield Reader("channel npz", "c.npz", arrays, read, (m.arrays_of, m.arrays_of, m.bytes_of, m.members(m.bytes_of)))
    route = _npz(
        gain_db=-90.0 - np.arange(12.0).reshape(6, 2),
        rx=np.stack((10.0 * np.arange(6), np.zeros(6)), 1),
        tx=np.zeros((2, 2)),
    )
    yield Reader("ray-traced route", "r.npz", route, raytraced.read, (m.arrays_of, m.bytes_of))
    lines = [mssn.COLUMNS]
    for square in range(3):
        for cell in (5, 6):
            levels = [-110 + cell + square + i for i in range(len(mssn.PERCENTILES))]
            lines.append((41.8805 + 0.0005 * square, -87.63, 2_071_667, cell, "mw", 9, *levels))
    grid = "".join(",".join(map(str, line)) + "\n" for line in lines).encode()
    yield Reader(
        "measured grid", "V_rss_cell_1.csv", grid, mssn.read, (m.table(), m.bytes_of), lambda data: m.columns(data, ",")
    )


def _cities(folder: Path) -> Iterator[Reader]:
    write_city(folder / "city.npz", small_city())
    data = (folder / "city.npz").read_bytes()
    yield Reader("city", "city.npz", data, read_city, (m.arrays_of, m.arrays_of, m.bytes_of, m.members(m.bytes_of)))
    places = b"name,lat,lon,height\n" + b"".join(b"s%d,60.1%d,24.9%d,3\n" % (i, i, i) for i in range(6))
    yield Reader(
        "sites csv", "s.csv", places, sites.read_alone, (m.table(), m.bytes_of), lambda data: m.columns(data, ",")
    )
    points = {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "properties": {"name": f"s{i}"},
                "geometry": {"type": "Point", "coordinates": [24.9 + i / 100, 60.1]},
            }
            for i in range(3)
        ],
    }
    yield Reader("sites geojson", "s.geojson", json.dumps(points).encode(), sites.read_alone, (m.json_of, m.bytes_of))
    ring = [[24.9, 60.1], [24.91, 60.1], [24.91, 60.11], [24.9, 60.1]]
    shapes = {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": [ring]}},
            {"type": "Feature", "properties": {}, "geometry": {"type": "MultiPolygon", "coordinates": [[ring]]}},
        ],
    }
    yield Reader("buildings", "b.geojson", json.dumps(shapes).encode(), buildings.read, (m.json_of, m.bytes_of))
    steps = "".join(
        f'<timestep time="{t}.00"><vehicle id="a" x="{24.9 + t / 1e4}" y="60.1" speed="9"/>'
        f'<vehicle id="b" x="24.9" y="{60.1 + t / 1e4}" speed="9"/></timestep>\n'
        for t in range(8)
    )
    cars = f"<fcd-export>\n{steps}</fcd-export>\n".encode()
    yield Reader("floating cars", "f.xml", cars, sumo_fcd.read, (m.xml_of, m.bytes_of), m.attributes)
    table = "timestep_time;vehicle_id;vehicle_x;vehicle_y\n" + "".join(
        f"{t}.00;{name};{x};60.1\n" for t in range(8) for name, x in (("a", 24.9 + t / 1e4), ("b", 24.9 - t / 1e4))
    )
    yield Reader(
        "floating cars csv",
        "f.csv",
        table.encode(),
        sumo_fcd.read,
        (m.table(";"), m.bytes_of),
        lambda data: m.columns(data, ";"),
    )
    nodes = "".join(f'<node id="{i}" lon="{x}" lat="{y}"/>\n' for i, (x, y) in enumerate(ring[:3]))
    way = "".join(f'<nd ref="{i}"/>\n' for i in (0, 1, 2, 0))
    osm = f'<osm>\n{nodes}<way id="9">\n{way}<tag k="building" v="yes"/>\n</way>\n</osm>\n'.encode()
    yield Reader("buildings osm", "b.osm", osm, buildings.read, (m.xml_of, m.bytes_of), m.attributes)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in feed_tables().items():
            archive.writestr(f"{name}.txt", "\n".join(text) + "\n")

    def timetable(path: Path) -> Any:
        return gtfs.read(path, from_s=25_000.0, to_s=30_000.0)

    yield Reader(
        "timetable",
        "g.zip",
        buffer.getvalue(),
        timetable,
        (m.members(m.table()), m.members(m.bytes_of), m.bytes_of),
        _feed_columns,
    )


def _feed_columns(data: bytes) -> Iterator[bytes]:
    """Every column of every table of a feed."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    for name, text in found.items():
        for changed in m.columns(text, ","):
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w") as archive:
                for member, content in {**found, name: changed}.items():
                    archive.writestr(member, content)
            yield buffer.getvalue()


def readers(folder: Path) -> list[Reader]:
    """All of them; `folder` is a place to write to."""
    weights, told = _policy(folder)
    heads, packed = _pack(folder / "packs")
    fit = {"format": 1, "transition": [[0.5, 0.5, 0.0], [0.5, 0.0, 0.5], [0.0, 0.5, 0.5]], "slot_s": 1.0}
    return [
        Reader(
            "policy",
            "p.npz",
            weights,
            _with_new_sum,
            (m.arrays_of, m.bytes_of, m.members(m.bytes_of)),
            beside={"p.json": told},
        ),
        Reader(
            "policy's json", "p.json", told, load_policy, (m.json_of, m.json_of, m.bytes_of), beside={"p.npz": weights}
        ),
        Reader(
            "rows", "r.jsonl", _rows(), lambda path: read_rows(path.parent), (m.json_lines, m.json_lines, m.bytes_of)
        ),
        Reader(
            "pack",
            "t.runs.xz",
            heads,
            packs.read_pack,
            (_repacked(m.json_lines), _repacked(m.bytes_of), m.bytes_of),
            beside={"t.rows.xz": packed},
        ),
        Reader("fit", "fit.json", json.dumps(fit).encode(), drive_test.read_fit, (m.json_of, m.bytes_of)),
        *_recordings(),
        *_channels(),
        *_cities(folder),
    ]
