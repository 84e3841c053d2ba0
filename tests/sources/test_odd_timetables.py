"""Timetables as agencies publish them: what is legal is read, what cannot be used is left out, counted and named."""

from __future__ import annotations

import datetime
import zipfile
from pathlib import Path

import pytest
from city_worlds import feed_tables, write_feed
from typer.testing import CliRunner

from mmwave_gym.cli import app
from mmwave_gym.core.errors import CityError
from mmwave_gym.core.notes import Notes
from mmwave_gym.sources import gtfs
from mmwave_gym.sources.gtfs_days import Days
from mmwave_gym.sources.tracks import Tracks

pytest.importorskip("pyproj", reason="cities are built with the extra [real]")

Tables = dict[str, list[str]]
SEVEN = 7 * 3600.0
WHOLE = [f"t2,07:0{i}:00,07:0{i}:00,s{i},{i + 1}" for i in (0, 2, 4)]


def two_trips() -> Tables:
    """The feed of city_worlds with a second trip, t2, that nothing is wrong with."""
    tables = feed_tables()
    tables["trips"] = [*tables["trips"], "R,week,t2,there"]
    tables["stop_times"] = [*tables["stop_times"], *WHOLE]
    return tables


def read(path: Path, tables: Tables, *, strict: bool = False, **keywords: object) -> tuple[Tracks, list[str]]:
    notes = Notes(strict=strict, error=CityError)
    feed = write_feed(path / "feed.zip", tables)
    found = gtfs.read(feed, from_s=SEVEN - 600, to_s=SEVEN + 3600, notes=notes, **keywords)  # type: ignore[arg-type]
    return found, notes.lines()


def trips(found: Tracks) -> list[str]:
    return [track.name.split()[-1] for track in found.tracks]


HEADWAY = "row of frequencies.txt with a headway that is not 10 s or more"
TIME = "row of frequencies.txt with a wrong time"
ODD = [
    # table, changed row or added row, what is left out, where
    ("stop_times", (6, "07:02:00,07:02:00", ","), "trip without a last time", "stop_times.txt, row 6"),
    ("stop_times", (2, "07:00:00,07:00:00", ","), "trip without a first time", "stop_times.txt, row 2"),
    ("stop_times", (3, "s1", ""), "stop time without a stop", "stop_times.txt, row 3"),
    ("stop_times", (3, "s1", "nowhere"), "stop time at a stop that stops.txt lacks", "stop_times.txt, row 3"),
    ("stop_times", (4, "07:01:00,07:01:00", "25:99:00,25:99:00"), "trip with a time that", "stop_times.txt, row 4"),
    ("stop_times", (4, ",3", ",²"), "trip without the order of its stops", "stop_times.txt, row 4"),
    ("stops", (4, "0.001,24.004", ","), "stop without a place", "stops.txt, row 4"),
    ("stops", (4, "0.001,24.004", "nan,inf"), "stop without a place", "stops.txt, row 4"),
    ("stops", (4, "0.001,24.004", "0,0"), "stop at latitude 0, longitude 0", "stops.txt, row 4"),
    ("stops", (3, "0.001,24.002", "0.5,24.002"), "trip with a stop more than 1 km from", "stops.txt, stop 's1'"),
    ("shapes", (5, "0.001,24.003", "x,y"), "point without a place", "shapes.txt, row 5"),
    ("trips", (2, "week", ""), "trip without a service_id", "trips.txt, row 2"),
    ("trips", (2, "week", "never"), "trip of a service that no calendar names", "trips.txt, row 2"),
    ("trips", (2, "R,", "Q,"), "trip of no usable route", "trips.txt, row 2"),
    ("trips", (2, "t1", "t2"), "trip with the trip_id of another", "trips.txt, row 3"),
    ("routes", (3, "M,A,U,Metro,1", "S,A,8,Other,tram"), "route without a route_type", "routes.txt, row 3"),
    ("calendar", "sun,0,0,0,0,0,0,x,20240101,20240131", "row of calendar.txt with a weekday", "calendar.txt, row 3"),
    ("calendar", "sun,0,0,0,0,0,0,1,20240101,20230230", "row of calendar.txt with a wrong date", "calendar.txt, row 3"),
    ("calendar", ",0,0,0,0,0,0,1,20240101,20240131", "row of calendar.txt without a service_id", "calendar.txt, row 3"),
    ("frequencies", "t1,07:10:00,07:30:00,0", HEADWAY, "frequencies.txt, row 2, field 'headway_secs'"),
    ("frequencies", "t1,07:10:00,07:30:00,", HEADWAY, "frequencies.txt, row 2, field 'headway_secs'"),
    ("frequencies", "t1,07:10:00,07:30:00,-600", HEADWAY, "frequencies.txt, row 2, field 'headway_secs'"),
    ("frequencies", "t1,07:10:00,07:30:00,1e-9", HEADWAY, "frequencies.txt, row 2, field 'headway_secs'"),
    ("frequencies", "t1,7 o'clock,07:30:00,600", TIME, "frequencies.txt, row 2, field 'start_time'"),
    ("frequencies", "t1,07:10:00,07:00:00,600", TIME, "frequencies.txt, row 2, field 'end_time'"),
    ("calendar_dates", "week,20240140,2", "row of calendar_dates.txt with a wrong date", "calendar_dates.txt, row 2"),
    ("calendar_dates", "week,20240108,3", "row of calendar_dates.txt of no known", "calendar_dates.txt, row 2"),
]  # fmt: skip
HEADERS = {
    "frequencies": "trip_id,start_time,end_time,headway_secs",
    "calendar_dates": "service_id,date,exception_type",
}


@pytest.mark.parametrize(
    ("table", "change", "kind", "where"), ODD, ids=[f"{t}-{k[:40]}-{c}"[:90] for t, c, k, _ in ODD]
)
def test_what_cannot_be_used_is_left_out_and_counted(
    table: str, change: tuple[int, str, str] | str, kind: str, where: str, tmp_path: Path
) -> None:
    tables = two_trips()
    rows = tables.setdefault(table, [HEADERS[table]] if table in HEADERS else [])
    if isinstance(change, str):
        rows.append(change)
    else:
        number, old, new = change
        assert old in rows[number - 1]
        rows[number - 1] = rows[number - 1].replace(old, new)
    found, lines = read(tmp_path, tables)
    assert "t2" in trips(found)
    assert lines[0].startswith(f"left out: 1 {kind}")
    assert f"(first: {where}" in lines[0]
    if "no calendar names" in kind:
        return  # legal, so not refused either
    with pytest.raises(CityError, match=where):
        read(tmp_path, tables, strict=True)


def test_all_of_a_kind_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    tables = two_trips()
    for name in ("a", "b"):
        tables["trips"].append(f"R,week,{name},there")
        tables["stop_times"] += [f"{name},07:00:00,07:00:00,s0,1", f"{name},,,s4,2"]
    _, lines = read(tmp_path, tables)
    assert lines == ["left out: 2 trips without a last time (first: stop_times.txt, row 11, field 'arrival_time')"]


def test_routes_with_a_long_name_only(tmp_path: Path) -> None:
    tables = two_trips()
    tables["routes"] = ["route_id,route_long_name,route_type", "R,Harbour Line,0"]
    found, lines = read(tmp_path, tables)
    assert found.tracks[0].name == "Harbour Line 07:00 t1"
    assert lines == []


def test_commas_with_spaces_quotes_and_ends(tmp_path: Path) -> None:
    plain, _ = read(tmp_path, two_trips())
    tables = {
        name: [", ".join(f'"{field}"' for field in row.split(",")) + "," for row in rows]
        for name, rows in two_trips().items()
    }
    spaced, lines = read(tmp_path, tables)
    assert [t.name for t in spaced.tracks] == [t.name for t in plain.tracks]
    assert lines == []


@pytest.mark.parametrize("folder", ["gtfs/", "a/b/"])
def test_tables_in_a_folder_are_found(folder: str, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "feed.zip", "w") as archive:
        for name, rows in two_trips().items():
            archive.writestr(f"{folder}{name}.txt", "\n".join(rows))
            archive.writestr(f"__MACOSX/{folder}._{name}.txt", "junk")
    notes = Notes()
    found = gtfs.read(tmp_path / "feed.zip", from_s=SEVEN - 60, to_s=SEVEN + 600, notes=notes)
    assert trips(found) == ["t1", "t2"]
    assert notes.lines() == [f"the tables were found in the folder {folder[:-1]!r} of the archive."]


def test_archives_of_several_feeds_say_so(tmp_path: Path) -> None:
    feed = write_feed(tmp_path / "one.zip", two_trips())
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        for folder in ("bus", "tram"):
            for name, rows in two_trips().items():
                archive.writestr(f"{folder}/{name}.txt", "\n".join(rows))
    with zipfile.ZipFile(tmp_path / "nested.zip", "w") as archive:
        archive.write(feed, "google_transit.zip")
    for name, message in (
        ("two", "2 feeds, in the folders bus, tram"),
        ("nested", "other archives, google_transit.zip"),
    ):
        with pytest.raises(CityError, match=rf"{name}\.zip: it holds {message}"):
            gtfs.read(tmp_path / f"{name}.zip", from_s=0.0, to_s=1.0)


@pytest.mark.parametrize("days", ["0,0,0,0,0,0,0,20240101,20240131", "1,1,1,1,1,0,0,20240106,20240107"])
def test_calendars_that_name_no_day(days: str, tmp_path: Path) -> None:
    tables = two_trips()
    tables["calendar"][1] = f"week,{days}"
    with pytest.raises(CityError, match=r"feed\.zip: calendar.txt and calendar_dates.txt name no day"):
        read(tmp_path, tables)


def test_a_calendar_of_all_times(tmp_path: Path) -> None:
    tables = two_trips()
    tables["calendar"][1] = "week,1,1,1,1,1,0,0,00010101,99991231"
    assert trips(read(tmp_path, tables)[0]) == ["t1", "t2"]
    assert trips(read(tmp_path, tables, date=datetime.date(9999, 12, 31))[0]) == ["t1", "t2"]
    with pytest.raises(CityError, match="nothing runs on 2024-01-06; it has 0001-01-01 to 9999-12-31"):
        read(tmp_path, tables, date=datetime.date(2024, 1, 6))


def test_days_are_those_of_a_calendar_written_out() -> None:
    """Against a loop over every day, with weeks and exceptions that overlap."""
    first = datetime.date(2024, 2, 25).toordinal()
    days, runs = Days(), {}  # type: Days, dict[str, set[int]]
    for name, week, begin, end in (("a", "1000010", 0, 40), ("b", "0101000", 13, 29), ("a", "0000001", 35, 60)):
        flags = tuple(flag == "1" for flag in week)
        days.weekly(name, flags, first + begin, first + end)
        runs.setdefault(name, set()).update(d for d in range(first + begin, first + end + 1) if flags[(d - 1) % 7])
    for name, day, on in (("a", 1, False), ("b", 70, True), ("a", 8, True), ("b", 15, False), ("c", 20, True)):
        days.exception(name, first + day, on)
        (runs.setdefault(name, set()).add if on else runs[name].discard)(first + day)
    every = range(first - 10, first + 90)
    for day in every:
        assert days.running(day) == {name for name, some in runs.items() if day in some}
    weight = {"a": 3, "b": 2, "c": 4}
    total = {day: sum(weight[name] for name, some in runs.items() if day in some) for day in every}
    assert days.busiest(weight) == max(total, key=lambda day: (total[day], -day))
    assert days.span() == (min(d for s in runs.values() for d in s), max(d for s in runs.values() for d in s))


def test_the_command_tells_what_is_left_out_and_the_city_keeps_it(tmp_path: Path) -> None:
    pytest.importorskip("shapely", reason="cities are built with the extra [real]")
    tables = two_trips()
    tables["stop_times"][5] = "t1,,,s4,5"
    feed, out = write_feed(tmp_path / "feed.zip", tables), tmp_path / "c.npz"
    words = ["city", "--gtfs", str(feed), "--from", "06:58", "--to", "07:10", "--out", str(out)]
    line = "left out: 1 trip without a last time (first: feed.zip, stop_times.txt, row 6, field 'arrival_time')"
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert line in done.output.splitlines()
    assert line in CliRunner().invoke(app, ["city", str(out)]).output.splitlines()
    refused = CliRunner().invoke(app, [*words, "--strict"])
    assert refused.exit_code != 0
    assert "row 6" in str(refused.exception) + refused.output


def test_whole_numbers_and_headers_as_spreadsheets_write_them(tmp_path: Path) -> None:
    expected = trips(read(tmp_path, two_trips())[0])
    tables = two_trips()
    tables["routes"] = [tables["routes"][0].upper(), *(f"{row}.0" for row in tables["routes"][1:])]
    assert tables["routes"][0].startswith("ROUTE_ID")
    found, lines = read(tmp_path, tables)
    assert trips(found) == expected
    assert lines == []


def test_where_no_trip_is_usable_the_first_is_named(tmp_path: Path) -> None:
    tables = two_trips()
    tables["stop_times"] = [row.replace(":00,", ",") for row in tables["stop_times"]]
    with pytest.raises(CityError, match=r"no trip can be used: stop_times.txt, row 2, .*a time as 07:05:00 is needed"):
        read(tmp_path, tables)


def test_another_separator_is_seen_in_the_error(tmp_path: Path) -> None:
    tables = two_trips()
    tables["routes"] = [row.replace(",", ";") for row in tables["routes"]]
    with pytest.raises(CityError, match="the field 'route_id' is missing; it has route_id;"):
        read(tmp_path, tables)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("calendar", "week,1,1,1,1,1,0,0,20240131,20240101"), "name no day; left out was calendar.txt, row 2, field"),
        (("calendar", "week,2,1,1,1,1,0,0,20240101,20240131"), "name no day; left out was .*field 'monday': 0 or 1"),
        (("shapes", "there,0.001,24.0,0"), r"nothing runs .*; left out was 2 trips without a shape \(first: trips.txt"),
    ],
)
def test_where_nothing_runs_the_reason_is_told(change: tuple[str, str], words: str, tmp_path: Path) -> None:
    tables, (table, row) = two_trips(), change
    tables[table][1:] = [row]
    with pytest.raises(CityError, match=words):
        read(tmp_path, tables)


def test_ids_that_repeat_are_counted_and_the_first_is_kept(tmp_path: Path) -> None:
    tables = two_trips()
    right = [track.place.tolist() for track in read(tmp_path, tables)[0].tracks]
    tables["stops"].append("s0,Elsewhere,0.5,24.0")
    tables["routes"].append("R,A,9,Other,3")
    found, lines = read(tmp_path, tables)
    assert [track.place.tolist() for track in found.tracks] == right
    assert any(line.startswith("left out: 1 stop with the stop_id of another (first: stops.txt") for line in lines)
    assert any(line.startswith("left out: 1 route with the route_id of another (first: routes.txt") for line in lines)


def test_calendars_with_numbers_as_spreadsheets_write_them(tmp_path: Path) -> None:
    tables = two_trips()
    tables["calendar"][1:] = ["week,1.0,1.0,1.0,1.0,1.0,0.0,0.0,20240101.0,20240131.0"]
    assert read(tmp_path, tables)[1] == []
