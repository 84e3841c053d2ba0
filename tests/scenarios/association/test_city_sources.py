"""Maps, base-station sites, sight, and whole cities: made-up ones with every fault, then real ones."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from city_worlds import fcd_text, feed_tables, write_fcd, write_feed, write_map
from typer.testing import CliRunner

from mmwave_gym.cli import app
from mmwave_gym.core.errors import CityError
from mmwave_gym.core.notes import Notes
from mmwave_gym.scenarios.association import city_builder
from mmwave_gym.scenarios.association.world import CityWorld
from mmwave_gym.sources import buildings, gtfs, sight, sites
from mmwave_gym.sources.tracks import Knots, Projection, Track, knots_on_map

for library in ("pyrosm", "pyproj", "shapely"):
    pytest.importorskip(library, reason="cities are built with the extra [real]")

SEVEN = 7 * 3600.0
DEGREE_M = 111_320.0

# ---------------------------------------------------------------------- maps and sites

HOME = Projection((24.0, 60.0, 24.02, 60.01))


def polygon(ring):
    return f'{{"features": [{{"geometry": {{"type": "Polygon", "coordinates": [{ring}]}}}}]}}'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("b,2,24.01,60.005", "it has no site; row 2, fields 'lat' and 'lon': .* are swapped"),
        ("a,1,61.0,24.01", r"all 1 sites lie outside the map \(the first: row 2, .*, at 61, 24.01\)"),
        ("a,1,60.005,24.01,9", "row 2: 5 fields where the header has 4"),
        ("a,1,sixty,24.01", "row 2, field 'lat': 'sixty' is not a number"),
        ("a,1,160.0,24.01", "row 2, .* is no place on Earth"),
        ("", "it has no site\."),
    ],
)
def test_what_is_wrong_with_sites_is_named(tmp_path, text, message):
    file = tmp_path / "sites.csv"
    file.write_text("name,power,lat,lon\n" + text)
    with pytest.raises(CityError, match=message) as caught:
        sites.read(file, HOME)
    assert str(caught.value).startswith(str(file))


def test_cells_of_one_mast_are_one_site(tmp_path):
    file = tmp_path / "cells.csv"
    file.write_text("cell,LON,LAT\n1,24.01,60.005\n2,24.01,60.005\n3,24.011,60.005\n4,25.0,60.005\n")
    names, place_m, note = sites.read(file, HOME)
    assert len(names) == 2
    assert place_m[1, 0] - place_m[0, 0] == pytest.approx(0.001 * DEGREE_M * np.cos(np.radians(60.0)), rel=0.01)
    assert note == "2 of 4 sites in cells.csv are used: 1 lie outside the map."
    points = tmp_path / "cells.geojson"
    points.write_text(
        '{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"name": "mast"}, '
        '"geometry": {"type": "Point", "coordinates": [24.01, 60.005]}}]}'
    )
    assert sites.read(points, HOME)[0] == ("mast",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "it is not JSON"),
        ("[]", "it is not GeoJSON"),
        ('{"features": []}', "it has no buildings"),
        (polygon("[[1, 2], [3]]"), "feature 0, field 'coordinates'"),
        (polygon("[[1,100],[1,101],[2,100],[1,100]]"), "feature 0: .* is no place on Earth: are they swapped"),
    ],
)
def test_what_is_wrong_with_a_map_is_named(tmp_path, text, message):
    file = tmp_path / "map.geojson"
    file.write_text(text)
    with pytest.raises(CityError, match=message):
        buildings.read(file)


def test_one_building_of_a_map_is_swapped(tmp_path):
    boxes = [(60.0, 24.0, 60.001, 24.001), *[(24.0 + 0.01 * i, 60.0, 24.001 + 0.01 * i, 60.001) for i in range(2)]]
    file = write_map(tmp_path / "map.geojson", boxes)
    notes = Notes()
    assert len(buildings.read(file, notes).outlines) == 2
    assert notes.number("outline") == 1
    with pytest.raises(CityError, match=r"feature 0: latitude 24 and longitude 60 are swapped"):
        buildings.read(file, Notes(strict=True, error=CityError))


# ---------------------------------------------------------------------- sight


def straight(speed_mps, y_m, seconds):
    """Knots of one vehicle along x from 0."""
    way = np.stack((speed_mps * np.arange(seconds + 1.0), np.full(seconds + 1, y_m)), axis=1)
    return Knots(("v",), np.zeros(1, int), np.array([seconds + 1]), way, np.array(((0.0, float(seconds)),)))


def test_the_shadow_of_a_house_by_pencil_and_paper():
    """A base station at (50, 0), a house from x = 45 to 55 at y = 10 to 15, a street at y = 20: 40 to 60 m is dark."""
    house = np.array(((45.0, 10.0), (55.0, 10.0), (55.0, 15.0), (45.0, 15.0)))
    bs_m = np.array(((50.0, 0.0),))
    who, where, when_s, in_range_s = sight.visits(straight(1.0, 20.0, 100), 1.0, bs_m, [house], 50.0, lambda: None)
    reach_m = np.sqrt(50.0**2 - 20.0**2)
    np.testing.assert_allclose(when_s, ((50.0 - reach_m, 40.0), (60.0, 50.0 + reach_m)), atol=0.06)
    assert who.tolist() == where.tolist() == [0, 0]
    assert in_range_s == pytest.approx(2 * reach_m, abs=0.5)


def test_a_mast_on_a_house_is_not_blocked_by_it():
    house = np.array(((45.0, -5.0), (55.0, -5.0), (55.0, 5.0), (45.0, 5.0)))
    _, _, when_s, _ = sight.visits(straight(1.0, 20.0, 100), 1.0, np.array(((50.0, 0.0),)), [house], 50.0, lambda: None)
    assert len(when_s) == 1


def test_sight_is_that_of_straight_lines():
    """Random houses: what is seen equals what no house's footprint crosses."""
    shapely = pytest.importorskip("shapely")
    rng = np.random.default_rng(5)
    corner, size = rng.uniform(0, 280, (40, 2)), rng.uniform(4, 30, (40, 2))
    rings = [
        np.array(((x, y), (x + w, y), (x + w, y + h), (x, y + h))) for (x, y), (w, h) in zip(corner, size, strict=True)
    ]
    shapes = [shapely.Polygon(ring) for ring in rings]
    bs_m = rng.uniform(0, 300, (6, 2))
    place = rng.uniform(0, 300, (400, 2))
    for bs, region in zip(bs_m, sight.seen_regions(bs_m, rings, 120.0), strict=True):
        blocking = [s for s in shapes if not s.buffer(0.01).contains(shapely.Point(bs))]
        seen = shapely.contains_xy(region, place[:, 0], place[:, 1])
        lines = shapely.linestrings(np.stack((np.broadcast_to(bs, place.shape), place), axis=1))
        free = ~np.any([shapely.intersects(lines, s) for s in blocking], axis=0)
        np.testing.assert_array_equal(seen, free & (np.hypot(*(place - bs).T) <= 120.0))
        assert 0.02 < seen.mean() < 0.5


def test_a_vehicle_that_comes_back_is_another():
    projection = Projection((0.0, 0.0, 100.0, 100.0), degrees=False)
    track = Track("v", np.array((0.0, 20.0, 40.0)), np.array(((-50.0, 50.0), (150.0, 50.0), (-50.0, 50.0))))
    knots = knots_on_map([track], projection, 0.0, 60.0, 1.0)
    assert knots.vehicles == ("v", "v #2")
    np.testing.assert_allclose(knots.present_s, ((5.0, 15.0), (25.0, 35.0)))
    assert knots.num_knots.sum() == len(knots.knots_m)


# ---------------------------------------------------------------------- whole cities


def town(tmp_path, **changes):
    feed = write_feed(tmp_path / "feed.zip", {**feed_tables(), **changes})
    box = (0.0003, 0.0005)  # houses on both sides of the street at latitude 0.001
    houses = [
        (24.0005 + 0.001 * i, 0.001 + s * box[0], 24.0012 + 0.001 * i, 0.001 + s * box[1])
        for i in range(8)
        for s in (1,)
    ]
    return feed, write_map(
        tmp_path / "map.geojson", [*houses, (23.999, 0.0, 24.0, 0.0005), (24.009, 0.0, 24.01, 0.0005)]
    )


def test_a_city_from_the_command_line(tmp_path):
    feed, houses = town(tmp_path)
    out, picture = tmp_path / "town.npz", tmp_path / "town.png"
    arguments = ["city", "--gtfs", str(feed), "--buildings", str(houses), "--from", "06:58", "--to", "07:04"]
    result = CliRunner().invoke(app, [*arguments, "--out", str(out), "--picture", str(picture), "--spacing", "200"])
    assert result.exit_code == 0, result.output
    assert "1 vehicles" in result.output
    assert "© nobody; timetable: City Trams" in result.output
    assert picture.stat().st_size > 10_000
    again = CliRunner().invoke(app, ["city", str(out)])
    assert again.exit_code == 0
    assert "1 vehicles" in again.output


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"to_s": None}, "a timetable needs a time window"),
        ({"from_s": SEVEN, "to_s": SEVEN - 1}, "from an earlier to a later moment"),
        ({"radius_m": 5000.0}, "radius_m must be between 1 and 168., the breakpoint"),
        ({"bounds": (25.0, 0.0, 25.1, 0.1)}, "have nothing in common"),
        ({"bounds": (24.0, 0.0, 24.01, 0.0005)}, "nothing that runs then touches the map"),
        ({"fcd_file": "a.xml"}, "either a timetable .* or floating-car data"),
        ({"from_s": 0.0, "to_s": 60.0}, "nothing runs between 00:00 and 00:01"),
    ],
)
def test_what_cannot_be_built_is_said(tmp_path, keywords, message):
    feed, houses = town(tmp_path)
    given = {"gtfs_file": feed, "buildings_file": houses, "from_s": SEVEN - 60, "to_s": SEVEN + 180, **keywords}
    with pytest.raises(CityError, match=message):
        city_builder.build(**given)


def test_vehicles_and_map_with_crossed_coordinates(tmp_path):
    _, houses = town(tmp_path)
    cars = write_fcd(tmp_path / "a.xml", fcd_text([(float(t), "x", 0.001, 24.0 + 1e-4 * t) for t in range(60)]))
    with pytest.raises(CityError, match=r"they do not belong together.* Latitude and longitude are swapped"):
        city_builder.build(fcd_file=cars, buildings_file=houses)


def test_sites_that_see_nobody(tmp_path):
    feed, _ = town(tmp_path)
    wall = write_map(tmp_path / "wall.geojson", [(23.999, 0.0008, 24.01, 0.0009), (23.999, 0.0, 24.0, 0.0015)])
    masts = tmp_path / "masts.csv"
    masts.write_text("lat,lon\n0.0002,24.004\n")
    with pytest.raises(CityError, match="no vehicle ever has a base station within 200 m and in line of sight"):
        city_builder.build(gtfs_file=feed, buildings_file=wall, sites_file=masts, from_s=SEVEN - 60, to_s=SEVEN + 180)


def test_playing_in_a_city_needs_none_of_its_builders_libraries():
    file = Path(__file__).parents[2] / "data" / "small_city.npz"
    code = (
        "import sys, gymnasium, mmwave_gym\n"
        f"gymnasium.make('MmwaveAssociation-v0', city={str(file)!r}, duration_s=20.0, settle_s=5.0).reset(seed=0)\n"
        "print({'pandas', 'shapely', 'pyproj', 'pyrosm', 'pyarrow', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_missing_library_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "shapely", None)
    with pytest.raises(ImportError, match=r"building a city needs shapely: pip install 'mmwave-gym\[real\]'"):
        next(sight.seen_regions(np.zeros((1, 2)), [], 10.0))


# ---------------------------------------------------------------------- real ones


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    if not os.environ.get("MMWAVE_DATA"):
        pytest.skip("MMWAVE_DATA is not set: point it at the folder of the timetables and maps (docs/city_files.md)")
    patch = pytest.MonkeyPatch()
    patch.setenv("MMWAVE_CACHE", str(tmp_path_factory.mktemp("cities")))
    yield Path(os.environ["MMWAVE_DATA"])
    patch.undo()


@pytest.mark.slow
def test_a_morning_in_helsinki(data):
    from mmwave_gym.scenarios.association.cities import open_city

    city = open_city("gtfs:helsinki")
    assert len(city.vehicles) >= 100
    assert city.blocked_share >= city_builder.LEAST_BLOCKED
    assert city.covered_share > 0.9
    assert "© OpenStreetMap contributors" in city.attribution
    assert "Helsingin seudun liikenne" in city.attribution
    fastest = max(np.hypot(*np.diff(city.track(v)[1], axis=0).T).max() for v in range(len(city.vehicles)))
    assert fastest <= gtfs.MAX_SPEED_MPS + 1e-6
    assert open_city("gtfs:helsinki") is city  # built once, read once

    # Sight, beside a rule that knows nothing of shadows: no outline between vehicle and base station.
    import shapely

    tree = shapely.STRtree([shapely.Polygon(ring) for ring in city.buildings])
    rng = np.random.default_rng(0)
    agree = []
    for vehicle in rng.integers(len(city.vehicles), size=300):
        time_s = rng.uniform(*city.present_s[vehicle])
        when, way = city.track(vehicle)
        place = np.array([np.interp(time_s, when, way[:, axis]) for axis in (0, 1)])
        for bs in np.flatnonzero(np.hypot(*(city.bs_m - place).T) < city.radius_m - 0.1):
            on = (city.visit_vehicle == vehicle) & (city.visit_bs == bs)
            hidden = bool(((city.visit_s[on, 0] <= time_s) & (city.visit_s[on, 1] > time_s)).any())
            line = shapely.LineString((place, city.bs_m[bs]))
            mast = set(tree.query(shapely.Point(city.bs_m[bs]), predicate="intersects").tolist())
            agree.append(hidden == (not set(tree.query(line, predicate="intersects").tolist()) - mast))
    assert len(agree) > 500
    assert np.mean(agree) > 0.99  # the rest lies within a probe of a border


@pytest.mark.slow
def test_an_older_feed_and_simulated_cars(data):
    from mmwave_gym.scenarios.association.cities import open_city

    cairns, ingolstadt = open_city("gtfs:cairns"), open_city("sumo:ingolstadt")
    assert len(cairns.vehicles) > 50
    assert len(ingolstadt.vehicles) > 200
    assert "nothing is blocked" in cairns.notes
    for city in (cairns, ingolstadt):
        world = CityWorld(city, 60.0)
        assert world.num_ues > 10


@pytest.mark.slow
def test_all_of_cairns_can_be_driven(data):
    """The feed with empty times and without distances: nobody is left out, nobody speeds."""
    notes = Notes()
    found = gtfs.read(data / "gtfs_cairns" / "cairns_gtfs.zip", from_s=0.0, to_s=86_400.0, notes=notes)
    assert len(found.tracks) > 500
    assert notes.lines() == []


@pytest.mark.slow
def test_a_demo_without_downloads(tmp_path, monkeypatch):
    monkeypatch.setenv("MMWAVE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MMWAVE_DATA", raising=False)
    result = CliRunner().invoke(app, ["city", "--demo", "--out", str(tmp_path / "demo.npz")])
    assert result.exit_code == 0, result.output
    assert "© OpenStreetMap contributors" in result.output
    assert (tmp_path / "demo.npz").is_file()
