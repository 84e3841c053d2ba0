"""Timetables and floating-car data: every trap in small feeds that the tests write."""

from __future__ import annotations

import datetime

import numpy as np
import pytest
from city_worlds import fcd_text, feed_tables, shape_rows, write_fcd, write_feed

from mmwave_gym.core.errors import CityError
from mmwave_gym.core.notes import Notes
from mmwave_gym.sources import gtfs, sumo_fcd
from mmwave_gym.sources.snapping import along_shape

for library in ("pyrosm", "pyproj", "shapely"):
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
    notes = Notes(strict=True, error=CityError)  # what our rules leave out is no fault of the feed
    found = read(tmp_path, with_rows(tables, "stop_times", *slow), notes=notes)
    assert [track.name for track in found.tracks] == ["7 07:00 slow"]
    assert notes.lines() == ["left out: 1 trip more than 120 s late at 25 m/s (first: trips.txt, row 2)"]


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
def test_a_wrong_row_of_a_feed_is_named_if_strict_and_else_left_out_and_counted(
    tmp_path, table, row, old, new, message
):
    tables = changed(feed_tables(), table, row, old, new)
    with pytest.raises(CityError, match=f"{table}.txt, row {row}[,:].*{message}") as caught:
        read(tmp_path, tables, notes=Notes(strict=True, error=CityError))
    assert str(caught.value).startswith(str(tmp_path / "feed.zip"))
    tables = with_rows(tables, "trips", "R,week,whole,there")
    whole = [f"whole,07:0{i}:00,07:0{i}:00,s{i},{i + 1}" for i in (0, 3, 4)]
    notes = Notes()
    found = read(tmp_path, with_rows(tables, "stop_times", *whole), notes=notes)
    assert "7 07:00 whole" in [track.name for track in found.tracks]
    assert sum(f"(first: {table}.txt, row {row}" in line for line in notes.lines()) == 1
    assert all(line.startswith("left out: 1 ") for line in notes.lines()[:1])


@pytest.mark.parametrize(
    ("table", "row", "old", "new", "message"),
    [
        ("stops", 1, "stop_lat", "latitude", "stops.txt: the field 'stop_lat' is missing"),
        ("trips", 2, "there", "elsewhere", "nothing runs between"),
        ("trips", 2, "R,week", "X,week", "trips.txt: no trip can be used: .*'X' is not in routes.txt"),
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
    with pytest.raises(CityError, match="it is not a sound"):
        gtfs.read(tmp_path / "feed.zip", from_s=0.0, to_s=1.0)


# ---------------------------------------------------------------------- floating-car data


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
    notes = Notes()
    assert not sumo_fcd.read(fcd, net=net, notes=notes).degrees
    assert notes.lines() == ["the net net.xml has no projection: places stay in its metres."]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (fcd_text([(1.0, "x", 1, 1), (0.0, "x", 1, 1)]), "line 3, .*'time': the times of vehicle 'x' run backwards"),
        (fcd_text([(1.0, "x", "east", 1)]), "no vehicle is there for two time steps"),
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
