"""Floating-car data in every form in which SUMO and its tools write it, and what is no drive in it."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from city_worlds import fcd_text, write_fcd
from typer.testing import CliRunner

from mmwave_gym.cli import app
from mmwave_gym.core.errors import CityError
from mmwave_gym.core.notes import Notes
from mmwave_gym.sources import sumo_fcd
from mmwave_gym.sources.tracks import Tracks

pytest.importorskip("pyproj", reason="cities are built with the extra [real]")

# Two cars and a person who walks, three seconds: as SUMO 1.28 writes them.
CARS = [(t, name, 10.0 * t, y) for t in range(3) for name, y in (("a", 0.0), ("b", 50.0))]
WALK = [(t, "p", 5.0, 1.5 * t) for t in range(3)]
XML = "<fcd-export>{}</fcd-export>".format(
    "".join(
        f'<timestep time="{t:.2f}">'
        + "".join(f'<vehicle id="{n}" x="{x}" y="{y}" lane="e_0"/>' for s, n, x, y in CARS if s == t)
        + "".join(f'<person id="{n}" x="{x}" y="{y}" edge="e"/>' for s, n, x, y in WALK if s == t)
        + "</timestep>"
        for t in range(3)
    )
)
NATIVE = "timestep_time;vehicle_id;vehicle_x;vehicle_y;vehicle_lane;vehicle_edge\n" + "".join(
    f"{t}.00;{n};{x};{y};{';e' if n == 'p' else 'e_0;'}\n" for t, n, x, y in sorted(CARS + WALK)
)
CONVERTED = "timestep_time;vehicle_id;vehicle_x;vehicle_y;person_id;person_x;person_y\n" + "".join(
    f"{t}.00;;;;{n};{x};{y}\n" if n == "p" else f"{t}.00;{n};{x};{y};;;\n" for t, n, x, y in sorted(CARS + WALK)
)
CLOCKS = NATIVE.replace("0.00;", "00:00:00;").replace("1.00;", "00:00:01;").replace("2.00;", "00:00:02;")


def read(file: Path, **keywords: object) -> tuple[Tracks, list[str]]:
    notes = Notes(error=CityError)
    return sumo_fcd.read(file, notes=notes, **keywords), notes.lines()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.xml", XML),
        ("a.xml.gz", XML),
        ("a.XML", XML),
        ("a.csv", NATIVE),
        ("a.csv.gz", NATIVE),
        ("a.CSV", CONVERTED),
        ("clock.csv", CLOCKS),
        ("comma.csv", CONVERTED.replace(";", ",")),
        ("tab.txt", "\ufeff" + CONVERTED.replace(";", "\t")),
    ],
)
def test_every_form_tells_the_same(name: str, text: str, tmp_path: Path) -> None:
    file = tmp_path / name
    file.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    found, lines = read(file)
    assert {t.name: t.place.tolist() for t in found.tracks} == {
        name: [[10.0 * t, y] for t in range(3)] for name, y in (("a", 0.0), ("b", 50.0))
    }
    assert len(lines) == 1
    assert lines[0].startswith("left out: 1 person while only vehicles are asked for (see --persons)")
    with_persons, lines = read(file, persons=True)
    assert sorted(t.name for t in with_persons.tracks) == ["a", "b", "p"]
    assert lines == []


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="needs pyarrow, of the extra [real]")
    parquet = pytest.importorskip("pyarrow.parquet")
    times, names, x, y = zip(*CARS, strict=True)
    columns = {"timestep_time": list(map(float, times)), "vehicle_id": names, "vehicle_x": x, "vehicle_y": y}
    parquet.write_table(pyarrow.table({key: list(values) for key, values in columns.items()}), tmp_path / "a.parquet")
    found, lines = read(tmp_path / "a.parquet")
    assert {t.name: t.place[-1].tolist() for t in found.tracks} == {"a": [20.0, 0.0], "b": [20.0, 50.0]}
    assert lines == []
    (tmp_path / "b.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(CityError, match=r"b\.parquet: pyarrow cannot read it"):
        read(tmp_path / "b.parquet")


@pytest.mark.parametrize(
    ("text", "seconds"), [("07:00:00", 25_200.0), ("1:07:00:00.50", 111_600.5), ("25:10:00", 90_600.0), ("12.5", 12.5)]
)
def test_clock_times(text: str, seconds: float, tmp_path: Path) -> None:
    places = fcd_text([(0.0, "v", 6.9, 50.9), (99_999_9.0, "v", 6.9001, 50.9)])
    found, _ = read(write_fcd(tmp_path / "a.xml", places.replace('"0.0"', f'"{text}"')))
    assert found.tracks[0].time_s[0] == seconds


def test_persons_are_ues_on_request_only(tmp_path: Path) -> None:
    text = fcd_text([(float(t), f"p{i}", 6.9 + 2e-5 * t, 50.9) for t in range(60) for i in range(3)])
    file = write_fcd(tmp_path / "a.xml", text.replace("<vehicle", "<person"))
    with pytest.raises(CityError, match=r"a\.xml: it has 3 persons, no vehicle: --persons makes them UEs"):
        read(file)
    assert len(read(file, persons=True)[0].tracks) == 3
    pytest.importorskip("shapely", reason="cities are built with the extra [real]")
    done = CliRunner().invoke(app, ["city", "--fcd", str(file), "--persons", "--out", str(tmp_path / "c.npz")])
    assert done.exit_code == 0, done.output
    assert "3 vehicles" in done.output


def test_a_person_and_a_vehicle_may_have_one_name(tmp_path: Path) -> None:
    found, _ = read(write_fcd(tmp_path / "a.xml", XML.replace('"p"', '"a"')), persons=True)
    assert sorted(t.name for t in found.tracks) == ["a", "a (person)", "b"]


@pytest.mark.parametrize("degrees", [True, False])
def test_a_teleport_ends_one_vehicle_and_begins_another(degrees: bool, tmp_path: Path) -> None:
    way = [(float(t), "v", 10.0 * t + (500.0 if t > 30 else 0.0), 40.0) for t in range(61)]
    if degrees:
        way = [(t, name, 6.9 + x / 70_000.0, 50.9 + y / 111_000.0) for t, name, x, y in way]
    found, lines = read(write_fcd(tmp_path / "a.xml", fcd_text(way)))
    assert [(t.name, t.time_s[0], t.time_s[-1]) for t in found.tracks] == [("v", 0.0, 30.0), ("v /2", 31.0, 60.0)]
    assert lines[0].startswith("left out: 1 jump faster than 70 m/s")
    assert "v, at 30 s" in lines[0]


def test_a_vehicle_that_was_away_is_another_and_rare_places_are_bridged(tmp_path: Path) -> None:
    away = [(float(t), "v", 10.0 * t, 0.0) for t in range(200) if not 50 < t < 150]
    found, lines = read(write_fcd(tmp_path / "a.xml", fcd_text(away)))
    assert [t.time_s[-1] - t.time_s[0] for t in found.tracks] == [50.0, 49.0]
    assert lines[0].startswith("left out: 1 gap of more than 10 s: the vehicle ends there")
    rare = [(60.0 * t + (t % 3), "v", 500.0 * t, 0.0) for t in range(10)]
    found, lines = read(write_fcd(tmp_path / "b.xml", fcd_text(rare)))
    assert len(found.tracks) == 1
    assert lines == ["9 gaps of more than 10 s between places were bridged straight."]


@pytest.mark.parametrize("parked", ["a", "z"])
def test_parked_vehicles_do_not_make_metres_degrees(parked: str, tmp_path: Path) -> None:
    rows = [row for t in range(60) for row in ((float(t), parked, 10.0, 10.0), (float(t), "m", 1.5 * t, 40.0))]
    assert not read(write_fcd(tmp_path / "a.xml", fcd_text(sorted(rows))))[0].degrees
    slow = [(t, name, 6.9 + 1e-5 * x, 50.9 + 1e-5 * y) for t, name, x, y in rows]
    assert read(write_fcd(tmp_path / "b.xml", fcd_text(sorted(slow))))[0].degrees
    still = [row for row in sorted(rows) if row[1] == parked]
    with pytest.raises(CityError, match="nothing moves in it, so that metres and degrees look alike"):
        read(write_fcd(tmp_path / "c.xml", fcd_text(still)))


def test_places_that_sumo_does_not_know_are_left_out(tmp_path: Path) -> None:
    rows = [(float(t), "v", 6.9 + 1e-4 * t, 50.9) for t in range(9)]
    text = fcd_text(rows).replace('x="6.9004"', 'x="-1073741824.00"').replace('y="50.9"', 'y="inf"', 1)
    found, lines = read(write_fcd(tmp_path / "a.xml", text))
    assert len(found.tracks[0].time_s) == 7
    assert lines[0].startswith("left out: 2 places without numbers as its x and y (first: line 2")


@pytest.mark.parametrize(
    ("encoding", "message"), [("windows-1252", ""), ("klingon", "encoding"), ("utf-7", "encoding|not XML")]
)
def test_encodings(encoding: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "a.xml"
    rows = [(float(t), "Zürich", 6.9 + 1e-4 * t, 50.9) for t in range(9)]
    text = f'<?xml version="1.0" encoding="{encoding}"?>\n' + fcd_text(rows)
    file.write_bytes(text.encode("cp1252"))
    if message:
        with pytest.raises(CityError, match=rf"a\.xml: .*({message})"):
            read(file)
    else:
        assert read(file)[0].tracks[0].name == "Zürich"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "time;id;x\n1;v;2\n", "row 1: the columns timestep_time, vehicle_id"),
        ("a.csv", "", "row 1: the columns timestep_time, vehicle_id"),
        ("a.csv.gz", "not gzip", "row 1: the columns"),
        ("a.xml", "<fcd-export><vehicle id='a'/></fcd-export>", "a vehicle needs an id and a timestep"),
    ],
)
def test_what_cannot_be_read_is_named(name: str, text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(CityError, match=message) as caught:
        read(tmp_path / name)
    assert str(caught.value).startswith(str(tmp_path / name))


def test_a_net_of_metres_keeps_them(tmp_path: Path) -> None:
    net = tmp_path / "net.xml"
    file = write_fcd(tmp_path / "a.xml", XML)
    for projection in ("!", "-", "."):
        net.write_text(f'<net><location netOffset="0,0" projParameter="{projection}"/></net>')
        found, lines = read(file, net=net)
        assert not found.degrees
        np.testing.assert_array_equal(found.tracks[0].place[0], (0.0, 0.0))
        assert "the net net.xml has no projection: places stay in its metres." in lines
    for location, message in (
        ("", "it has no <location>"),
        ('<location projParameter="+proj=utm +zone=32"/>', "'netOffset': two numbers are needed"),
        ('<location netOffset="0,0" projParameter="+proj=cheese"/>', "pyproj cannot read it"),
    ):
        net.write_text(f"<net>{location}</net>")
        with pytest.raises(CityError, match=rf"net\.xml: .*{message}"):
            read(file, net=net)


@pytest.mark.parametrize(
    ("row", "line", "message"),
    [
        ("3.00;a;1\n", "1 row with more or fewer fields than the header", "row 11: 3 fields where the header has 6"),
        ("soon;a;1;1;e_0;\n", "1 row without a time", "row 11, field 'timestep_time': seconds .* got 'soon'"),
    ],
)
def test_a_row_that_cannot_be_used_is_left_out_and_counted(row: str, line: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(NATIVE + row)
    found, lines = read(tmp_path / "a.csv")
    assert len(found.tracks) == 2
    assert any(line in told for told in lines)
    with pytest.raises(CityError, match=message):
        sumo_fcd.read(tmp_path / "a.csv", notes=Notes(strict=True, error=CityError))


def test_clock_times_over_midnight(tmp_path: Path) -> None:
    text = XML.replace('"0.00"', '"23:59:58"').replace('"1.00"', '"23:59:59"').replace('"2.00"', '"00:00:00"')
    (tmp_path / "a.xml").write_text(text)
    assert read(tmp_path / "a.xml")[0].tracks[0].time_s.tolist() == [86398.0, 86399.0, 86400.0]


@pytest.mark.parametrize("text", [NATIVE.replace(".", ","), NATIVE.replace("\n", ";;\n")])
def test_tables_as_spreadsheets_save_them(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(text)
    assert [track.place[-1].tolist() for track in read(tmp_path / "a.csv")[0].tracks] == [[20.0, 0.0], [20.0, 50.0]]


def test_where_no_row_is_usable_the_first_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("time;id;x;y\n0;v;;1\n1;v;;1\n")
    with pytest.raises(CityError, match="no vehicle is there for two time steps; row 2, fields 'x' and 'y'"):
        sumo_fcd.read(tmp_path / "a.csv")


def test_the_command_says_how_long_an_episode_may_be(tmp_path: Path) -> None:
    rows = "".join(f"{t};v;{5.0 * t};{t % 2}\n" for t in range(60))
    (tmp_path / "a.csv").write_text(f"time;id;x;y\n{rows}")
    told = CliRunner().invoke(app, ["city", "--fcd", str(tmp_path / "a.csv"), "--out", str(tmp_path / "c.npz")])
    assert "an episode in it lasts at most 29 s" in told.output


@pytest.mark.parametrize("time", ["-1", "1700000000", "1_0"])
def test_times_that_no_simulation_has(time: str, tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(XML.replace('time="0.00"', f'time="{time}"'))
    with pytest.raises(CityError, match=rf"a\.xml: line \d+, attribute 'time' .* are needed, or .* got '{time}'"):
        read(tmp_path / "a.xml")


def test_what_hardly_moves_is_told(tmp_path: Path) -> None:
    rows = [(1000.0 * t, name, x + 10.0 * t, 5.0) for t in range(9) for name, x in (("a", 0.0), ("b", 900.0))]
    _, lines = read(write_fcd(tmp_path / "a.xml", fcd_text(rows)))
    assert "what moves in it does so at 0.01 m/s: are its times in milliseconds, or its places in kilometres?" in lines


def test_names_with_a_prefix(tmp_path: Path) -> None:
    text = XML.replace("<fcd-export", '<s:fcd-export xmlns:s="http://sumo.dlr.de"').replace("</fcd-", "</s:fcd-")
    (tmp_path / "a.xml").write_text(text.replace("<vehicle", "<s:vehicle").replace("</vehicle", "</s:vehicle"))
    (tmp_path / "b.xml").write_text(XML)
    places = [[t.place.tolist() for t in read(tmp_path / name)[0].tracks] for name in ("a.xml", "b.xml")]
    assert places[0] == places[1]


def test_a_map_has_one_side_of_the_antimeridian(tmp_path: Path) -> None:
    rows = [(float(t), "v", (179.9996 + 1e-4 * t + 180.0) % 360.0 - 180.0, -16.8) for t in range(9)]
    with pytest.raises(CityError, match=r"a\.xml: its places reach from -1\d+ to 1\d+ degrees of longitude"):
        read(write_fcd(tmp_path / "a.xml", fcd_text(rows)))


def test_rows_that_are_packed_too_well(tmp_path: Path) -> None:
    """Each of these small files would take minutes, row by row."""
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"time,id,x,y\n" + b"0,a,1,1\n" * 2**22, 1))
    with pytest.raises(CityError, match=r"a\.csv\.gz: unpacked it has more than 1\d MiB"):
        read(tmp_path / "a.csv.gz")
    (tmp_path / "a.xml.gz").write_bytes(gzip.compress(b"<fcd-export>" + b"<a/>" * 2**20, 1))
    with pytest.raises(CityError, match=r"a\.xml\.gz: line 1: [0-9,]+ elements in [0-9,]+ bytes"):
        read(tmp_path / "a.xml.gz")
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    zeros = pa.array(np.zeros(10**6))
    columns = {"timestep_time": zeros, "vehicle_id": zeros, "vehicle_x": zeros, "vehicle_y": zeros}
    pyarrow.parquet.write_table(pa.table(columns), tmp_path / "a.parquet")
    with pytest.raises(CityError, match=r"a\.parquet: it declares 1,000,000 rows in"):
        read(tmp_path / "a.parquet")
