"""Readers of measured and ray-traced data: made-up files with every fault, and the real ones where MMWAVE_DATA is."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import mmwave_gym  # noqa: F401  (registers the ids)
from mmwave_gym.core.errors import ChannelError
from mmwave_gym.core.scenario import EpisodeKey, EpisodeRng
from mmwave_gym.links.files import read_channel
from mmwave_gym.sources import convert, mssn, open_channel, raytraced

HEADER = (
    "grid_lat,grid_lon,freq,cid,rat,total_sample,sample,sample_ratio,rsrp_avg,rsrp_std,"
    "rsrp_0,rsrp_10,rsrp_25,rsrp_50,rsrp_75,rsrp_90,rsrp_100"
)
PERCENTILES = "-110,-105,-100,-95,-90,-85,-80"
MISSING = ",".join(["None"] * 7)


def row(lat=41.8775, lon=-87.6835, freq=2071667, cid=67, rat="mw", sample=5, rsrp=PERCENTILES):
    return f"{lat},{lon},{freq},{cid},{rat},1103,{sample},0.01,-95,3,{rsrp}"


# Three squares in a street to the north and one apart; cell 67 in all, 88 in two, 99 only apart.
ROWS = [
    row(),
    row(cid=88, rsrp="-120,-120,-120.00000000000001,-120,-120,-120,-120"),
    row(lat=41.878),
    row(lat=41.878, cid=88, rsrp=MISSING),
    row(lat=41.8785),
    row(lat=41.8785, cid=88, sample=1),
    row(lat=41.8785, freq=925, cid=88, rat="lte", rsrp="x,x,x,x,x,x,x"),
    row(lat=41.88, cid=99),
]


def write(path, rows=ROWS, header=HEADER):
    text = "\n".join([header, *rows]) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def rss_file(tmp_path, **parts):
    return write(tmp_path / "V-R1_rss_cell_x.csv.gz", **parts)


def data_folder() -> Path:
    folder = os.environ.get("MMWAVE_DATA")
    if not folder:
        pytest.skip("MMWAVE_DATA is not set: point it at the folder of the measured data (docs/channel_files.md)")
    return Path(folder)


# ---------------------------------------------------------------------- measured squares


def test_squares_become_places_in_metres_on_streets(tmp_path):
    matrix = mssn.read(rss_file(tmp_path))
    assert matrix.cells == ("2071667/67", "2071667/88")
    assert matrix.edges.tolist() == [[0, 1], [1, 2]]
    square_m = np.radians(0.0005) * 6_371_008.8  # 55.6 m
    np.testing.assert_allclose(matrix.position_m, [[0, -square_m], [0, 0], [0, square_m]], atol=1e-6)
    assert matrix.heard.tolist() == [[True, True], [True, False], [True, True]]
    np.testing.assert_allclose(matrix.rsrp_dbm[0, 0], [-110, -105, -100, -95, -90, -85, -80])
    assert matrix.noise_dbm == pytest.approx(-113.2, abs=0.01)  # -174 + 50.8 + 10
    assert matrix.carrier_hz == pytest.approx(27.55008e9)
    assert "3 of 4 squares, 2 cells; 1 cells are heard only in the rest. 1 rows without RSRP" in matrix.notes


def test_squares_are_as_wide_as_their_latitude_makes_them(tmp_path):
    matrix = mssn.read(rss_file(tmp_path, rows=[row(lon=-87.6835), row(lon=-87.683), row(lon=-87.683, cid=1)]))
    east_m = np.diff(matrix.position_m[:, 0])
    np.testing.assert_allclose(east_m, np.radians(0.0005) * 6_371_008.8 * np.cos(np.radians(41.8775)))


def test_carriers_and_rare_cells_can_be_chosen(tmp_path):
    both = [*ROWS, row(cid=67, freq=2073333), row(cid=5, freq=2073333)]
    assert mssn.read(rss_file(tmp_path, rows=both), None).cells[-2:] == ("2073333/5", "2073333/67")
    assert mssn.read(rss_file(tmp_path, rows=both), 2071667).num_cells == 2
    frequent = mssn.read(rss_file(tmp_path), min_samples=2)
    assert frequent.heard.tolist() == [[True, True], [True, False], [True, False]]
    assert "fewer than 2 samples" in frequent.notes


def test_plain_text_reads_like_gzip(tmp_path):
    assert mssn.read(write(tmp_path / "a.csv")).fingerprint == mssn.read(rss_file(tmp_path)).fingerprint


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (row(lat=41.879) + ",1", "row 10 has 18 fields, the header 17"),
        (row(lat="north"), "row 10, column 'grid_lat': 'north' is not a number"),
        (row(lat=-87.6835, lon=41.8775), "row 10, columns 'grid_lat' and 'grid_lon'.*swapped"),
        (row(lat=60.17, lon=24.94), "not in the United States"),
        (row(lat=41.8776), "row 10: .* not on the grid"),
        (row(cid="PCI"), "row 10, column 'cid'"),
        (row(cid=6.5), "row 10, column 'cid': 6.5 is not a whole number"),
        (row(freq=66536), "row 10, column 'freq': 66536 is no NR-ARFCN of mmWave"),
        (row(sample=""), "row 10, column 'sample'"),
        (row(), "rows 2 and 10 are of the same square and cell 2071667/67"),
        (row(lat=41.879, rsrp="-110,-105,-100,strong,-90,-85,-80"), "row 10, column 'rsrp_50': 'strong'"),
        (row(lat=41.879, rsrp="-110,-105,-100,-101,-90,-85,-80"), "row 10, column 'rsrp_50': -101 is less"),
        (row(lat=41.879, rsrp="-110,-105,None,-95,-90,-85,-80"), "row 10: some of the columns"),
        (row(lat=41.879, rsrp="-310,-305,-300,-295,-290,-285,-280"), "no received power in dBm"),
    ],
)
def test_a_wrong_row_is_named(tmp_path, bad, message):
    file = rss_file(tmp_path, rows=[*ROWS, bad])
    with pytest.raises(ChannelError, match=message) as caught:
        mssn.read(file)
    assert str(caught.value).startswith(str(file))


def test_wrong_files_are_named(tmp_path):
    file = tmp_path / "V-R1_rss_cell_x.csv.gz"
    for content, message in (
        (gzip.compress(b"x" * 1000)[:-9], "gzip file is damaged"),
        (b"\x1f\x8b nothing", "gzip file is damaged"),
        (b"\xff\xff", "not UTF-8"),
        (b"", "column 'grid_lat' is missing"),
        (b"grid_lat,grid_lon,pcell_cid\n1,2,3\n", "looks like a grid_cell_set file"),
        (b"grid_lat\n\xc3", "not UTF-8"),
    ):
        file.write_bytes(content)
        with pytest.raises(ChannelError, match=message):
            mssn.read(file)
    with pytest.raises(ChannelError, match=r"no 28 GHz row of carrier 1; 28 GHz carriers in it: 2071667"):
        mssn.read(rss_file(tmp_path), 1)
    with pytest.raises(ChannelError, match="no two squares share a side"):
        mssn.read(rss_file(tmp_path, rows=[ROWS[0], ROWS[-1]]))
    with pytest.raises(ChannelError, match="heard in 1 squares"):
        mssn.read(rss_file(tmp_path, rows=ROWS[:2]))
    with pytest.raises(ChannelError, match="no such file"):
        mssn.read(tmp_path / "no.csv")


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_damaged_measurements_are_read_or_refused(tmp_path_factory, data):
    text = bytearray("\n".join([HEADER, *ROWS]).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    file = tmp_path_factory.mktemp("damaged") / "x.csv"
    file.write_bytes(bytes(text))
    reason = str(file)
    try:
        mssn.read(file)
    except ChannelError as error:
        reason = str(error)
    assert reason.startswith(str(file))


# ---------------------------------------------------------------------- ray-traced routes


def trace(tmp_path, **changes):
    arrays = {
        "gain_db": np.array([[-100.0, -200, -200], [-110, -120, -200], [-190, -100, -200]]),
        "rx": np.array([[0.0, 0, 1.5], [10, 0, 1.5], [10, 10, 1.5]]),
        "tx": np.array([[0.0, 5, 20], [10, 15, 20], [90, 90, 20]]),
        **changes,
    }
    np.savez(tmp_path / "trace.npz", **{k: v for k, v in arrays.items() if v is not None})
    return tmp_path / "trace.npz"


def test_a_traced_route_becomes_places_in_its_order(tmp_path):
    matrix = raytraced.read(trace(tmp_path))
    assert matrix.edges.tolist() == [[0, 1], [1, 2]]
    assert matrix.cells == ("site 0", "site 1")  # site 2 is heard nowhere
    assert matrix.site_m.tolist() == [[0, 5], [10, 15]]
    # 30 dBm + 20 dB - 100 dB; the floor and -190 dB, 56 dB below the noise of -84 dBm, are not heard.
    np.testing.assert_allclose(matrix.rsrp_dbm, [[-50, np.nan], [-60, -70], [np.nan, -50]])
    assert matrix.noise_dbm == pytest.approx(-84.0)
    assert "1 of 3 sites are heard nowhere" in matrix.notes


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gain_db": None}, "'gain_db' is missing"),
        ({"rx": None}, "'rx' is missing"),
        ({"gain_db": np.zeros(3) - 100}, r"gain_db must have shape \(points, sites\)"),
        ({"rx": np.zeros((2, 3))}, r"rx must have shape \(3, 2 or 3\)"),
        ({"tx": np.zeros((3, 4))}, r"tx must have shape \(3, 2 or 3\)"),
        ({"gain_db": np.full((3, 3), 1e-9)}, "is it linear"),
        ({"gain_db": np.array([[-90.0, 3, -90], [-90] * 3, [-90] * 3])}, r"gain_db\[0, 1\] is 3"),
        ({"gain_db": np.array([[-90.0, -np.inf, -90], [-90] * 3, [-90] * 3])}, r"gain_db\[0, 1\] is -inf"),
        ({"gain_db": np.array([["x"] * 3] * 3)}, "gain_db must be numbers"),
        ({"gain_db": np.full((3, 3), -200.0)}, "2 to 4096 cells"),
        ({"rx": np.array([[0.0, 0], [10, 0], [0, 0]])}, "same position"),
    ],
)
def test_a_wrong_trace_is_refused(tmp_path, changes, message):
    file = trace(tmp_path, **changes)
    with pytest.raises(ChannelError, match=message) as caught:
        raytraced.read(file)
    assert str(caught.value).startswith(str(file))


# ---------------------------------------------------------------------- by name


def test_sources_are_found_in_the_data_folder(tmp_path, monkeypatch):
    (tmp_path / mssn.FOLDERS[0]).mkdir()
    (tmp_path / raytraced.FOLDER).mkdir()
    rss_file(tmp_path / mssn.FOLDERS[0])
    trace(tmp_path / raytraced.FOLDER)
    monkeypatch.setenv("MMWAVE_DATA", str(tmp_path))
    assert open_channel("mssn:V-R1/2071667").num_cells == 2
    assert open_channel("mssn:V-R1").num_cells == 2
    assert "3 places x 2 cells" in convert("raytraced:trace", tmp_path / "out.npz")
    assert read_channel(tmp_path / "out.npz") == open_channel("raytraced:trace")
    assert gym.make("MmwaveHandover-v0", channel="mssn:V-R1/2071667").action_space.n == 2
    for name, message in (
        ("mssn:V-R2/2071667", "no file V-R2_rss_cell.*found there: V-R1"),
        ("mssn:../V-R1", "must be mssn:REGION/CARRIER"),
        ("raytraced:none", "found: trace"),
        ("raytraced:../trace", "must be raytraced:NAME"),
    ):
        with pytest.raises(ChannelError, match=message):
            open_channel(name)


def test_without_a_data_folder_the_error_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.delenv("MMWAVE_DATA", raising=False)
    with pytest.raises(ChannelError, match="set the environment variable MMWAVE_DATA"):
        gym.make("MmwaveHandover-v0", channel="mssn:V-R10/2071667")
    monkeypatch.setenv("MMWAVE_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(ChannelError, match="is not a folder"):
        open_channel("raytraced:sf_columbus_28ghz")


# ---------------------------------------------------------------------- the real files


def test_the_chicago_streets_are_the_ones_that_were_measured():
    folder = data_folder() / mssn.FOLDERS[0]
    (file,) = folder.glob("V-R10_rss_cell_*.csv.gz")
    matrix = mssn.read(file, 2_071_667)
    assert "115 of 167 squares, 30 cells; 16 cells are heard only in the rest" in matrix.notes
    assert matrix.rsrp_dbm.shape == (115, 30, 7)
    heard = matrix.heard.sum(axis=1)
    assert (np.median(heard), heard.min(), heard.max()) == (5, 1, 14)
    assert len(matrix.edges) == 125
    length_m = np.linalg.norm(np.diff(matrix.position_m[matrix.edges], axis=1), axis=2)
    np.testing.assert_allclose(np.unique(length_m.round(1)), [41.4, 55.6])


@pytest.mark.parametrize(
    "name",
    ["mssn:V-R7/2078331", "mssn:V-R8", "mssn:V-R10", "raytraced:sf_columbus_28ghz", "raytraced:helsinki_tram7_28ghz"],
)
def test_every_real_source_is_a_world(name, tmp_path):
    data_folder()
    convert(name, tmp_path / "m.npz")
    matrix = open_channel(name)
    assert read_channel(tmp_path / "m.npz") == matrix
    drawn = matrix.draw(EpisodeRng(EpisodeKey(0)), horizon=1200, step_s=0.05, num_ues=20)
    assert np.nanmin(drawn.rsrp_dbm) >= np.nanmin(matrix.rsrp_dbm)
    assert np.nanmax(drawn.rsrp_dbm) <= np.nanmax(matrix.rsrp_dbm)
    env = gym.make("MmwaveHandover-v0", channel=name, horizon=30).unwrapped
    observation, _ = env.reset(seed=0)
    for _ in range(30):
        assert env.observation_space.contains(observation)
        observation, *_ = env.step(int(env.action_masks().argmax()))


def test_swapped_coordinates_in_the_grid_cell_set_files_are_noticed():
    (file,) = (data_folder() / mssn.FOLDERS[0]).glob("V-R10_grid_cell_set_*.csv.gz")
    with pytest.raises(ChannelError, match="looks like a grid_cell_set file"):
        mssn.read(file)
