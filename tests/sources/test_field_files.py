"""The small inputs that once failed, by the command of their README: each gives what is right there.

They are no part of the repository. MMWAVE_FIELD names their folder, by default ../shared/field beside the repository.
In one line: `MMWAVE_FIELD=FOLDER python -m pytest tests/sources/test_field_files.py`.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from mmwave_gym import cli
from mmwave_gym.scenarios.association.city import read_city

FIELD = Path(os.environ.get("MMWAVE_FIELD") or Path(__file__).parents[3] / "shared" / "field")
pytestmark = pytest.mark.skipif(
    not FIELD.is_dir(), reason=f"{FIELD} is not there: MMWAVE_FIELD names the folder of the field files"
)
STEADY = {"drive_ms_rel.csv": (), "drive_semicolon.csv": ("--sep", ";"), "drive_ssrsrp.csv": (),
          "drive_ymd_slash.csv": ()}  # fmt: skip
"""Recordings of the same 50 levels, a second apart, and the options that they need."""
SITES = {"sites_upper.CSV": 2, "sites_tab.tsv": 2, "sites_semicolon.csv": 2, "sites_ocid_missing.csv": 2}


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Runs a command in the folder of the files; returns its exit code and what it said, "OUT/" is a place to write."""
    monkeypatch.chdir(FIELD)
    monkeypatch.setenv("COLUMNS", "1000")

    def command(*words: str) -> tuple[int, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as caught:
            cli.main([word.replace("OUT/", f"{tmp_path}/") for word in words])
        told = capsys.readouterr()
        return int(caught.value.code or 0), told.out + told.err

    return command


def counted(run, tmp_path: Path, *words: str) -> tuple[list[list[int]], str]:
    code, said = run("transition", *words, "--out", "OUT/t.json", "--level", "rsrp")
    assert code == 0, said
    return json.loads((tmp_path / "t.json").read_text())["counts"], said


def test_every_file_is_tried() -> None:
    tried = Path(__file__).read_text()
    assert [path.name for path in FIELD.iterdir() if path.suffix != ".md" and path.name not in tried] == []


def test_zeros_count_as_with_their_rows_emptied(run, tmp_path: Path) -> None:
    text = (FIELD / "drive_rsrp_zero.csv").read_text()
    (tmp_path / "emptied.csv").write_text(text.replace(",0\n", ",\n"))
    found, said = counted(run, tmp_path, "drive_rsrp_zero.csv")
    assert "0 in 4 rows of 'rsrp' means no signal" in said
    assert "row 6" in said
    assert found == counted(run, tmp_path, str(tmp_path / "emptied.csv"))[0]


@pytest.mark.parametrize("name", STEADY)
def test_forms_of_one_drive_give_one_fit(run, tmp_path: Path, name: str) -> None:
    found, said = counted(run, tmp_path, name, "--slot", "1", *STEADY[name])
    assert found == [[10, 5, 5], [9, 0, 5], [0, 10, 5]]
    assert "50 samples in 1 run over 49 s" in said
    assert "most 1 s apart, no long gaps" in said


def test_two_runs_appended_are_two_chains(run, tmp_path: Path) -> None:
    lines = (FIELD / "drive_back.csv").read_text().splitlines()
    (tmp_path / "once.csv").write_text("\n".join(lines[:21]) + "\n")
    found, said = counted(run, tmp_path, "drive_back.csv")
    assert "40 samples in 2 runs" in said
    assert found == (2 * np.array(counted(run, tmp_path, str(tmp_path / "once.csv"))[0])).tolist()


def test_a_zero_of_a_channel_is_an_error_with_its_row(run) -> None:
    code, said = run("channel", "ch_zero_sentinel.csv", "--out", "OUT/z.npz")
    assert code == 2
    assert "ch_zero_sentinel.csv: row 2, cell 'a': 0 is no received power" in said


def test_jittered_times_are_resampled_on_request(run) -> None:
    code, said = run("channel", "ch_time_jitter.npz", "--out", "OUT/z.npz")
    assert code == 2
    assert "--resample" in said
    code, said = run("channel", "ch_time_jitter.npz", "--out", "OUT/z.npz", "--resample", ".1")
    assert code == 0, said
    assert "200 times x 4 cells" in said


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("gtfs_no_short_name.zip", "11 vehicles"),
        ("gtfs_freq_zero.zip", "left out: 1 row of frequencies.txt with a headway that is not 10 s or more (first: "
                               "gtfs_freq_zero.zip, frequencies.txt, row 2, field 'headway_secs')"),
        ("gtfs_one_trip_no_last_time.zip", "left out: 1 trip without a last time (first: "
                                            "gtfs_one_trip_no_last_time.zip, stop_times.txt, row 36"),
        ("gtfs_subfolder.zip", "the tables were found in the folder 'gtfs'"),
    ],
)  # fmt: skip
def test_timetables_become_cities(run, name: str, words: str) -> None:
    code, said = run("city", "--gtfs", name, "--from", "07:00", "--to", "09:00", "--out", "OUT/c.npz")
    assert code == 0, said
    assert words in said


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (("fcd_teleport.xml",), 0, "left out: 1 jump faster than 70 m/s (SUMO's teleports): the vehicle ends there"),
        (("fcd_hms.xml",), 0, "1 vehicles"),
        (("fcd_persons_only.xml",), 2, "it has 3 persons, no vehicle"),
        (("fcd_persons_only.xml", "--persons"), 0, "3 vehicles"),
        (("fcd_teleport.xml", "--buildings", "b_poly_no_coords.geojson"), 0, "1 buildings"),
        (("fcd_teleport.xml", "--buildings", "b_bom.geojson"), 0, "1 buildings"),
        (("fcd_teleport.xml", "--buildings", "b_crs_4258.geojson"), 0, "1 buildings"),
    ],
)
def test_floating_cars_become_cities(run, words: tuple[str, ...], code: int, expected: str) -> None:
    got, said = run("city", "--fcd", *words, "--out", "OUT/c.npz")
    assert got == code, said
    assert expected in said


def test_a_polygon_without_coordinates_is_counted(run) -> None:
    _, said = run("city", "--fcd", "fcd_teleport.xml", "--buildings", "b_poly_no_coords.geojson", "--out", "OUT/c.npz")
    assert "left out: 1 polygon without coordinates (first: b_poly_no_coords.geojson, feature 1, field" in said


def test_metres_stay_metres_where_a_vehicle_is_parked(run, tmp_path: Path) -> None:
    code, said = run("city", "--fcd", "fcd_small_net_parked_first.xml", "--sites", "sites_m.csv", "--out", "OUT/c.npz")
    assert code == 0, said
    city = read_city(tmp_path / "c.npz")
    assert float(np.ptp(city.knots_m[:, 0])) == 75.0  # in degrees it would be thousands of km


@pytest.mark.parametrize("name", SITES)
def test_sites_are_read(run, name: str) -> None:
    code, said = run("sites", name, "--episodes", "1")
    assert code == 0, said
    assert f"{SITES[name]} sites of {SITES[name]} rows in {name}" in said
    assert ("left out: 1 site" in said) is (name == "sites_ocid_missing.csv")
