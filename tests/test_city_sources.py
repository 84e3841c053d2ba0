"""Timetables, floating-car data, maps and sites: every trap in small feeds that the tests write, then real ones."""

from __future__ import annotations

import datetime
import gzip
import os
from pathlib import Path

import numpy as np
import pytest
from city_worlds import fcd_text, feed_tables, shape_rows, write_feed, write_map
from typer.testing import CliRunner

from mmwave_gym.city import CityError, CityWorld
from mmwave_gym.cli import app
from mmwave_gym.sources import buildings, city_builder, gtfs, sight, sites, sumo_fcd
from mmwave_gym.sources.snapping import along_shape
from mmwave_gym.sources.tracks import Knots, Projection, Track, knots_on_map

for library in ("partridge", "pyrosm", "pyproj", "shapely"):
    pytest.importorskip(library, reason="cities are built with the extra [real]")

SEVEN = 7 * 3600.0
MONDAY = datetime.date(2024, 1, 8)
DEGREE_M = 111_320.0


def read(tmp_path, tables, **keywords):
    feed = write_feed(tmp_path / "feed.zip", tables)
    return gtfs.read(feed, **{"from_s": SEVEN - 600, "to_s": SEVEN + 3600, "date": MONDAY, **keywords})


def east_m(track, time_s):
    """How far east a track is of 24 degrees at a time."""
    return np.interp(time_s, track.time_s, (track.place[:, 0] - 24.0) * DEGREE_M)


def with_rows(tables, name, *rows):
    return {**tables, name: [*tables[name], *rows]}


def changed(tables, name, row, old, new):
    """Tables with a row (1 is the header) changed."""
    rows = list(tables[name])
    assert old in rows[row - 1]
    rows[row - 1] = rows[row - 1].replace(old, new)
    return {**tables, name: rows}


# ---------------------------------------------------------------------- timetables


def test_stops_of_one_minute_and_without_a_time_are_spread_by_distance(tmp_path):
    (track,) = read(tmp_path, feed_tables()).tracks
    # 07:00, 07:00, 07:01, empty, 07:02 at stops 222.6 m apart: told times stay, the others lie between.
    np.testing.assert_allclose(
        east_m(track, SEVEN + np.array((0.0, 30.0, 60.0, 90.0, 120.0))), 222.64 * np.arange(5), atol=1.0
    )
    speed_mps = np.diff(east_m(track, np.arange(SEVEN, SEVEN + 120.0)))
    assert speed_mps.max() < 7.5


def test_nothing_is_faster_than_the_bound(tmp_path):
    tables = feed_tables()
    tables["stop_times"][1:] = [f"t1,07:0{i // 3}:00,07:0{i // 3}:00,s{i},{i + 1}" for i in range(5)]
    tables["stop_times"][-1] = "t1,07:01:00,07:01:00,s4,5"
    (track,) = read(tmp_path, tables).tracks
    speed_mps = np.diff((track.place[:, 0] - 24.0) * DEGREE_M) / np.diff(track.time_s)
    assert speed_mps.max() <= gtfs.MAX_SPEED_MPS * 1.01
    assert track.time_s[-1] - SEVEN < 60.0 + 60.0  # within the last minute that is told


def test_a_trip_too_fast_to_be_true_is_left_out_and_counted(tmp_path):
    tables = feed_tables()
    tables["shapes"][1:] = shape_rows([(24.0 + 0.02 * i, 0.001) for i in range(9)])
    tables["stops"][1:] = [f"s{i},Stop,0.001,{24.0 + 0.04 * i}" for i in range(5)]  # 4.5 km a minute
    tables = with_rows(tables, "trips", "R,week,slow,there")
    slow = [f"slow,07:{10 * i:02d}:00,07:{10 * i:02d}:00,s{i},{i + 1}" for i in range(5)]
    found = read(tmp_path, with_rows(tables, "stop_times", *slow))
    assert [track.name for track in found.tracks] == ["7 07:00 slow"]
    assert found.notes == "1 trips are left out: more than 120 s late at 25 m/s."


@pytest.mark.parametrize("unit", [1.0, 1e-3, None])
def test_distances_may_be_metres_kilometres_or_missing(tmp_path, unit):
    tables = feed_tables()
    if unit is not None:
        tables["shapes"] = [
            tables["shapes"][0] + ",shape_dist_traveled",
            *(f"{row},{111.3 * i * unit}" for i, row in enumerate(tables["shapes"][1:])),
        ]
        tables["stop_times"] = [
            tables["stop_times"][0] + ",shape_dist_traveled",
            *(f"{row},{222.6 * i * unit}" for i, row in enumerate(tables["stop_times"][1:])),
        ]
    (track,) = read(tmp_path, tables).tracks
    np.testing.assert_allclose(east_m(track, SEVEN + np.array((0.0, 60.0, 120.0))), (0.0, 445.3, 890.6), atol=1.0)


def test_hours_past_24_and_the_trips_of_the_day_before(tmp_path):
    tables = feed_tables()
    tables["stop_times"][1:] = [f"t1,24:{10 + i}:00,24:{10 + i}:00,s{i},{i + 1}" for i in range(5)]
    late = read(tmp_path, tables, from_s=24 * 3600.0, to_s=25 * 3600.0)
    early = read(tmp_path, tables, from_s=0.0, to_s=3600.0, date=MONDAY + datetime.timedelta(days=1))
    assert late.tracks[0].time_s[0] == 24 * 3600.0 + 600.0
    assert early.tracks[0].time_s[0] == 600.0
    with pytest.raises(CityError, match="nothing runs between 00:00 and 01:00"):  # Sunday's service has no trips
        read(tmp_path, tables, from_s=0.0, to_s=3600.0)


def test_days_by_calendar_dates_alone_and_the_busiest_day(tmp_path):
    tables = feed_tables()
    del tables["calendar"]
    tables["calendar_dates"] = [
        "service_id,date,exception_type",
        "week,20240109,1",
        "more,20240110,1",
        "week,20240110,1",
    ]
    tables = with_rows(tables, "trips", "R,more,t2,there")
    tables = with_rows(tables, "stop_times", *(row.replace("t1", "t2") for row in tables["stop_times"][1:]))
    assert len(read(tmp_path, tables, date=datetime.date(2024, 1, 9)).tracks) == 1
    busiest = read(tmp_path, tables, date=None)
    assert len(busiest.tracks) == 2
    assert "2024-01-10" in busiest.source
    with pytest.raises(CityError, match="nothing runs on 2024-01-11; it has 2024-01-09 to 2024-01-10"):
        read(tmp_path, tables, date=datetime.date(2024, 1, 11))


def test_frequencies_repeat_a_trip(tmp_path):
    tables = feed_tables()
    tables["frequencies"] = ["trip_id,start_time,end_time,headway_secs", "t1,07:10:00,07:30:00,600"]
    assert [t.time_s[0] - SEVEN for t in read(tmp_path, tables).tracks] == [600.0, 1200.0]


def test_only_the_modes_asked_for(tmp_path):
    tables = changed(feed_tables(), "trips", 2, "R,", "M,")
    with pytest.raises(CityError, match=r"trips.txt: no tram or bus runs on 2024-01-08"):
        read(tmp_path, tables)


def test_stops_are_snapped_in_their_order_where_a_shape_comes_near_itself():
    """A street there and back, 10 m apart: the nearest point of half of the stops is on the wrong side."""
    shape_m = np.array(((0.0, 0.0), (1000.0, 0.0), (1000.0, 10.0), (0.0, 10.0)))
    x = np.array((0.0, 250.0, 500.0, 750.0, 1000.0, 750.0, 500.0, 250.0, 0.0))
    stop_m = np.stack((x, np.full(9, 5.0) + np.tile((1.0, -1.0, 0.5), 3)), axis=1)
    along_m, off_m = along_shape(stop_m, shape_m, np.full(8, 60.0), 25.0)
    expected = np.array((0.0, 250.0, 500.0, 750.0, 1000.0, 1260.0, 1510.0, 1760.0, 2010.0))
    np.testing.assert_allclose(along_m, expected, atol=6.0)
    assert off_m.max() < 10.0
    # A loop driven twice: only the told distance knows in which round the vehicle stops.
    ring = np.array(((0.0, 0.0), (100.0, 0.0), (100.0, 100.0), (0.0, 100.0)))
    twice = np.concatenate((ring, ring, ring[:1]))
    told = np.array((0.0, 0.55, 1.0))
    along_m, _ = along_shape(np.array(((0.0, 0.0), (40.0, 0.0), (0.0, 0.0))), twice, np.full(2, 600.0), 25.0, told)
    np.testing.assert_allclose(along_m, (0.0, 440.0, 800.0), atol=1.0)


@pytest.mark.parametrize(
    ("table", "row", "old", "new", "message"),
    [
        ("stop_times", 4, "07:01:00,07:01:00", "06:59:00,06:59:00", "'arrival_time': .* 't1' run backwards, by 60 s"),
        ("stop_times", 4, "07:01:00,07:01:00", "07:01:00,07:00:59", "'departure_time': 07:00:59 is before the arrival"),
        ("stop_times", 4, "07:01:00,07:01:00", "7 o'clock,07:01:00", "'arrival_time': a time as 07:05:00"),
        ("stop_times", 2, "07:00:00,07:00:00", ",", "'arrival_time': the first stop of trip 't1' needs a time"),
        ("stop_times", 6, "07:02:00,07:02:00", ",", "'arrival_time': the last stop of trip 't1' needs a time"),
        ("stop_times", 3, "s1", "s9", "field 'stop_id': 's9' is not in stops.txt"),
        ("stop_times", 3, ",2", ",second", "field 'stop_sequence': a whole number is needed, got 'second'"),
        ("stop_times", 3, ",2", ",2,0", "6 fields where the header has 5"),
        ("stops", 3, "0.001,24.002", "24.002,0.001", "'stop_lat' and 'stop_lon': 24.002, 0.001 are swapped"),
        ("stops", 3, "0.001,", "north,", "fields 'stop_lat' and 'stop_lon': numbers are needed"),
        ("stops", 3, "0.001,24.002", "124.0,0.001", "latitude 124, longitude 0.001 .*: are they swapped"),
        ("shapes", 5, "0.001,24.003", "24.003,0.001", "'shape_pt_lat' and 'shape_pt_lon': .* are swapped"),
        ("shapes", 5, ",3", ",third", "field 'shape_pt_sequence': a whole number is needed, got 'third'"),
    ],
)
def test_a_wrong_row_of_a_feed_is_named(tmp_path, table, row, old, new, message):
    with pytest.raises(CityError, match=f"{table}.txt, row {row}[,:].*{message}") as caught:
        read(tmp_path, changed(feed_tables(), table, row, old, new))
    assert str(caught.value).startswith(str(tmp_path / "feed.zip"))


@pytest.mark.parametrize(
    ("table", "row", "old", "new", "message"),
    [
        ("stops", 4, "0.001,24.004", "0.5,24.004", "stop 's2': it is 55.. km from the shape 'there' of trip 't1'"),
        ("stops", 1, "stop_lat", "latitude", "stops.txt: the field 'stop_lat' is missing"),
        ("trips", 2, "there", "elsewhere", "nothing runs between"),
        ("trips", 2, "there", "", "trips.txt: no trip has a shape_id"),
    ],
)
def test_tables_that_do_not_go_together(tmp_path, table, row, old, new, message):
    with pytest.raises(CityError, match=message):
        read(tmp_path, changed(feed_tables(), table, row, old, new))


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("shapes", "shapes.txt is missing: without shapes nobody knows the streets between stops"),
        ("stop_times", "stop_times.txt is missing"),
        ("calendar", "calendar.txt and calendar_dates.txt are both missing"),
    ],
)
def test_tables_that_are_needed(tmp_path, missing, message):
    tables = feed_tables()
    del tables[missing]
    with pytest.raises(CityError, match=message):
        read(tmp_path, tables)
    (tmp_path / "feed.zip").write_bytes(b"nothing")
    with pytest.raises(CityError, match="it is not a zip archive"):
        gtfs.read(tmp_path / "feed.zip", from_s=0.0, to_s=1.0)


# ---------------------------------------------------------------------- floating-car data


def write_fcd(path: Path, text: str) -> Path:
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", ["a.xml", "a.xml.gz"])
def test_floating_cars(tmp_path, name):
    rows = [(t, v, 11.4 + 1e-4 * t, 48.7) for t in (0.0, 1.0, 2.5) for v in ("x", "y")]
    found = sumo_fcd.read(write_fcd(tmp_path / name, fcd_text(rows)))
    assert [t.name for t in found.tracks] == ["x", "y"]
    assert found.degrees
    np.testing.assert_allclose(found.tracks[0].time_s, (0.0, 1.0, 2.5))


def test_metres_of_a_net_become_degrees(tmp_path):
    fcd = write_fcd(tmp_path / "a.xml", fcd_text([(t, "x", 100.0 + 10 * t, 50.0) for t in range(5)]))
    assert not sumo_fcd.read(fcd).degrees
    net = tmp_path / "net.xml"
    location = (
        'netOffset="-677000.00,-5405000.00" projParameter="+proj=utm +zone=32 +ellps=WGS84 +datum=WGS84 +units=m"'
    )
    net.write_text(f"<net><location {location}/></net>")
    found = sumo_fcd.read(fcd, net=net)
    assert found.degrees
    np.testing.assert_allclose(found.tracks[0].place[0], (11.408, 48.772), atol=0.003)  # Ingolstadt
    net.write_text('<net><location netOffset="0,0" projParameter="!"/></net>')
    with pytest.raises(CityError, match="no projection"):
        sumo_fcd.read(fcd, net=net)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (fcd_text([(1.0, "x", 1, 1), (0.0, "x", 1, 1)]), "line 3, .*'time': the times of vehicle 'x' run backwards"),
        (fcd_text([(1.0, "x", "east", 1)]), "line 2, attribute 'x' of vehicle: .*, got 'east'"),
        ('<fcd-export><timestep time="soon"/></fcd-export>', "line 1, attribute 'time' of timestep"),
        ('<fcd-export><vehicle id="x" x="1" y="1"/></fcd-export>', "a vehicle needs an id and a timestep"),
        ("<fcd-export/>", "it has no vehicles"),
        ("<fcd-export>", "it is not XML"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><fcd-export/>', "declares a document type or entities"),
        (fcd_text([(1.0, "x", 1, 1)]), "no vehicle is there for two time steps"),
    ],
)
def test_what_is_wrong_in_floating_car_data_is_named(tmp_path, text, message):
    file = write_fcd(tmp_path / "a.xml", text)
    with pytest.raises(CityError, match=message) as caught:
        sumo_fcd.read(file)
    assert str(caught.value).startswith(str(file))


# ---------------------------------------------------------------------- maps and sites

HOME = Projection((24.0, 60.0, 24.02, 60.01))


def polygon(ring):
    return f'{{"features": [{{"geometry": {{"type": "Polygon", "coordinates": [{ring}]}}}}]}}'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("north,1,60.005,24.01\nb,2,24.01,60.005", "row 3, fields 'lat' and 'lon': .* are swapped"),
        ("a,1,61.0,24.01", r"all 1 sites lie outside the map \(the first: row 2, at 61, 24.01\)"),
        ("a,1,60.005,24.01,9", "row 2: 5 fields where the header has 4"),
        ("a,1,sixty,24.01", "row 2, field 'lat': 'sixty' is not a number"),
        ("a,1,160.0,24.01", "row 2, .* is no place on Earth"),
        ("", "all 0 sites lie outside the map"),
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
        (polygon("[[1,100],[1,101],[2,100],[1,100]]"), "feature 0, .* is no place on Earth: are they swapped"),
    ],
)
def test_what_is_wrong_with_a_map_is_named(tmp_path, text, message):
    file = tmp_path / "map.geojson"
    file.write_text(text)
    with pytest.raises(CityError, match=message):
        buildings.read(file)


def test_one_building_of_a_map_is_swapped(tmp_path):
    file = write_map(tmp_path / "map.geojson", [(24.0, 60.0, 24.001, 60.001), (60.0, 24.0, 60.001, 24.001)])
    with pytest.raises(CityError, match=r"feature 1, field 'coordinates': latitude 24 and longitude 60 are swapped"):
        buildings.read(file)


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


def test_a_missing_library_is_named(monkeypatch):
    import sys

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
    from mmwave_gym.sources import open_city

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
            told = bool(((city.visit_s[on, 0] <= time_s) & (city.visit_s[on, 1] > time_s)).any())
            line = shapely.LineString((place, city.bs_m[bs]))
            mast = set(tree.query(shapely.Point(city.bs_m[bs]), predicate="intersects").tolist())
            agree.append(told == (not set(tree.query(line, predicate="intersects").tolist()) - mast))
    assert len(agree) > 500
    assert np.mean(agree) > 0.99  # the rest lies within a probe of a border


@pytest.mark.slow
def test_an_older_feed_and_simulated_cars(data):
    from mmwave_gym.sources import open_city

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
    found = gtfs.read(data / "gtfs_cairns" / "cairns_gtfs.zip", from_s=0.0, to_s=86_400.0)
    assert len(found.tracks) > 500
    assert found.notes == ""


@pytest.mark.slow
def test_a_demo_without_downloads(tmp_path, monkeypatch):
    monkeypatch.setenv("MMWAVE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("MMWAVE_DATA", raising=False)
    result = CliRunner().invoke(app, ["city", "--demo", "--out", str(tmp_path / "demo.npz")])
    assert result.exit_code == 0, result.output
    assert "© OpenStreetMap contributors" in result.output
    assert (tmp_path / "demo.npz").is_file()
