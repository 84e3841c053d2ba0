"""Cities by ray tracing: everything around the tracer without it, and one tiny trace where Sionna RT is installed."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import signal
import struct
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from typer.testing import CliRunner

import mmwave_gym  # noqa: F401
from mmwave_gym.cli import app, main
from mmwave_gym.core.errors import ChannelError, CityError
from mmwave_gym.sources import cities, open_channel
from mmwave_gym.sources.raytracing import places, scenes, tracing
from mmwave_gym.sources.raytracing.city import City, Wanted, _job, _sites, city, trace

SIONNA = importlib.util.find_spec("sionna") is not None
SQUARE = np.array(((0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)))
L_SHAPE = np.array(((0.0, 0.0), (0.0, 20.0), (10.0, 20.0), (10.0, 10.0), (20.0, 10.0), (20.0, 0.0)))  # clockwise


def block(at: tuple[float, float], size: float = 0.0004) -> list[list[float]]:
    """A square ring in degrees, about 22 m by 44 m at the latitude of Helsinki."""
    lon, lat = at
    return [[lon, lat], [lon + size, lat], [lon + size, lat + size], [lon, lat + size], [lon, lat]]


@pytest.fixture
def town(tmp_path: Path) -> Path:
    """Nine blocks with streets between, as GeoJSON; one has a height, one storeys."""
    features = [
        {"geometry": {"type": "Polygon", "coordinates": [block((24.94 + 0.0007 * i, 60.17 + 0.0007 * j))]},
         "properties": {"height": "21"} if (i, j) == (0, 0) else {"building:levels": 4} if (i, j) == (1, 1) else {}}
        for i in range(3) for j in range(3)
    ]  # fmt: skip
    file = tmp_path / "town.geojson"
    file.write_text(json.dumps({
        "type": "FeatureCollection", "features": features, "attribution": "© A. Mapper", "licence": "CC BY 4.0",
    }))  # fmt: skip
    return file


def volume(mesh: scenes.Mesh) -> float:
    """Volume between a mesh and the ground z = 0, positive where faces turn outwards."""
    a, b, c = (mesh.vertices_m[mesh.faces[:, k]] for k in range(3))
    return float((a * np.cross(b, c)).sum() / 6.0)


# ---------------------------------------------------------------------- scenes


@pytest.mark.parametrize(("ring", "area", "faces"), [(SQUARE, 100.0, 8 + 2), (L_SHAPE, 300.0, 12 + 4)])
def test_a_building_is_a_prism_whose_faces_turn_outwards(ring: np.ndarray, area: float, faces: int) -> None:
    mesh, unknown, failed = scenes.extruded([ring], np.array([7.0]))
    assert (unknown, failed) == (0, 0)
    assert len(mesh.faces) == faces
    assert volume(mesh) == pytest.approx(area * 7.0)  # the floor lies in z = 0 and adds nothing
    assert set(mesh.vertices_m[:, 2].tolist()) == {0.0, 7.0}


def test_unknown_heights_and_outlines_without_area_are_counted() -> None:
    line = np.array(((0.0, 0.0), (5.0, 0.0), (9.0, 0.0)))
    mesh, unknown, failed = scenes.extruded([SQUARE, SQUARE + 30.0, line], np.array([np.nan, 4.0, 4.0]))
    assert (unknown, failed) == (1, 1)
    assert volume(mesh) == pytest.approx(100.0 * (scenes.UNKNOWN_HEIGHT_M + 4.0))
    with pytest.raises(CityError, match="none of its 1 buildings has an area"):
        scenes.extruded([line], np.array([4.0]))


def test_the_bytes_of_a_mesh() -> None:
    mesh = scenes.Mesh(np.array(((1.0, 2.0, 3.0), (4.0, 5.0, 6.0), (7.0, 8.0, 9.5))), np.array([[0, 1, 2]], np.int32))
    header, _, body = scenes.ply(mesh).partition(b"end_header\n")
    assert header.startswith(b"ply\nformat binary_little_endian 1.0\nelement vertex 3\n")
    assert b"element face 1\nproperty list uchar int vertex_indices\n" in header
    assert struct.unpack("<9fB3i", body) == (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.5, 3, 0, 1, 2)


def test_a_map_becomes_a_scene_on_disk_twice_the_same(town: Path, tmp_path: Path) -> None:
    found = scenes.open_scene(str(town), tmp_path / "a")
    scenes.open_scene(str(town), tmp_path / "b")
    for name in ("scene.xml", "meshes/buildings.ply", "meshes/ground.ply"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    tree = ElementTree.parse(tmp_path / "a" / "scene.xml").getroot()
    assert [shape.get("id") for shape in tree.iter("shape")] == ["mesh-buildings", "mesh-ground"]
    for shape in tree.iter("shape"):
        text = shape.find("string")
        assert text is not None
        assert (tmp_path / "a" / str(text.get("value"))).is_file()
    vertices = scenes.ply(scenes.Mesh(np.zeros((36 * 2, 3)), np.zeros((9 * 10, 3), np.int32)))
    assert len((tmp_path / "a/meshes/buildings.ply").read_bytes()) == len(vertices)
    assert found.licence == "Map: © A. Mapper, CC BY 4.0"
    assert "9 buildings, 7 of them without a height" in found.notes


@pytest.mark.parametrize(
    ("scene", "said"),
    [
        ("atlantis", "neither a map .* nor one of munich, etoile, florence, san_francisco"),
        ("nowhere.osm.pbf", "nowhere.osm.pbf"),
        ("empty.geojson", "it has no buildings"),
    ],
)
def test_scenes_that_are_none(tmp_path: Path, scene: str, said: str) -> None:
    (tmp_path / "empty.geojson").write_text('{"type": "FeatureCollection", "features": []}')
    name = str(tmp_path / scene) if "." in scene else scene
    with pytest.raises(CityError, match=said):
        scenes.open_scene(name, tmp_path / "scene")


# ---------------------------------------------------------------------- places

PICTURE = (
    ".........",
    ".###.###.",
    ".#.#.###.",  # a courtyard
    ".###.###.",
    ".........",
    "#########",
    "..#......",
)


def outdoor() -> np.ndarray:
    return np.array([[c == "." for c in row] for row in PICTURE])


def test_streets_are_the_largest_part_that_hangs_together() -> None:
    streets = places.streets(outdoor())
    assert streets.sum() == 9 + 9 + 3 * 3
    assert not streets[2, 2]
    assert not streets[6].any()
    with pytest.raises(CityError, match="the map has no streets here: at most 1 outdoor points of 49"):
        places.streets(np.eye(7, dtype=bool))
    with pytest.raises(CityError, match="no streets here: at most 0"):
        places.streets(np.zeros((7, 7), bool))


def test_edges_join_neighbours_only() -> None:
    on_street = places.streets(outdoor())
    place = np.argwhere(on_street)
    pairs = places.edges(on_street)
    assert (np.abs(place[pairs[:, 0]] - place[pairs[:, 1]]).sum(axis=1) == 1).all()
    apart = np.abs(place[:, None] - place).sum(axis=2)
    assert len(pairs) == (apart == 1).sum() / 2


def test_the_grid() -> None:
    xy_m = places.grid((100.0, 50.0), 20.0, 5.0)
    assert xy_m.shape == (5, 5, 2)
    assert xy_m[0, 0].tolist() == [90.0, 40.0]
    assert xy_m[4, 0].tolist() == [110.0, 40.0]
    with pytest.raises(CityError, match="has only 2 points"):
        places.grid((0.0, 0.0), 10.0, 10.0)
    with pytest.raises(CityError, match="larger step"):
        places.grid((0.0, 0.0), 5000.0, 1.0)


def test_sites_hang_on_walls_and_are_drawn_alike_each_time() -> None:
    ground = outdoor()
    on_street = places.streets(ground)
    found = places.beside_walls(on_street, ground, np.random.default_rng(3))
    cell = np.argwhere(on_street)[found]
    built = np.argwhere(~ground)
    assert (np.abs(cell[:, None] - built).max(axis=2).min(axis=1) == 1).all()
    assert (found == places.beside_walls(on_street, ground, np.random.default_rng(3))).all()
    assert len(places.beside_walls(np.ones((4, 4), bool), np.ones((4, 4), bool), np.random.default_rng(0))) == 16


def test_sites_are_chosen_so_that_places_see_two() -> None:
    seen = np.zeros((4, 10), bool)
    seen[0, :6] = seen[1, :6] = seen[2, :6] = True  # three see the same six places
    seen[3, 6:] = True  # one sees the other four
    apart_m = np.array(((0.0, 0.0), (0.0, 90.0), (90.0, 0.0), (90.0, 90.0)))
    assert places.cover(seen, apart_m, 3).tolist() == [0, 1, 3], "the third of a kind would be worth less"
    with pytest.raises(CityError, match="5 sites, but only 4 places"):
        places.cover(seen, apart_m, 5)


def test_sites_keep_their_distance() -> None:
    seen = np.ones((3, 5), bool)
    near_m = np.array(((0.0, 0.0), (1.0, 0.0), (60.0, 60.0)))
    assert places.cover(seen, near_m, 2).tolist() == [0, 2]
    assert places.cover(seen, near_m, 3).tolist() == [0, 2, 1], "at last the near one too"


# ---------------------------------------------------------------------- the child


def fake(text: str) -> tuple[str, ...]:
    return (sys.executable, "-c", f"import json, os, signal, sys\njob = json.load(open(sys.argv[1]))\n{text}")


def test_a_child_that_aborts_becomes_one_line_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(tracing.LLVM, "/opt/libLLVM-15.so")
    with pytest.raises(CityError) as caught:
        tracing.run({}, command=fake("sys.stderr.write('LLVM ERROR: bad\\n'); sys.stderr.flush(); os.abort()"))
    said = str(caught.value)
    assert "\n" not in said
    assert "SIGABRT" in said
    assert "/opt/libLLVM-15.so" in said
    assert "apt-get install libllvm19" in said
    assert "DRJIT_LIBLLVM_PATH=" in said
    assert "LLVM ERROR: bad" in said


def test_other_ends_of_the_child() -> None:
    with pytest.raises(CityError, match=r"killed .SIGKILL.: is there enough memory"):
        tracing.run({}, command=fake("os.kill(os.getpid(), signal.SIGKILL)"))
    with pytest.raises(CityError, match=r"exit code 1.*ZeroDivisionError"):
        tracing.run({}, command=fake("1 / 0"))
    with pytest.raises(CityError, match=r"^no ground here$"):
        tracing.run({}, command=fake("print(json.dumps({'error': 'no ground here'})); sys.exit(1)"))
    with pytest.raises(CityError, match="install LLVM 19"):
        tracing.run({}, command=fake("raise RuntimeError('jit_init: the LLVM backend is inactive')"))


def test_progress_and_arrays_come_back_and_noise_is_passed_over() -> None:
    heard: list[tuple[str, int, int]] = []
    text = (
        "import numpy as np\nprint('a warning of a library')\nprint('7')\n"
        "print(json.dumps({'stage': 'reflections', 'done': 1, 'of': job['number']}), flush=True)\n"
        "np.savez(job['out'], gain_db=np.zeros((2, 3)))"
    )
    arrays = tracing.run({"number": 3}, lambda *words: heard.append(words), command=fake(text))
    assert heard == [("reflections", 1, 3)]
    assert arrays["gain_db"].shape == (2, 3)


def test_the_newest_llvm_that_works_is_found(tmp_path: Path) -> None:
    for name in ("libLLVM-14.so", "libLLVM-15.so.1", "libLLVM-16.so", "libLLVMgold.so"):
        (tmp_path / name).touch()
    assert tracing.find_llvm([str(tmp_path), "/nowhere"]) is None
    for name in ("libLLVM-17.so", "libLLVM.so.19.1", "libLLVM.so.18.1"):
        (tmp_path / name).touch()
    assert tracing.find_llvm([str(tmp_path)]) == str(tmp_path / "libLLVM.so.19.1")


def test_without_sionna_the_extra_is_named_before_any_work(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'mmwave-gym\[raytrace\]'"):
        trace(Wanted(scene="atlantis", sites="4"))


# ---------------------------------------------------------------------- what is asked for


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"sites": "1"}, "--sites must be 2 to 4096 or a file"),
        ({"sites": "none.csv"}, "there is no file 'none.csv'"),
        ({"frequency_hz": 28.0}, "--frequency must be between 1e.09 and 1e.11, got 28"),
        ({"step_m": float("nan")}, "--step must be between 0.5 and 50, got nan"),
        ({"side_m": 1e6}, "--side must be"),
        ({"site_height_m": 0.0}, "--site-height must be"),
        ({"depth": -1}, "--depth must be"),
        ({"samples": 10}, "--samples must be"),
    ],
)
def test_what_makes_no_city(words: dict, said: str) -> None:
    with pytest.raises(CityError, match=said):
        Wanted(**{"scene": "munich", "sites": "4", **words})


def test_a_file_of_sites_in_degrees_lies_on_the_map(town: Path, tmp_path: Path) -> None:
    file = tmp_path / "sites.csv"
    file.write_text("name,lat,lon\na,60.17055,24.94055\nb,60.17055,24.94125\n")
    wanted = Wanted(scene=str(town), sites=str(file), centre=(60.1709, 24.9409))
    scene = scenes.open_scene(str(town), tmp_path / "scene")
    names, place_m, _ = _sites(wanted, scene)
    assert names == ("a", "b")
    assert place_m is not None
    east_m, north_m = place_m[1] - place_m[0]
    assert east_m == pytest.approx(0.0007 * 111_320 * np.cos(np.radians(60.17)), rel=0.01)
    assert abs(north_m) < 3.0  # grid north is not quite north
    job = _job(wanted, scene, names, place_m)
    assert job["number"] == 2
    assert np.linalg.norm(np.array(job["centre_m"]) - place_m[0]) < 50.0
    with pytest.raises(CityError, match="lies outside the map"):
        _job(Wanted(scene=str(town), sites="2", centre=(48.0, 11.0)), scene, names, None)
    with pytest.raises(CityError, match="in degrees and the scene 'munich' is in metres"):
        _sites(Wanted(scene="munich", sites=str(file)), scenes.open_scene("munich", tmp_path))


def test_sites_in_buildings_are_named() -> None:
    place_m = np.array(((0.0, 0.0), (5.0, 5.0), (900.0, 0.0)))
    places.check_sites(("a", "b"), place_m[:2], np.array([True, True]), np.array([True, True]))
    with pytest.raises(CityError, match=r"1 of 2 sites stand in a building.*--on-roofs.*'b' at \(5.0, 5.0\)"):
        places.check_sites(("a", "b"), place_m[:2], np.array([True, False]), np.array([True, True]))
    with pytest.raises(CityError, match=r"beyond the scene's ground.*'c' at \(900.0, 0.0\)"):
        places.check_sites(("a", "b", "c"), place_m, np.array([True, True, False]), np.array([True, True, False]))


# ---------------------------------------------------------------------- what becomes of the tracer's arrays


def made(gain_db: np.ndarray) -> City:
    """A city of a 3 by 3 grid whose middle is a building."""
    xy_m = places.grid((0.0, 0.0), 20.0, 10.0)
    ground = np.ones((3, 3), bool)
    ground[1, 1] = False
    arrays = {
        "gain_db": gain_db, "rx": np.column_stack((xy_m[ground], np.full(8, 1.5))),
        "tx": np.array(((-10.0, -10.0, 8.0), (10.0, 10.0, 8.0), (0.0, 10.0, 8.0)))[: gain_db.shape[1]],
        "los": gain_db > -100.0, "edges": places.edges(ground), "map_m": xy_m, "roof": ~ground,
    }  # fmt: skip
    scene = scenes.Scene("t", None, "ray-traced town", scenes.OSM_TERMS)
    names = tuple("abc"[: gain_db.shape[1]])
    return city(Wanted(scene="munich", sites="3"), scene, names, "", arrays)


def test_gains_become_a_world_that_is_played(tmp_path: Path) -> None:
    gain_db = np.full((8, 3), -200.0)
    gain_db[:, 0] = np.linspace(-70.03, -90.0, 8)
    gain_db[4:, 1] = -80.0
    links = made(gain_db).links
    assert links.cells == ("a", "b"), "the third is heard nowhere"
    assert links.rsrp_dbm[0, 0] == -20.0, "30 dBm + 20 dB - 70.03 dB, to the nearest eighth"
    assert np.isnan(links.rsrp_dbm[:4, 1]).all()
    assert links.edges is not None
    assert len(links.edges) == 8
    assert "1 of 3 sites are heard nowhere" in links.notes
    assert "OpenStreetMap contributors" in links.licence
    from mmwave_gym.links.files import read_channel, write_channel

    write_channel(tmp_path / "town.npz", links)
    assert read_channel(tmp_path / "town.npz") == links
    env = gym.make("MmwaveHandover-v0", channel=str(tmp_path / "town.npz"), horizon=30)
    env.reset(seed=0)
    assert env.step(0)[0] is not None
    env.close()
    with pytest.raises(CityError, match="1 of 2 sites are heard"):
        made(gain_db[:, [0, 2]])


def test_the_picture_says_whose_map_it_is(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from PIL import Image

    from mmwave_gym.sources.raytracing.picture import draw

    gain_db = np.full((8, 3), -80.0)
    gain_db[2] = -200.0
    draw(tmp_path / "town.png", made(gain_db))
    with Image.open(tmp_path / "town.png") as image:
        assert "OpenStreetMap contributors" in image.info["Copyright"]
        assert image.size[0] > 400


# ---------------------------------------------------------------------- the command


def test_channel_alone_still_converts(tmp_path: Path) -> None:
    file = tmp_path / "drive.csv"
    file.write_text("# noise_dbm: -84\ntime_s,a_dbm,b_dbm\n0,-70,-80\n1,-71,-79\n2,-72,-78\n")
    for words in ([str(file), "--out", str(tmp_path / "a.npz")], ["--out", str(tmp_path / "b.npz"), str(file)]):
        result = CliRunner().invoke(app, ["channel", *words])
        assert result.exit_code == 0, result.output
        assert "3 times x 2 cells" in result.output
    shown = CliRunner().invoke(app, ["channel", "--help"])
    assert "raytrace" in shown.output
    assert "convert" in shown.output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--scene", "munich", "--out", "city.csv"], "--out must end in .npz"),
        (["--scene", "munich", "--out", "city.npz", "--sites", "0"], "--sites must be 2 to 4096"),
        *([] if SIONNA else [(["--scene", "munich", "--out", "city.npz"], "pip install 'mmwave-gym[raytrace]'")]),
    ],
)
def test_wrong_words(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as caught:
        main(["channel", "raytrace", *words])
    assert caught.value.code == 2
    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [], "nothing was begun"


# ---------------------------------------------------------------------- with the tracer

needs_sionna = pytest.mark.skipif(not SIONNA, reason="Sionna RT is not installed: pip install 'mmwave-gym[raytrace]'")


@pytest.mark.long
@needs_sionna
def test_a_tiny_town_is_traced_twice_the_same(town: Path, tmp_path: Path) -> None:
    wanted = Wanted(scene=str(town), sites="4", side_m=100.0, step_m=10.0, samples=100_000)
    stages: list[str] = []
    first = trace(wanted, lambda stage, done, of: stages.append(stage)).links
    assert first == trace(wanted).links
    assert {"loading the scene", "line of sight", "reflections"} <= set(stages)
    assert first.num_cells == 4
    assert first.position_m is not None
    assert first.site_m is not None
    # By hand: in sight and alone a link is free space; reflections can only add to it.
    apart_m = np.hypot(np.linalg.norm(first.position_m[:, None] - first.site_m, axis=2), 6.5)
    free_dbm = 50.0 + 20.0 * np.log10(299_792_458.0 / (4.0 * np.pi * 28e9 * apart_m))
    over_db = (first.rsrp_dbm - free_dbm)[first.heard]
    assert over_db.max() < 6.0
    assert (np.abs(over_db) < 3.0).mean() > 0.3


@pytest.mark.long
@needs_sionna
def test_what_the_tracer_refuses(town: Path, tmp_path: Path) -> None:
    with pytest.raises(CityError, match="'simple_reflector' has no ground"):
        trace(Wanted(scene="simple_reflector", sites="2", side_m=20.0))
    file = tmp_path / "sites.csv"
    file.write_text("name,lat,lon\nin,60.1702,24.9402\nout,60.17055,24.94055\n")
    with pytest.raises(CityError, match=r"1 of 2 sites stand in a building.*'in'"):
        trace(Wanted(scene=str(town), sites=str(file), side_m=100.0, step_m=10.0))


def test_signals_have_names_here() -> None:
    assert tracing.why_ended(-signal.SIGILL, "", None).count("SIGILL") == 1
    assert "no LLVM 17 or later was found" in tracing.why_ended(-signal.SIGABRT, "", None)
    assert os.linesep not in tracing.why_ended(1, "a\nb\n", None)


# ---------------------------------------------------------------------- the cities that come with the package


def test_six_cities_are_shipped_small_whole_and_said_whose_they_are() -> None:
    known = cities.known()
    assert len(known) == 6
    assert len(cities.names("train")) == len(cities.names("test")) == 3
    folder = Path(cities.__file__).parent
    assert {file.stem for file in folder.glob("*.npz")} == set(known)
    for name, its in known.items():
        file = folder / f"{name}.npz"
        assert file.stat().st_size <= 100_000
        assert hashlib.sha256(file.read_bytes()).hexdigest() == its["sha256"]
        assert its["command"].startswith("mmwave-gym channel raytrace --scene ")
        assert its["command"].endswith(f"--out {name}.npz")
        matrix = open_channel(f"city:{name}")
        assert matrix.num_cells == 16
        assert "© OpenStreetMap contributors, ODbL 1.0" in matrix.licence
        assert "Sionna RT" in matrix.notes
        assert (~matrix.heard.any(axis=1)).mean() < 0.02, "outages are few"


def test_a_city_is_played_and_a_changed_file_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    for env_id in ("MmwaveHandover-v0", "MmwaveStreet-v1"):
        env = gym.make(env_id, channel="city:helsinki")
        env.reset(seed=0)
        assert env.step(0)[1] >= 0.0
    with pytest.raises(ChannelError, match="the shipped cities are munich"):
        open_channel("city:atlantis")
    changed = {"munich": {**cities.known()["munich"], "sha256": "0" * 64}}
    monkeypatch.setattr(cities, "known", lambda: changed)
    with pytest.raises(ChannelError, match="its file was changed"):
        open_channel("city:munich")
